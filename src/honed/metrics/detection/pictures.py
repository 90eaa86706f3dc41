"""How bad each picture is: what was missed and what was found that is not there, at the thresholds in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from honed.metrics.detection.data import Array
from honed.metrics.detection.matching import Matches


@dataclass(frozen=True)
class PictureErrors:
    """Counts of every picture, int arrays (pictures,), and what they cost together, float (pictures,)."""

    hits: Array
    false: Array
    missed: Array
    cost: Array

    def worst(self, n: int = 10) -> list[int]:
        """The pictures that cost most, the worst first; those without an error are left out."""
        order = np.argsort(-self.cost, kind="stable")[:n]
        return [int(i) for i in order if self.cost[i] > 0]

    def f1(self, chosen: Array | None = None) -> float:
        """F1 over the objects of these pictures together (all without a choice), NaN where there is nothing."""
        rows = slice(None) if chosen is None else chosen
        hits, wrong = int(self.hits[rows].sum()), int((self.false + self.missed)[rows].sum())
        return 2 * hits / (2 * hits + wrong) if hits + wrong else float("nan")


def picture_errors(
    matches: Matches,
    thresholds: Sequence[float],
    *,
    miss_cost: float | Sequence[float] = 1.0,
    false_cost: float | Sequence[float] = 1.0,
) -> PictureErrors:
    """Hits, false detections and missed objects of every picture, at the first overlap (0.5).

    Parameters
    ----------
    thresholds : sequence of float (labels,)
        The score from which a detection of each label is shown.
    miss_cost, false_cost : float, or one for each label
    """
    n_labels, n = len(matches.labels), matches.n_pictures
    misses, falses = (
        np.broadcast_to(np.asarray(cost, dtype=np.float64), (n_labels,)) for cost in (miss_cost, false_cost)
    )
    shown = (matches.score >= np.asarray(thresholds)[matches.label]) & ~matches.ignored[:, 0]
    right, wrong = shown & matches.hit[:, 0], shown & ~matches.hit[:, 0]
    hits, false = (np.bincount(matches.picture[rows], minlength=n) for rows in (right, wrong))
    missed = np.bincount(matches.truth_picture, minlength=n) - hits
    due = _sum(matches.truth_picture, misses[matches.truth_label], n)
    found = _sum(matches.picture[right], misses[matches.label[right]], n)
    cost = due - found + _sum(matches.picture[wrong], falses[matches.label[wrong]], n)
    return PictureErrors(hits, false, missed, cost)


def _sum(picture: Array, values: Array, n: int) -> Array:
    return np.bincount(picture, weights=values, minlength=n)
