"""May a plain decoder be relied on for texts like these? Rules as for every model, for figures of which less is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from honed.evaluation.results import Answer, Estimate, Verdict
from honed.tasks.judging import Worry
from honed.wording import counted, number

FEWEST_BYTES, FEWEST_UNITS = 2_000, 5
WIDE = 0.2
"""An interval wider than this share of the figure on either side says little."""
LOST_CARE = 0.02
ORDER: list[Answer] = ["do not ship", "cannot tell", "ship with care", "ship"]


@dataclass(frozen=True)
class Known:
    """What the verdict is reached from: bits a byte, those of methods without a model, how much was read, and what is lost."""

    bits: Estimate
    beside: dict[str, float]
    n_bytes: int
    n_units: int
    held_out: bool
    lost: float


def decoder_verdict(known: Known, worries: Sequence[Worry]) -> Verdict:
    """The gravest answer any rule gives, with all reasons, the gravest first."""
    reasons = [*_enough(known), *_better(known)]
    reasons += [("do not ship" if worry.forbids else "ship with care", worry.text) for worry in worries]
    if known.lost > LOST_CARE:
        reasons.append(("ship with care", f"Its tokens lose {100 * known.lost:.0f} % of such text."))
    reasons.sort(key=lambda reason: ORDER.index(reason[0]))
    answer = reasons[0][0] if reasons else "ship"
    told = [text for _, text in reasons] or ["Every check passed."]
    return Verdict(answer, _headline(answer, known), told, _power(known))


def _enough(known: Known) -> list[tuple[Answer, str]]:
    bits = known.bits
    if not math.isfinite(bits.value):
        return [("do not ship", "The model gives no finite likelihoods: its weights are broken.")]
    found: list[tuple[Answer, str]] = []
    if known.n_bytes < FEWEST_BYTES or known.n_units < FEWEST_UNITS:
        found.append(
            ("cannot tell", f"Only {counted(known.n_bytes, 'byte')} of text were judged; {FEWEST_BYTES:,} are needed.")
        )
    elif bits.high - bits.low > 2 * WIDE * bits.value:
        found.append(
            ("cannot tell", f"The bits a byte could lie anywhere from {number(bits.low)} to {number(bits.high)}.")
        )
    if not known.held_out:
        found.append(("cannot tell", "It learnt from this text, so the figures flatter."))
    return found


def _better(known: Known) -> list[tuple[Answer, str]]:
    """Against what can be had without a model."""
    finite = {name: value for name, value in known.beside.items() if math.isfinite(value)}
    if not finite or not math.isfinite(known.bits.value):
        return []
    name = min(finite, key=lambda key: finite[key])
    against = f"{number(known.bits.value)} bits a byte against {number(finite[name])}"
    if known.bits.value >= finite[name]:
        return [("do not ship", f"It knows such text no better than {name}: {against}.")]
    if not known.bits.high < finite[name]:
        return [("cannot tell", f"It is not clearly better than {name}: {against}; more text would tell.")]
    return []


def _headline(answer: Answer, known: Known) -> str:
    bits = known.bits
    words = {
        "ship": "This decoder knows texts like these",
        "ship with care": "This decoder can be used for texts like these if somebody watches the points below",
        "do not ship": "Do not rely on this decoder for texts like these",
        "cannot tell": "This text cannot tell whether the decoder is good enough",
    }
    if not math.isfinite(bits.value):
        return f"{words[answer]}."
    return (
        f"{words[answer]}: {number(bits.value)} bits a byte (95 % interval {number(bits.low)} to {number(bits.high)})."
    )


def _power(known: Known) -> str:
    half = (known.bits.high - known.bits.low) / 2
    if not math.isfinite(half):
        return f"Judged on {counted(known.n_bytes, 'byte')}."
    judged = f"Judged on {known.n_bytes:,} bytes in {counted(known.n_units, 'unit')}"
    return f"{judged}: differences below {number(2 * half)} bits a byte cannot be seen."
