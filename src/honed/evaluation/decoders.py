"""A plain decoder on running text: how well it knows it, what it has by heart, whether the text may be trusted as a test."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from honed.evaluation.decoder_verdict import Known, decoder_verdict
from honed.evaluation.figures import estimate
from honed.evaluation.results import Estimate, Evaluation, MetricResult
from honed.finding import Finding
from honed.likelihood.bits import Fit, bits_by_compression, bits_by_shares, fit_of_documents
from honed.likelihood.canaries import Canary, look_at_canaries
from honed.likelihood.contamination import look_at_contamination
from honed.likelihood.leanings import look_at_leanings, look_at_led
from honed.likelihood.memory import look_at_memory
from honed.likelihood.reading import Reading
from honed.likelihood.scorer import Scorer
from honed.likelihood.secrets import look_at_secrets
from honed.likelihood.told import Told
from honed.progress import Progress, Silent
from honed.tasks.judging import Detail, Look

COMPRESSION, SHARES = "a compression program (xz)", "bytes by their shares"
LOST = 0.001
"""Share of a text that its tokens do not give back, from which on it is told."""


@dataclass(frozen=True)
class Material:
    """What a decoder is judged on.

    Parameters
    ----------
    test : Reading
        Texts it is to know.
    source, digest : str
        Where they are from.
    learnt, fresh : sequences of Told
        Texts it was trained on, and others of the same kind that were kept from it, where they are at hand.
    control : sequence of Told
        Texts like the test that it cannot have been trained on.
    held_out : bool
        Nothing says that the test was learnt from.
    kept : bool
        The test is known to have been kept from the decoder.
    canaries : sequence of Canary
        Sentences that were planted in its training text.
    """

    test: Reading
    source: str
    digest: str
    learnt: Sequence[Told] = ()
    fresh: Sequence[Told] = ()
    control: Sequence[Told] = ()
    held_out: bool = True
    kept: bool = False
    canaries: Sequence[Canary] = ()
    findings: Sequence[Finding] = field(default_factory=list)


def evaluate_decoder(
    scorer: Scorer, material: Material, *, name: str, seed: int = 0, progress: Progress | None = None
) -> Evaluation:
    """Bits a byte and perplexity with intervals beside plain compression; what it learnt by heart; a verdict."""
    begin, progress = time.monotonic(), progress or Silent()
    test = material.test
    with progress.step("reading the test text", None):
        fit, _ = fit_of_documents(scorer, test.texts)
    words = [text.text for text in test.texts]
    beside = {
        COMPRESSION: bits_by_compression(words, [told.text for told in material.learnt]),
        SHARES: bits_by_shares(words),
    }
    with progress.step("looking for what it has by heart", None):
        look = _looks(scorer, material, seed)
    lost = lost_share(scorer, words)
    findings = [*material.findings, *_lost(lost), *look.findings]
    metrics = _metrics(fit, beside, seed)
    verdict = decoder_verdict(
        Known(metrics[0].model, beside, fit.n_bytes, len(fit.nats), material.held_out, lost), look.worries
    )
    return Evaluation(
        task="text-generation", kind="text", model_name=name, base="", data_source=material.source, data_digest=material.digest,
        n_rows=test.n_documents, n_used=len(test.texts), n_duplicates_removed=0, held_out=material.held_out, metrics=metrics,
        verdict=verdict, findings=findings, details=[_counted(scorer, test, fit), *look.details], seconds=time.monotonic() - begin,
        unit="text",
    )  # fmt: skip


def _looks(scorer: Scorer, material: Material, seed: int) -> Look:
    look = Look()
    told = material.test.told
    if material.learnt:
        others = material.fresh or told
        look += look_at_memory(scorer, material.learnt, others, seed=seed)
        look += look_at_secrets(scorer, material.learnt, others, seed=seed)
    look += look_at_canaries(scorer, material.canaries, seed=seed)
    look += look_at_leanings(scorer, seed=seed) + look_at_led(scorer, [one.text for one in material.learnt], seed=seed)
    return look + look_at_contamination(scorer, told, material.control, material.learnt, kept=material.kept, seed=seed)


def _metrics(fit: Fit, beside: dict[str, float], seed: int) -> list[MetricResult]:
    baselines = {name: Estimate(value, value, value) for name, value in beside.items()}
    bits = MetricResult("bits_per_byte", "bits a byte", "", False, estimate(fit.bits(seed)), baselines)
    return [bits, MetricResult("perplexity", "perplexity a token", "", False, estimate(fit.perplexity(seed)))]


def _counted(scorer: Scorer, test: Reading, fit: Fit) -> Detail:
    """What was read, and how."""
    rows: list[tuple[object, ...]] = [
        ("documents in all", test.n_documents),
        ("bytes in all", test.n_bytes),
        ("bytes judged", fit.n_bytes),
        ("tokens judged", fit.n_tokens),
        ("tokens read at a time", scorer.context),
        ("new tokens in each window of a long text (stride)", scorer.stride),
    ]
    drawn = "documents" if fit.unit == "document" else f"stretches of {scorer.context} tokens"
    more = "" if test.whole else " A part of the text was read, spread evenly over it."
    return Detail("What was read", ("", ""), rows, f"Intervals by drawing {drawn} with replacement.{more}")


def lost_share(scorer: Scorer, texts: Sequence[str]) -> float:
    """Share of texts' letters that their tokens do not give back: what is lost costs no bits, which flatters."""
    lost = total = 0
    for text in texts[:200]:
        part = text[:5_000]
        back = scorer.vocabulary.decode(scorer.vocabulary.encode(part, special=False))
        total += len(part)
        if back.split() != part.split():
            lost += max(1, len(part) - sum(a == b for a, b in zip(part.strip(), back.strip(), strict=False)))
    return lost / max(1, total)


def _lost(share: float) -> list[Finding]:
    if share <= LOST:
        return []
    told = f"The tokens of the model do not give {100 * share:.1f} % of the text back: that part costs it nothing, and the figures flatter."
    return [
        Finding("E015", "issue", told, "Compare it with models of the same tokenizer alone.", details={"share": share})
    ]
