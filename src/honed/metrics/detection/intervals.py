"""95 % intervals of average precision, and of the difference between two detectors, by a bootstrap over pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from honed.errors import DataError
from honed.metrics.detection.averages import average_precision, mean_over_labels
from honed.metrics.detection.data import Array
from honed.metrics.detection.matching import Matches
from honed.metrics.intervals import Interval, wilson

N_RESAMPLES = 1000
BIAS_SEEN = np.sqrt(2) - 1
"""How much of the bias of average precision a bootstrap shows, see :func:`ap_intervals`."""


@dataclass(frozen=True)
class ApIntervals:
    """Average precision with 95 % intervals: over all overlaps, at 0.50, at 0.75, and by label (NaN without objects)."""

    ap: Interval
    ap50: Interval
    ap75: Interval
    by_label: tuple[Interval, ...]
    ap50_by_label: tuple[Interval, ...]


@dataclass(frozen=True)
class ApDifference:
    """Average precision of a first detector minus that of a second, with 95 % intervals; surely better above 0."""

    ap: Interval
    ap50: Interval
    ap75: Interval


def ap_intervals(matches: Matches, *, n: int | None = None, seed: int = 0) -> ApIntervals:
    """Average precision as COCO computes it, with how far it may lie from that on very many pictures of the same kind.

    Pictures, not objects, are drawn with replacement: objects on one picture are alike.

    Parameters
    ----------
    matches : Matches
        Of :func:`match` with COCO's ten thresholds.
    n : int, optional
        Resamples; 1000, fewer for more than 2000 pictures, where an interval needs fewer.
    seed : int

    Notes
    -----
    Average precision is too high on few pictures, because its envelope keeps the best of noisy precisions. That bias falls
    with the root of the number of pictures. A resample has the noise of the sample once more, so a bootstrap shows
    sqrt(2) - 1 of the bias; the interval is moved by the whole of it, and widened to hold the figure itself where it does not.
    Plain percentiles do not hold the true value in up to 8 of 10 cases (20 labels, 200 pictures).

    References
    ----------
    Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapters 10 and 13.
    """
    size = matches.n_pictures
    table = average_precision(matches, _weights(size, n, seed))
    columns = [_figures(table, t) for t in (slice(None), slice(0, 1), slice(5, 6))]
    ap, ap50, ap75 = (_interval(column, size) for column in columns)
    labels = range(len(matches.labels))
    by_label = tuple(_interval(table[:, k].mean(axis=0), size) for k in labels)
    return ApIntervals(ap, ap50, ap75, by_label, tuple(_interval(table[0, k], size) for k in labels))


def ap_difference(first: Matches, second: Matches, *, n: int | None = None, seed: int = 0) -> ApDifference:
    """How much better the first detector is than the second on the same pictures; the same resamples serve both.

    The bias of the two is alike and goes away in the difference; taking it off would only add noise
    (``benchmarks/detection_intervals.py``).

    Raises
    ------
    DataError [D085]
        The matches are not about the same objects.
    """
    same = first.n_pictures == second.n_pictures and first.labels == second.labels
    same = same and np.array_equal(first.truth_picture, second.truth_picture)
    if not same or not np.array_equal(first.truth_label, second.truth_label):
        seen = f"The first saw {len(first.truth_label)} objects on {first.n_pictures} pictures, "
        seen += f"the second {len(second.truth_label)} on {second.n_pictures}, or other ones."
        raise DataError("D085", seen, "Run both detectors on the same pictures.")
    size = first.n_pictures
    weights = _weights(size, n, seed)
    tables = average_precision(first, weights), average_precision(second, weights)
    gaps = [
        _interval(_figures(tables[0], t) - _figures(tables[1], t), size, difference=True)
        for t in (slice(None), slice(0, 1), slice(5, 6))
    ]
    return ApDifference(*gaps)


def _figures(table: Array, thresholds: slice) -> Array:
    return mean_over_labels(table[thresholds])


def _weights(size: int, n: int | None, seed: int) -> Array:
    """How often each picture counts, (pictures, 1 + n); the first column is the data itself."""
    n = n or (N_RESAMPLES if size <= 2000 else max(200, N_RESAMPLES * 2000 // size))
    weights = np.ones((size, 1 + n))
    if size:
        weights[:, 1:] = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=n).T
    return weights


def _interval(column: Array, size: int, *, difference: bool = False) -> Interval:
    """From the figure (first) and its resamples; differences are not moved, for the bias of the two goes away in them."""
    from scipy.stats import t

    bounds = (-1.0, 1.0) if difference else (0.0, 1.0)
    value, resamples = float(column[0]), column[1:][np.isfinite(column[1:])]
    if not np.isfinite(value) or len(resamples) < 2 or size < 2:
        return Interval(value, *((np.nan, np.nan) if not np.isfinite(value) else bounds))
    spread = float(resamples.std(ddof=1)) * np.sqrt(size / (size - 1))
    if spread == 0:  # resamples without any mistake, or any hit, all look alike
        return Interval(value, value, value) if difference else wilson(value * size, size)
    middle = value - (0.0 if difference else float(resamples.mean() - value) / BIAS_SEEN)
    half = float(t.ppf(0.975, size - 1)) * spread
    low, high = np.clip([min(middle - half, value), max(middle + half, value)], *bounds)
    return Interval(value, float(low), float(high))
