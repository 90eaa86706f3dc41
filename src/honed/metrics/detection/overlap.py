"""How much boxes or masks of the same picture cover each other: intersection over union, for all pairs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from honed.metrics.detection.data import Array, Detections, Overlap, Truths, box_area

MOST_PAIRS = 4_000_000
"""Pairs computed at a time, which bounds the memory to a few hundred MiB."""


@dataclass(frozen=True)
class Pairs:
    """Detections and objects on the same picture that overlap: their indices and by how much (0 to 1), each (n,)."""

    found: Array
    truth: Array
    value: Array

    def where(self, keep: Array) -> Pairs:
        """Those pairs for which ``keep`` is true."""
        return Pairs(self.found[keep], self.truth[keep], self.value[keep])


def overlapping(truth: Truths, found: Detections, iou: Overlap, *, at_least: float, same_label: bool = True) -> Pairs:
    """All pairs on the same picture (and of the same label) with an overlap of ``at_least``.

    The overlap with a crowd region is the share of the detection inside it, as COCO defines it.
    """
    parts = [
        _kept(rows, objects, _overlap(truth, found, rows, objects, iou), at_least)
        for rows, objects in _on_one_picture(truth, found, same_label)
    ]
    none = np.zeros(0, dtype=np.int64)
    parts.append(Pairs(none, none, np.zeros(0)))
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("found", "truth", "value")))


def _kept(rows: Array, objects: Array, value: Array, at_least: float) -> Pairs:
    return Pairs(rows, objects, value).where(value >= at_least)


def _on_one_picture(truth: Truths, found: Detections, same_label: bool) -> list[tuple[Array, Array]]:
    """Index pairs, in portions of at most about MOST_PAIRS."""
    step = len(truth.labels) if same_label else 1
    of_truth = truth.picture * step + (truth.label if same_label else 0)
    of_found = found.picture * step + (found.label if same_label else 0)
    order = np.argsort(of_truth, kind="stable")
    first, last = (np.searchsorted(of_truth[order], of_found, side) for side in ("left", "right"))
    rows = np.flatnonzero(last > first)
    n = (last - first)[rows]
    portions = np.split(rows, np.flatnonzero(np.diff(np.cumsum(n) // MOST_PAIRS)) + 1) if len(rows) else []
    return [_expand(portion, first[portion], (last - first)[portion], order) for portion in portions]


def _expand(rows: Array, first: Array, n: Array, order: Array) -> tuple[Array, Array]:
    """Every row with each of its ``n`` objects, which stand in ``order`` from ``first``."""
    ends = np.cumsum(n)
    within = np.arange(ends[-1]) - np.repeat(ends - n, n)
    return np.repeat(rows, n), order[np.repeat(first, n) + within]


def _overlap(truth: Truths, found: Detections, rows: Array, objects: Array, iou: Overlap) -> Array:
    if iou == "mask":
        return _of_masks(truth, found, rows, objects)
    return _of_boxes(found.boxes[rows], truth.boxes[objects], truth.crowd[objects])


def _of_boxes(found: Array, truth: Array, crowd: Array) -> Array:
    """Overlap of boxes, pair by pair, with the very arithmetic of COCO (left + width, not right)."""
    sides = []
    for axis in (0, 1):
        size_a, size_b = found[:, axis + 2] - found[:, axis], truth[:, axis + 2] - truth[:, axis]
        end = np.minimum(found[:, axis] + size_a, truth[:, axis] + size_b)
        sides.append(np.maximum(end - np.maximum(found[:, axis], truth[:, axis]), 0.0))
    both = sides[0] * sides[1]
    area = box_area(found)
    union = np.where(crowd, area, area + box_area(truth) - both)
    result: Array = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return result


def _of_masks(truth: Truths, found: Detections, rows: Array, objects: Array) -> Array:
    """Overlap of masks, pair by pair; pairs with the same detections and objects are computed as one block."""
    from faster_coco_eval import mask

    assert truth.masks is not None and found.masks is not None
    value = np.zeros(len(rows))
    picture = found.picture[rows]
    order = np.argsort(picture, kind="stable")
    for block in np.split(order, np.flatnonzero(np.diff(picture[order])) + 1):
        if len(block):
            a, in_a = np.unique(rows[block], return_inverse=True)
            b, in_b = np.unique(objects[block], return_inverse=True)
            crowd = truth.crowd[b].astype(int).tolist()
            table = mask.iou([found.masks[i] for i in a], [truth.masks[i] for i in b], crowd)
            value[block] = np.asarray(table)[in_a, in_b]
    return value


def mask_area(masks: tuple[dict[str, object], ...]) -> Array:
    """Square pixels of run-length encoded masks, (n,)."""
    from faster_coco_eval import mask

    return np.asarray(mask.area(list(masks)), dtype=np.float64) if masks else np.zeros(0)
