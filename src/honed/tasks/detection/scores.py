"""The figures tasks that find objects are judged by; the first decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from honed.metrics.detection.averages import average_precision, mean_over_labels
from honed.metrics.detection.intervals import ap_difference, ap_intervals
from honed.metrics.detection.matching import Matches, match
from honed.metrics.intervals import Interval, around, draws
from honed.tasks.answers import Array, Metric
from honed.tasks.detection.given import compared, matched, pair_of


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's average precision over overlaps from 0.50 to 0.95, or at 0.50 or 0.75, as a metric's score.

    Parameters
    ----------
    labels : tuple of str
    at : str
        "ap", "ap50" or "ap75".
    """

    labels: tuple[str, ...]
    at: str = "ap"

    def __call__(self, targets: Array, given: Array) -> float:
        if not len(targets):
            return float("nan")
        return self._of(matched(targets, given, self.labels))

    def _of(self, matches: Matches) -> float:
        part = {"ap": slice(None), "ap50": slice(0, 1), "ap75": slice(5, 6)}[self.at]
        found = float(mean_over_labels(average_precision(matches)[part])[0])
        return found if np.isfinite(found) else 0.0

    def dealt(self, targets: Array, given: Array) -> Callable[[Array], float]:
        """The score of the answers dealt to the pictures in another order, as a function of the order."""
        truth, found = pair_of(targets, given, self.labels)
        return lambda order: self._of(match(truth, found.dealt(order), iou=compared(found)))

    def interval(self, targets: Array, given: Array, *, n: int, seed: int) -> Interval:
        """With its 95 % interval by a bootstrap over pictures."""
        found: Interval = getattr(ap_intervals(matched(targets, given, self.labels), n=n, seed=seed), self.at)
        return found

    def difference(self, targets: Array, first: Array, second: Array, *, n: int, seed: int) -> Interval:
        """First minus second on the same pictures."""
        both = (matched(targets, given, self.labels) for given in (first, second))
        found: Interval = getattr(ap_difference(*both, n=n, seed=seed), self.at)
        return found


@dataclass(frozen=True)
class ObjectF1:
    """F1 of the objects that are told, at an overlap of 0.50."""

    labels: tuple[str, ...]

    def __call__(self, targets: Array, given: Array) -> float:
        if not len(targets):
            return float("nan")
        return float(_f1(self._sums(targets, given, np.ones((len(targets), 1))))[0])

    def interval(self, targets: Array, given: Array, *, n: int, seed: int) -> Interval:
        """With its 95 % interval by a bootstrap over pictures."""
        if not len(targets):
            return Interval(float("nan"), float("nan"), float("nan"))
        drawn = _f1(self._sums(targets, given, draws(len(targets), n, seed)))
        return around(self(targets, given), drawn)

    def difference(self, targets: Array, first: Array, second: Array, *, n: int, seed: int) -> Interval:
        """First minus second on the same pictures."""
        times = draws(len(targets), n, seed)
        one, other = (_f1(self._sums(targets, given, times)) for given in (first, second))
        return around(self(targets, first) - self(targets, second), one - other)

    def _sums(self, targets: Array, given: Array, times: Array) -> Array:
        """Right, told and true objects in all, (3, b), where each picture counts so many times (n, b)."""
        counts = told_counts(targets, given, self.labels)
        return np.stack([part.sum(axis=1) @ times for part in counts])


def _f1(sums: Array) -> Array:
    found: Array = 2 * sums[0] / np.maximum(1, sums[1] + sums[2])
    return found


def told_counts(targets: Array, given: Array, labels: tuple[str, ...]) -> tuple[Array, Array, Array]:
    """Right, told and true objects of every picture and label at an overlap of 0.50, three int arrays (n, labels)."""
    found = matched(targets, given, labels, only_told=True, thresholds=(0.5,))
    n, k = len(targets), len(labels)
    counts = ~found.ignored[:, 0]

    def table(picture: Array, label: Array) -> Array:
        return np.bincount(picture * k + label, minlength=n * k).reshape(n, k)

    right = counts & found.hit[:, 0]
    return (
        table(found.picture[right], found.label[right]),
        table(found.picture[counts], found.label[counts]),
        table(found.truth_picture, found.truth_label),
    )


def metrics_of(labels: tuple[str, ...]) -> list[Metric]:
    """Average precision decides."""
    return [
        Metric("ap", "average precision", AveragePrecision(labels)),
        Metric("ap50", "average precision at IoU 0.50", AveragePrecision(labels, "ap50")),
        Metric("ap75", "average precision at IoU 0.75", AveragePrecision(labels, "ap75")),
        Metric("object_f1", "F1 of the objects told", ObjectF1(labels)),
    ]
