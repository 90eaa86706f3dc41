"""What a decoder forgot in fine-tuning: bits a byte before and after, of ordinary sentences and of what its base itself writes."""

from __future__ import annotations

from collections.abc import Sequence

from honed.finding import Finding
from honed.likelihood.bits import Fit, Text, fit_of_answers, fit_of_documents
from honed.likelihood.scorer import Scorer
from honed.likelihood.tokens import Passage
from honed.likelihood.told import Told
from honed.metrics.intervals import Interval
from honed.tasks.judging import Detail, Look, Measured

SAMPLES, SAMPLE_TOKENS = 24, 48
MUCH, KNOWN = 0.25, 4.0
"""Rise of the bits a byte, as a share, from which on it is told; what costs more bits than this the base never knew."""


def fit_of_told(scorer: Scorer, told: Sequence[Told], closed: bool = True) -> Fit:
    """How likely texts are, each with its end, after what was asked; as many as can be afforded."""
    ends = list(scorer.vocabulary.ends[:1]) if closed else []
    room, passages, texts = scorer.tokens_within(), [], []
    for one in told:
        tokens = [*scorer.vocabulary.encode(one.text, special=False), *ends]
        passages.append(Passage(list(one.before or scorer.begin), tokens[: max(1, scorer.context - len(one.before))]))
        texts.append(one.text)
        room -= len(one.before) + len(tokens)
        if room <= 0:
            break
    return fit_of_answers(texts, scorer.score(passages))


def look_at_forgetting(
    own: Scorer, base: Scorer | None, told: Sequence[Told], general: Sequence[str], *, seed: int = 0
) -> Look:
    """Bits a byte of the texts wanted, of ordinary sentences, and of texts that the base wrote, now and before."""
    fit = fit_of_told(own, told)
    before = fit_of_told(base, told) if base is not None else None
    rows = [
        (
            "bits a byte of the texts wanted",
            len(fit.nats),
            _shown(fit.bits(seed)),
            _shown(before.bits(seed)) if before else None,
        ),
        (
            "perplexity a token of them",
            len(fit.nats),
            _shown(fit.perplexity(seed)),
            _shown(before.perplexity(seed)) if before else None,
        ),
    ]
    findings = []
    for name, texts in _others(base, general, seed):
        now, _ = fit_of_documents(own, texts)
        then = fit_of_documents(base, texts)[0] if base is not None else None
        rows.append(
            (f"bits a byte of {name}", len(texts), _shown(now.bits(seed)), _shown(then.bits(seed)) if then else None)
        )
        if then is not None:
            findings += _lost(name, now, then, seed)
    note = (
        "Texts wanted are judged after their rows, with their ends. Fewer bits are better; intervals by drawing texts."
    )
    return Look(
        [Detail("How well it knows texts", ("", "texts", "this model", "its base"), rows, note)], findings=findings
    )


def _others(base: Scorer | None, general: Sequence[str], seed: int) -> list[tuple[str, list[Text]]]:
    found = [("ordinary English sentences", [Text(text) for text in general])] if general else []
    if base is None or not base.begin:
        return found
    most = max(8, min(SAMPLE_TOKENS, base.context - 2, base.tokens_within() // (SAMPLES * SAMPLE_TOKENS)))
    tokens = base.written([base.begin] * SAMPLES, most, seed=seed)
    texts = [Text(base.vocabulary.decode(one)) for one in tokens]
    return [*found, ("texts as its base writes them", [text for text in texts if len(text.text.encode()) >= 8])]


def _lost(name: str, now: Fit, then: Fit, seed: int) -> list[Finding]:
    if not now.n_bytes:
        return []
    rise, before, after = then.fewer_bits(now, seed), then.bits(seed).value, now.bits(seed).value
    if before > KNOWN or rise.low <= MUCH * before:
        return []
    told = f"It forgot: {name} cost it {after:.2f} bits a byte, and its base {before:.2f}."
    remedy = "Nothing, where it is to write such texts alone; else train for fewer epochs, at a lower rate, or with adapters."
    return [Finding("E018", "tip", told, remedy, details={"before": before, "after": after})]


def _shown(found: Interval) -> Measured:
    return Measured(found.value, found.low, found.high)
