"""How well a decoder knows texts: perplexity and bits a byte, beside what a plain compression program needs."""

from __future__ import annotations

import lzma
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from honed.likelihood.scorer import Scorer, ends_in_bytes
from honed.likelihood.tokens import Passage, Scored
from honed.metrics.intervals import Interval, around, draws
from honed.tasks.answers import Array

FEWEST_UNITS = 20
"""With fewer documents than this, stretches of them are drawn for the intervals instead of whole ones."""
MOST_PRIMED = 4_000_000
"""Bytes of training text that the compression program is shown."""


@dataclass(frozen=True)
class Fit:
    """How likely texts are, counted in units that are drawn for intervals.

    Parameters
    ----------
    nats, sizes, counts : arrays (units,)
        Minus the logarithm of the probability, bytes, and tokens of each unit.
    unit : str
        "document" or "stretch".
    """

    nats: Array
    sizes: Array
    counts: Array
    unit: str = "document"

    @property
    def n_bytes(self) -> int:
        return int(self.sizes.sum())

    @property
    def n_tokens(self) -> int:
        return int(self.counts.sum())

    def bits(self, seed: int = 0) -> Interval:
        """Bits a byte with its 95 % interval by a bootstrap over units."""
        return _ratio(self.nats / np.log(2), self.sizes, seed)

    def perplexity(self, seed: int = 0) -> Interval:
        """exp of the mean loss a token with its 95 % interval."""
        found = _ratio(self.nats, self.counts, seed)
        value, low, high = (float(np.exp(min(bound, 700.0))) for bound in (found.value, found.low, found.high))
        return Interval(value, low, high)

    def fewer_bits(self, other: Fit, seed: int = 0) -> Interval:
        """Bits a byte of the other minus those of this one, on the same units."""
        return _ratio((other.nats - self.nats) / np.log(2), self.sizes, seed)


def _ratio(above: Array, below: Array, seed: int) -> Interval:
    total = float(below.sum())
    if not total:
        return Interval(float("nan"), float("nan"), float("nan"))
    value = float(above.sum()) / total
    if len(above) < 2:
        return Interval(value, value, value)
    drawn = draws(len(above), seed=seed)
    return around(value, (above @ drawn) / np.maximum(below @ drawn, 1))


def fit_of_answers(texts: Sequence[str], scored: Sequence[Scored]) -> Fit:
    """How likely texts are that are judged whole; the end after a text counts as one more token and no byte."""
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    return Fit(
        np.array([-one.log for one in scored]),
        np.array(sizes, dtype=np.int64),
        np.array([len(one.logs) for one in scored], dtype=np.int64),
    )


@dataclass(frozen=True)
class Text:
    """A piece of running text, and whether a document begins with it."""

    text: str
    begins: bool = True


def fit_of_documents(
    scorer: Scorer, texts: Sequence[Text], advance: Callable[[int], None] | None = None
) -> tuple[Fit, list[Scored]]:
    """How likely running texts are, token by token.

    The first token of a document is judged after the token that begins a text; of a piece that does not begin one, and of a
    model that has no such token, it is only read, and its bytes are not counted.
    """
    passages, sizes = [], []
    for text in texts:
        tokens, ends = ends_in_bytes(scorer.vocabulary, text.text)
        head = scorer.begin if text.begins else []
        passages.append(Passage(head, tokens) if head else Passage(tokens[:1], tokens[1:]))
        sizes.append(ends if head else ends[1:])
    scored = scorer.score(passages, advance)
    whole = len(texts) >= FEWEST_UNITS
    long = max(1, scorer.context)
    nats, counted, tokens_ = [], [], []
    for one, size in zip(scored, sizes, strict=True):
        starts = [0] if whole or not len(size) else list(range(0, len(size), long))
        if len(starts) > 1 and len(size) - starts[-1] < long // 2:  # a short rest belongs to the stretch before it
            starts.pop()
        if len(size):
            nats += np.add.reduceat(-one.logs, starts).tolist()
            counted += np.add.reduceat(size, starts).tolist()
            tokens_ += np.diff([*starts, len(size)]).tolist()
    unit = "document" if whole else "stretch"
    return Fit(np.array(nats), np.array(counted, dtype=np.int64), np.array(tokens_, dtype=np.int64), unit), scored


def bits_by_shares(texts: Sequence[str]) -> float:
    """Bits a byte where each byte is coded by how often it comes in these very texts: no decoder may need more."""
    raw = np.frombuffer("".join(texts).encode("utf-8", "surrogatepass"), dtype=np.uint8)
    if not len(raw):
        return float("nan")
    shares = np.bincount(raw, minlength=256) / len(raw)
    there = shares[shares > 0]
    return float(-(there * np.log2(there)).sum())


def bits_by_compression(texts: Sequence[str], learnt: Sequence[str] = ()) -> float:
    """Bits a byte that xz needs for the texts, after it has seen those learnt from where there are any."""
    raw = "\n".join(texts).encode("utf-8", "surrogatepass")
    if not raw:
        return float("nan")
    before = "\n".join(learnt).encode("utf-8", "surrogatepass")[-MOST_PRIMED:]
    return 8 * (_packed(before + raw) - (_packed(before) if before else _packed(b""))) / len(raw)


def _packed(raw: bytes) -> int:
    return len(lzma.compress(raw, format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 9}]))
