"""The figures written texts are judged by: means over rows, so that intervals need each row but once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from honed.metrics import texts
from honed.metrics.intervals import Interval, mean_interval
from honed.tasks.answers import Array, Metric
from honed.tasks.text_generation.written import texts_of

CLOSED_SHARE, CLOSED_BYTES = 0.2, 80
"""Answers of which so few are different, and so short, are right or wrong; others are more or less near."""


@dataclass(frozen=True)
class MeanLikeness:
    """Mean over rows of how near the given text comes to the wanted one; targets are texts, answers packed rows."""

    likeness: Callable[[str, str], float]

    def rows(self, targets: Array, given: Array) -> Array:
        """Likeness of each row, float (n,)."""
        pairs = zip(targets, texts_of(given), strict=True)
        return np.array([self.likeness(str(wanted), text) for wanted, text in pairs], dtype=float)

    def __call__(self, targets: Array, given: Array) -> float:
        return float(self.rows(targets, given).mean()) if len(targets) else float("nan")

    def interval(self, targets: Array, given: Array, *, n: int, seed: int) -> Interval:
        """With its 95 % interval by a bootstrap over rows."""
        return mean_interval(self.rows(targets, given), n=n, seed=seed)

    def difference(self, targets: Array, first: Array, second: Array, *, n: int, seed: int) -> Interval:
        """First minus second on the same rows."""
        return mean_interval(self.rows(targets, first) - self.rows(targets, second), n=n, seed=seed)


METRICS = (
    Metric("chrf", "likeness (chrF)", MeanLikeness(texts.chrf)),
    Metric("exact_match", "exactly right", MeanLikeness(texts.exact_match)),
    Metric("token_f1", "word F1", MeanLikeness(texts.token_f1)),
    Metric("rouge_l", "ROUGE-L", MeanLikeness(texts.rouge_l)),
)


def metrics_of(deciding: str) -> list[Metric]:
    """All figures, the one that decides first."""
    return sorted(METRICS, key=lambda metric: metric.name != deciding)


def deciding(answers: list[str]) -> str:
    """Name of the figure that decides for texts like these."""
    few = len(set(answers)) <= CLOSED_SHARE * len(answers)
    short = max((len(text.encode()) for text in answers), default=0) <= CLOSED_BYTES
    return "exact_match" if few and short else "chrf"
