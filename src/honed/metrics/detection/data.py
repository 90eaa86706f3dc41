"""Objects on many pictures, as they are (:class:`Truths`) and as a detector found them (:class:`Detections`).

All pictures stand in one flat table, ordered by picture, because everything computed from it is computed at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from honed.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
Rle = dict[str, Any]
"""A mask as COCO writes it: ``{"size": [height, width], "counts": ...}``, run lengths column by column."""
Overlap = Literal["box", "mask"]


@dataclass(frozen=True)
class Truths:
    """The objects that are really there.

    Parameters
    ----------
    n_pictures : int
        Number of pictures, those without objects included.
    labels : tuple of str
        Names of the classes.
    picture : int array (n,)
        Picture of each object, counted from 0, rising.
    boxes : float array (n, 4)
        Left, top, right, bottom in pixels.
    label : int array (n,)
        Class of each object, an index of ``labels``.
    crowd : bool array (n,)
        True for a region of many objects that nobody counted: detections inside are neither right nor wrong.
    area : float array (n,)
        Square pixels; decides whether the object is small, medium or large.
    masks : tuple of Rle, length n, or None
    """

    n_pictures: int
    labels: tuple[str, ...]
    picture: Array
    boxes: Array
    label: Array
    crowd: Array
    area: Array
    masks: tuple[Rle, ...] | None = None

    def __len__(self) -> int:
        return len(self.picture)


@dataclass(frozen=True)
class Detections:
    """What a detector found.

    Parameters
    ----------
    n_pictures : int
    picture, boxes, label, masks
        As in :class:`Truths`.
    score : float array (n,)
        How sure the detector is; only the order counts, except for calibration, which needs 0 to 1.
    """

    n_pictures: int
    picture: Array
    boxes: Array
    label: Array
    score: Array
    masks: tuple[Rle, ...] | None = None

    def __len__(self) -> int:
        return len(self.picture)

    def dealt(self, order: Array) -> Detections:
        """The same detections dealt to the pictures anew: picture i gets those of picture ``order[i]``."""
        counts = np.bincount(self.picture, minlength=self.n_pictures)
        starts = np.concatenate([[0], np.cumsum(counts)])
        rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in order]).astype(np.int64)
        masks = None if self.masks is None else tuple(self.masks[row] for row in rows)
        picture = np.repeat(np.arange(len(order)), counts[order])
        return Detections(len(order), picture, self.boxes[rows], self.label[rows], self.score[rows], masks)


def gather_truths(
    boxes: Sequence[Any],
    label: Sequence[Any],
    labels: Sequence[str],
    *,
    crowd: Sequence[Any] | None = None,
    area: Sequence[Any] | None = None,
    masks: Sequence[Sequence[Rle]] | None = None,
) -> Truths:
    """Truths from lists with one entry for each picture.

    Parameters
    ----------
    boxes : sequence of (k, 4) arrays
        Left, top, right, bottom in pixels; k may be 0.
    label : sequence of (k,) arrays
        Class indices.
    labels : sequence of str
        Names of the classes.
    crowd, area : sequence of (k,) arrays, optional
        Nothing is a crowd, and an object is as large as its box, where they are not given.
    masks : sequence of sequences of Rle, optional

    Raises
    ------
    DataError [D080, D081, D082]
        Lengths differ; a box is not a box; a class index is none of ``labels``.
    """
    picture, flat = _flat_boxes(boxes)
    index = _flat(label, picture, "labels", np.int64, len(boxes))
    _check_labels(index, len(labels))
    crowds = _flat(crowd, picture, "crowd flags", np.bool_, len(boxes))
    areas = box_area(flat) if area is None else _flat(area, picture, "areas", np.float64, len(boxes))
    outlines = _flat_masks(masks, picture, len(boxes))
    return Truths(len(boxes), tuple(labels), picture, flat, index, crowds, areas, outlines)


def gather_detections(
    boxes: Sequence[Any],
    label: Sequence[Any],
    score: Sequence[Any],
    *,
    masks: Sequence[Sequence[Rle]] | None = None,
) -> Detections:
    """Detections from lists with one entry for each picture; see :func:`gather_truths`.

    Raises
    ------
    DataError [D080, D081, D082, D083]
        Lengths differ; a box is not a box; a class index is negative; a score is not a finite number.
    """
    picture, flat = _flat_boxes(boxes)
    index = _flat(label, picture, "labels", np.int64, len(boxes))
    _check_labels(index, None)
    scores = _flat(score, picture, "scores", np.float64, len(boxes))
    if not np.isfinite(scores).all():
        raise DataError("D083", f"{_count(~np.isfinite(scores), 'score')} not a finite number.", "Give finite scores.")
    return Detections(len(boxes), picture, flat, index, scores, _flat_masks(masks, picture, len(boxes)))


def check_pair(truth: Truths, found: Detections, iou: Overlap) -> None:
    """Truth and detections are about the same pictures and classes, and have masks where masks are compared.

    Raises
    ------
    DataError [D082, D084]
    """
    if truth.n_pictures != found.n_pictures:
        seen = f"The truth is about {truth.n_pictures} pictures, the detections about {found.n_pictures}."
        raise DataError("D082", seen, "Give one list for each picture on both sides.")
    _check_labels(found.label, len(truth.labels))
    if iou == "mask" and (truth.masks is None or found.masks is None):
        side = "The truth has" if truth.masks is None else "The detections have"
        raise DataError("D084", f"{side} no masks.", 'Give masks, or compare boxes with iou="box".')


def box_area(boxes: Array) -> Array:
    """Square pixels of boxes (n, 4) left, top, right, bottom."""
    area: Array = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def _flat_boxes(boxes: Sequence[Any]) -> tuple[Array, Array]:
    arrays = [np.asarray(one, dtype=np.float64).reshape(-1, 4) for one in boxes]
    picture = np.repeat(np.arange(len(arrays)), [len(one) for one in arrays])
    flat = np.concatenate(arrays) if arrays else np.zeros((0, 4))
    check_boxes(flat, picture)
    return picture, flat


def check_boxes(boxes: Array, picture: Array) -> None:
    """Raises DataError [D081] naming the first box that is none."""
    with np.errstate(invalid="ignore"):
        good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] >= boxes[:, 0]) & (boxes[:, 3] >= boxes[:, 1])
    if not good.all():
        first = int(np.flatnonzero(~good)[0])
        seen = f"{_count(~good, 'box', 'boxes')} not left, top, right, bottom: {boxes[first].tolist()}"
        raise DataError("D081", f"{seen} on picture {int(picture[first])}.", "Give finite pixels, right after left.")


def _flat(values: Sequence[Any] | None, picture: Array, what: str, kind: Any, n_pictures: int) -> Array:
    if values is None:
        return np.zeros(len(picture), dtype=kind)
    arrays = [np.asarray(one).reshape(-1) for one in values]
    _check_lengths([len(one) for one in arrays], picture, what, n_pictures)
    return np.concatenate([np.zeros(0, dtype=kind), *arrays]).astype(kind)


def _flat_masks(masks: Sequence[Sequence[Rle]] | None, picture: Array, n_pictures: int) -> tuple[Rle, ...] | None:
    if masks is None:
        return None
    _check_lengths([len(one) for one in masks], picture, "masks", n_pictures)
    return tuple(mask for one in masks for mask in one)


def _check_lengths(lengths: list[int], picture: Array, what: str, n_pictures: int) -> None:
    if len(lengths) != n_pictures:
        seen = f"There are boxes of {n_pictures} pictures and {what} of {len(lengths)}."
        raise DataError("D080", seen, "Give one list for each picture.")
    boxes = np.bincount(picture, minlength=n_pictures)
    wrong = np.flatnonzero(boxes != np.array(lengths, dtype=np.int64))
    if len(wrong):
        first = int(wrong[0])
        seen = f"Picture {first} has {boxes[first]} boxes and {lengths[first]} {what}."
        raise DataError("D080", seen, "Give one for each box.")


def _check_labels(label: Array, n_labels: int | None) -> None:
    wrong = (label < 0) | ((label >= n_labels) if n_labels is not None else False)
    if wrong.any():
        seen = f"Label {int(label[wrong][0])} is none of {n_labels or 'the'} labels, counted from 0."
        raise DataError("D082", seen, "Use the same list of labels on both sides.")


def _count(wrong: Array, one: str, many: str | None = None) -> str:
    n = int(wrong.sum())
    return f"{n} {one} is" if n == 1 else f"{n} {many or one + 's'} are"
