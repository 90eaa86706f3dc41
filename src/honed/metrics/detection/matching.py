"""Which detection found which object: COCO's matching, for all pictures, classes and thresholds at once.

Every figure about a detector follows from the matches. They are computed once; figures of any choice of pictures, such as
a resample or a slice, are then sums over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from honed.metrics.detection.data import Array, Detections, Overlap, Truths, box_area, check_pair
from honed.metrics.detection.overlap import Pairs, mask_area, overlapping

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""The overlaps from which a detection counts as right: 0.50, 0.55, ... 0.95."""
SIZES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Areas of objects in square pixels."""


@dataclass(frozen=True)
class Matches:
    """Detections in order (by label, then from the surest to the least sure), with what became of each.

    Parameters
    ----------
    n_pictures, labels
        As in :class:`Truths`.
    thresholds : tuple of T floats
        Overlaps from which a detection counts.
    source : int array (n,)
        Index of each detection in the :class:`Detections`.
    picture, label, score : arrays (n,)
    hit, ignored : bool arrays (n, T)
        Right; or neither right nor wrong. The others are false.
    truth : int array (n, T)
        Index of the object it was matched with, -1 for none.
    truth_picture, truth_label : int arrays (k,)
        Picture and label of every object that counts.
    """

    n_pictures: int
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    source: Array
    picture: Array
    label: Array
    score: Array
    hit: Array
    ignored: Array
    truth: Array
    truth_picture: Array
    truth_label: Array

    def of_label(self, label: int) -> slice:
        """Where the detections of a label stand."""
        first, last = np.searchsorted(self.label, [label, label + 1])
        return slice(int(first), int(last))

    def n_truths(self) -> Array:
        """Number of objects of every label, int (labels,)."""
        return np.bincount(self.truth_label, minlength=len(self.labels))

    def on(self, pictures: Array) -> Matches:
        """The matches on these pictures only, for a slice of the data; they are counted anew from 0.

        Parameters
        ----------
        pictures : bool array (pictures,)
        """
        chosen = np.asarray(pictures, dtype=bool)
        number = np.cumsum(chosen) - 1
        rows, objects = chosen[self.picture], chosen[self.truth_picture]
        names = ("source", "label", "score", "hit", "ignored", "truth")
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in names},
            n_pictures=int(chosen.sum()),
            picture=number[self.picture[rows]],
            truth_picture=number[self.truth_picture[objects]],
            truth_label=self.truth_label[objects],
        )


def match(
    truth: Truths,
    found: Detections,
    *,
    iou: Overlap = "box",
    size: str = "all",
    thresholds: Sequence[float] = THRESHOLDS,
    most: int = 100,
) -> Matches:
    """Match detections with objects, the surest first, each with the free object of its label that it overlaps most.

    Parameters
    ----------
    iou : "box" or "mask"
        What is compared.
    size : "all", "small", "medium" or "large"
        Objects of other sizes, and false detections of other sizes, do not count.
    thresholds : sequence of float
    most : int
        Only so many detections of a label on a picture are looked at.

    Raises
    ------
    DataError [D082, D084]
        The two are not about the same pictures and labels; masks are absent.
    """
    check_pair(truth, found, iou)
    low, high = SIZES[size]
    passed_over = truth.crowd | (truth.area < low) | (truth.area > high)
    rank = ranks(found)
    pairs = overlapping(truth, found, iou, at_least=min(thresholds))
    pairs = pairs.where(rank[pairs.found] < most)
    chosen = _assign(pairs, rank, passed_over, truth.crowd, np.minimum(thresholds, 1 - 1e-10), len(found))
    matched = chosen >= 0
    beside = matched & np.append(passed_over, False)[chosen]
    areas = box_area(found.boxes) if iou == "box" or found.masks is None else mask_area(found.masks)
    elsewhere = (areas < low) | (areas > high)
    order = np.lexsort((found.picture, -found.score, found.label))
    order = order[rank[order] < most]
    return Matches(
        truth.n_pictures, truth.labels, tuple(thresholds), order,
        found.picture[order], found.label[order], found.score[order],
        hit=(matched & ~beside)[order], ignored=(beside | (~matched & elsewhere[:, None]))[order], truth=chosen[order],
        truth_picture=truth.picture[~passed_over], truth_label=truth.label[~passed_over],
    )  # fmt: skip


def ranks(found: Detections) -> Array:
    """Place of each detection among those of its label on its picture, by falling score from 0, int (n,)."""
    order = np.lexsort((-found.score, found.label, found.picture))
    picture, label = found.picture[order], found.label[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(picture) != 0) | (np.diff(label) != 0)
    starts = np.flatnonzero(new)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - starts[np.cumsum(new) - 1]
    return rank


def _assign(pairs: Pairs, rank: Array, passed_over: Array, crowd: Array, thresholds: Array, n: int) -> Array:
    """The object of every detection at every threshold, or -1, int (n, T).

    Detections of the same rank belong to different pictures or labels and cannot want the same object, so each rank is
    one step for all of them.
    """
    chosen = np.full((n, len(thresholds)), -1, dtype=np.int64)
    taken = np.zeros((len(crowd), len(thresholds)), dtype=bool)
    order = np.lexsort((-pairs.truth, -pairs.value, passed_over[pairs.truth], pairs.found, rank[pairs.found]))
    pairs = Pairs(pairs.found[order], pairs.truth[order], pairs.value[order])
    for step in np.split(np.arange(len(order)), np.flatnonzero(np.diff(rank[pairs.found])) + 1):
        if len(step):
            _one_step(pairs.where(step), crowd, thresholds, chosen, taken)
    return chosen


def _one_step(pairs: Pairs, crowd: Array, thresholds: Array, chosen: Array, taken: Array) -> None:
    """Give each detection the first of its pairs, which stand best first, whose object is free."""
    free = ~taken[pairs.truth] | crowd[pairs.truth][:, None]
    usable = free & (pairs.value[:, None] >= thresholds)
    starts = np.flatnonzero(np.diff(pairs.found, prepend=-1))
    none = len(pairs.found)
    place = np.where(usable, np.arange(none)[:, None], none)
    first = np.minimum.reduceat(place, starts, axis=0)
    rows, columns = np.nonzero(first < none)
    objects = pairs.truth[first[rows, columns]]
    chosen[pairs.found[starts][rows], columns] = objects
    taken[objects, columns] = True
