"""95 % intervals: how far a figure could be off because only so many rows were looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Score = Callable[[Array, Array], float]
N_RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(hits: float, n: int, z: float = 1.959964) -> Interval:
    """Share of hits with the interval of Wilson (1927), sound for small n and shares near 0 or 1."""
    if n == 0:
        return Interval(0.0, 0.0, 1.0)
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else float(max(0.0, middle - half))
    return Interval(share, low, 1.0 if hits == n else float(min(1.0, middle + half)))


def bootstrap_interval(
    score: Score, targets: Array, predicted: Array, *, n: int = N_RESAMPLES, seed: int = 0
) -> Interval:
    """A score with its percentile bootstrap interval; rows are drawn with replacement (Efron, 1979).

    For plain shares of right rows (accuracy) the exact Wilson interval is used, for it costs nothing. A score may bring an
    interval of its own as ``score.interval(targets, predicted, n=, seed=)``.
    """
    own = getattr(score, "interval", None)
    if own is not None:
        found: Interval = own(targets, predicted, n=n, seed=seed)
        return found
    value = score(targets, predicted)
    if len(targets) == 0 or not np.isfinite(value):
        return Interval(value, value, value)
    if getattr(score, "__name__", "") == "accuracy":
        return wilson(float((targets == predicted).sum()), len(targets))
    resamples = np.array([score(targets[rows], predicted[rows]) for rows in _resamples(len(targets), n, seed)])
    low, high = np.nanpercentile(resamples, [2.5, 97.5])
    if (
        low == high and targets.dtype.kind in "iub" and value in (0.0, 1.0)
    ):  # without a mistake resamples all look alike
        return wilson(value * len(targets), len(targets))
    return Interval(value, float(min(low, value)), float(max(high, value)))


def paired_difference(
    score: Score, targets: Array, first: Array, second: Array, *, n: int = N_RESAMPLES, seed: int = 0
) -> Interval:
    """Score of ``first`` minus score of ``second`` on the same rows, with its bootstrap interval or, where the score has it,
    that of ``score.difference(targets, first, second, n=, seed=)``."""
    own = getattr(score, "difference", None)
    if own is not None:
        difference: Interval = own(targets, first, second, n=n, seed=seed)
        return difference
    value = score(targets, first) - score(targets, second)
    if len(targets) == 0 or not np.isfinite(value):
        return Interval(value, value, value)
    rows_of = _resamples(len(targets), n, seed)
    found = np.array([score(targets[rows], first[rows]) - score(targets[rows], second[rows]) for rows in rows_of])
    return around(value, found)


def around(value: float, resamples: Array) -> Interval:
    """A figure with the middle 95 % of its resamples; the interval always holds the figure itself."""
    low, high = np.nanpercentile(resamples, [2.5, 97.5])
    return Interval(value, float(min(low, value)), float(max(high, value)))


def draws(size: int, n: int = N_RESAMPLES, seed: int = 0) -> Array:
    """How often each of ``size`` rows is drawn in each resample, int (size, resamples)."""
    return np.stack([np.bincount(rows, minlength=size) for rows in _resamples(size, n, seed)], axis=1)


def mean_interval(rows: Array, *, n: int = N_RESAMPLES, seed: int = 0) -> Interval:
    """The mean of numbers, one a row, with its bootstrap interval; without rows there is none."""
    if not len(rows):
        return Interval(float("nan"), float("nan"), float("nan"))
    return around(float(rows.mean()), rows @ draws(len(rows), n, seed) / len(rows))


def unpaired_difference(first: Interval, second: Interval) -> Interval:
    """First minus second for figures of different rows, from their intervals taken as normal and independent."""
    value = first.value - second.value
    low = value - np.hypot(first.value - first.low, second.high - second.value)
    high = value + np.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, float(low), float(high))


def _resamples(size: int, n: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    draws = n if size <= 20_000 else max(200, n * 20_000 // size)
    return (rng.integers(0, size, size) for _ in range(draws))
