"""From which score on a detection is shown: the threshold of each label that costs least, and the curve behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from honed.metrics.detection.data import Array
from honed.metrics.detection.matching import Matches

MIN_OBJECTS = 5


@dataclass(frozen=True)
class OperatingPoint:
    """What happens when detections of a label with a score of ``threshold`` or more are shown and the others are not.

    Parameters
    ----------
    label : str
    threshold : float
    precision : float
        Share of the shown that are right; 1 where nothing is shown.
    recall : float
        Share of the objects that are found; NaN without objects.
    f1 : float
    hits, false, missed : int
    cost : float
        ``missed`` times the cost of a missed object plus ``false`` times the cost of a false detection.
    own : bool
        False where the label had too few objects and took the threshold of all labels together.
    """

    label: str
    threshold: float
    precision: float
    recall: float
    f1: float
    hits: int
    false: int
    missed: int
    cost: float
    own: bool


@dataclass(frozen=True)
class Curve:
    """Precision and recall when everything with at least this score is shown; three arrays (n,), scores falling."""

    score: Array
    precision: Array
    recall: Array


def operating_points(
    matches: Matches, *, miss_cost: float | Sequence[float] = 1.0, false_cost: float | Sequence[float] = 1.0,
    least: int = MIN_OBJECTS,
) -> list[OperatingPoint]:  # fmt: skip
    """The threshold of each label with the smallest cost on these (validation) pictures, at the first overlap (0.5).

    Parameters
    ----------
    matches : Matches
        Of validation pictures. Figures at thresholds that were chosen on the same pictures are a little too good.
    miss_cost, false_cost : float, or one for each label
        What a missed object costs against a false detection.
    least : int
        A label with fewer objects takes the threshold that is best for all labels together.

    Notes
    -----
    The threshold lies half-way between the last score that is shown and the first that is not.
    """
    n = len(matches.labels)
    misses, falses = (np.broadcast_to(np.asarray(cost, dtype=np.float64), (n,)) for cost in (miss_cost, false_cost))
    counts = matches.n_truths()
    score, hit, label = _counted(matches)
    order = np.argsort(-score, kind="stable")
    together = _cheapest(score[order], (hit * misses[label])[order], ((1 - hit) * falses[label])[order])
    points = []
    for k in range(n):
        mine = label == k
        own = counts[k] >= least
        threshold = _cheapest(score[mine], hit[mine] * misses[k], (1 - hit[mine]) * falses[k]) if own else together
        points.append(_point(matches, k, threshold, (float(misses[k]), float(falses[k])), bool(own)))
    return points


def point_at(
    matches: Matches, label: int, threshold: float, *, miss_cost: float = 1.0, false_cost: float = 1.0
) -> OperatingPoint:
    """What a given threshold means for a label, for example on test pictures."""
    return _point(matches, label, threshold, (miss_cost, false_cost), True)


def precision_recall(matches: Matches, label: int, *, threshold: int = 0, most: int = 200) -> Curve:
    """The curve of a label for plots, at most ``most`` points.

    Parameters
    ----------
    threshold : int
        Which of the thresholds of overlap, 0 for 0.50.
    """
    rows = matches.of_label(label)
    counts = ~matches.ignored[rows, threshold]
    score, hit = matches.score[rows][counts], matches.hit[rows, threshold][counts]
    last = np.flatnonzero(np.diff(score, append=-np.inf) != 0)
    right = np.cumsum(hit)[last]
    n_truths = int(matches.n_truths()[label])
    recall = right / n_truths if n_truths else np.full(len(last), np.nan)
    chosen = np.unique(np.linspace(0, len(last) - 1, min(most, len(last))).round().astype(int))
    return Curve(score[last][chosen], (right / (last + 1))[chosen], recall[chosen])


def _counted(matches: Matches) -> tuple[Array, Array, Array]:
    """Score, 0/1 hit and label of the detections that are right or wrong at the first overlap."""
    counts = ~matches.ignored[:, 0]
    return matches.score[counts], matches.hit[counts, 0].astype(np.float64), matches.label[counts]


def _cheapest(score: Array, won: Array, lost: Array) -> float:
    """The threshold with the smallest sum of ``lost`` of the shown minus ``won`` of the shown; scores are falling.

    Of several the one that shows most, because the next pictures have their objects too; nothing is shown above 1 or the
    highest score.
    """
    if not len(score):
        return 0.5
    ends = np.flatnonzero(np.diff(score, append=-np.inf) != 0)
    cost = np.concatenate([[0.0], np.cumsum(lost - won)[ends]])
    best = int(np.flatnonzero(cost <= cost.min() + 1e-9)[-1])
    levels = np.concatenate([[max(1.0, float(score[0])) + 1e-6], score[ends], [min(0.0, float(score[-1]))]])
    return float((levels[best] + levels[best + 1]) / 2) if best else float(levels[0])


def _point(matches: Matches, label: int, threshold: float, costs: tuple[float, float], own: bool) -> OperatingPoint:
    rows = matches.of_label(label)
    shown = (matches.score[rows] >= threshold) & ~matches.ignored[rows, 0]
    hits = int((shown & matches.hit[rows, 0]).sum())
    false, n = int(shown.sum()) - hits, int(matches.n_truths()[label])
    missed = n - hits
    precision = hits / (hits + false) if hits + false else 1.0
    f1 = 2 * hits / (2 * hits + false + missed) if hits + false + missed else float("nan")
    cost = missed * costs[0] + false * costs[1]
    recall = hits / n if n else float("nan")
    return OperatingPoint(matches.labels[label], threshold, precision, recall, f1, hits, false, missed, cost, own)
