"""Texts that were preferred to others: as targets, and as a figure of what is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from honed.metrics import texts
from honed.tasks.answers import Array, Metric
from honed.tasks.text_generation.scores import MeanLikeness
from honed.tasks.text_generation.written import texts_of

REJECTED = "rejected"
"""Column of the texts that were preferred less; the key of the problem's facts that names it."""


class Preferred(str):
    """A text that is wanted, which knows the one that it was preferred to; a plain text in all else."""

    __slots__ = ("rejected",)
    rejected: str

    def __new__(cls, text: str, rejected: str) -> Preferred:
        """The text itself."""
        found = super().__new__(cls, text)
        found.rejected = rejected
        return found

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """What a copy is made of."""
        return str(self), self.rejected


class NearerPreferred(MeanLikeness):
    """Share of written texts that are more like the preferred text than like the other (chrF); half for neither."""

    def rows(self, targets: Array, given: Array) -> Array:
        """1, a half or 0 for each row; a row that names no other text counts by how like it is."""
        pairs = zip(targets, texts_of(given), strict=True)
        return np.array(
            [like if unlike is None else 0.5 * ((like > unlike) + (like >= unlike)) for like, unlike in _both(pairs)],
            dtype=float,
        )


def _both(pairs: Iterable[tuple[str, str]]) -> list[tuple[float, float | None]]:
    """Likeness of each text to the one that is wanted, and to the other where there is one."""
    found: list[tuple[float, float | None]] = []
    for wanted, text in pairs:
        other = getattr(wanted, REJECTED, None)
        found.append((texts.chrf(str(wanted), text), None if other is None else texts.chrf(other, text)))
    return found


class LikePreferred(MeanLikeness):
    """Likeness to the preferred text, 0 where the other text is nearer: one text for every row does not satisfy it."""

    def rows(self, targets: Array, given: Array) -> Array:
        """chrF of each row, 0 to 1, times whether it is nearer to what is preferred."""
        pairs = zip(targets, texts_of(given), strict=True)
        return np.array([like * (unlike is None or like > unlike) for like, unlike in _both(pairs)], dtype=float)


LIKE_PREFERRED = Metric(
    "preferred_chrf", "likeness to what is preferred (chrF, 0 where nearer to the other)", LikePreferred(texts.chrf)
)
PREFERRED = Metric("preferred", "nearer to what is preferred", NearerPreferred(texts.chrf))


def with_rejected(found: Array, rejected: Sequence[str]) -> Array:
    """Targets that know what they were preferred to; those without another text are as good as missing."""
    for row, other in enumerate(rejected):
        if found[row] is not None:
            found[row] = Preferred(found[row], other) if other.strip() else None
    return found
