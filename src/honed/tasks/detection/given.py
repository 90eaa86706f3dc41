"""Packed answers as the metrics take them, and in words."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from honed.data.picture_sets.rle import text_of_mask
from honed.metrics.detection.data import Detections, Overlap, Truths, gather_detections
from honed.metrics.detection.matching import THRESHOLDS, Matches, match
from honed.networks.detection.packing import Packed, cells_of, pasted, unpack
from honed.tasks.answers import Array
from honed.tasks.detection.shapes import Targets, truths_of

_KEPT: deque[tuple[weakref.ref[Any], Any, Any]] = deque(maxlen=8)
"""What was last worked out of arrays that are still there: masks are brought to the size of their pictures once."""


def _kept(array: Any, key: Any, make: Callable[[], Any]) -> Any:
    for reference, known, value in _KEPT:
        if reference() is array and known == key:
            return value
    value = make()
    if isinstance(array, np.ndarray):
        _KEPT.append((weakref.ref(array), key, value))
    return value


def pair_of(
    targets: Targets, given: Array, labels: tuple[str, ...], *, only_told: bool = False
) -> tuple[Truths, Detections]:
    """Targets and what was found (or only what is told), with masks where answers (packed rows) have them."""
    masks = unpack(given).cells is not None
    truth = _kept(targets, (labels, masks), lambda: truths_of(targets, labels, masks))
    found = _kept(given, only_told, lambda: detections_of(unpack(given), masks, only_told=only_told))
    return truth, found


def detections_of(packed: Packed, masks: bool, *, only_told: bool = False) -> Detections:
    """All that was found (or only what is told) on every picture."""
    there = packed.told & packed.there if only_told else packed.there
    outlines = None
    if masks:
        outlines = [[_rle(packed, row, int(k)) for k in np.flatnonzero(some)] for row, some in enumerate(there)]
    return gather_detections(
        [boxes[some] for boxes, some in zip(packed.boxes, there, strict=True)],
        [labels[some] for labels, some in zip(packed.labels, there, strict=True)],
        [scores[some] for scores, some in zip(packed.scores, there, strict=True)],
        masks=outlines,
    )


def matched(
    targets: Targets, given: Array, labels: tuple[str, ...], *, only_told: bool = False,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Matches:  # fmt: skip
    """Which of the objects given (packed rows) found which of the targets; outlines are compared where answers have them."""
    truth, found = pair_of(targets, given, labels, only_told=only_told)
    return match(truth, found, iou=compared(found), thresholds=thresholds)


def compared(found: Detections) -> Overlap:
    """What overlaps are measured on: outlines where there are any, else boxes."""
    return "box" if found.masks is None else "mask"


def in_words(packed: Packed, row: int, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    """What is told of one picture: label, score and box of each object, and its mask where there are outlines."""
    answers = []
    for k in np.flatnonzero(packed.told[row] & packed.there[row]):
        score, box = float(packed.scores[row, k]), packed.boxes[row, k]
        answer = {
            "label": labels[int(packed.labels[row, k])],
            "score": round(score, 4),
            "box": [round(float(value), 1) for value in box],
        }
        if packed.cells is not None:
            answer["mask"] = _rle(packed, row, int(k))
        answers.append(answer)
    return answers


def _rle(packed: Packed, row: int, k: int) -> dict[str, Any]:
    assert packed.cells is not None
    height, width = (int(value) for value in packed.size[row])
    mask = pasted(cells_of(packed.cells[row, k : k + 1])[0], packed.boxes[row, k], (height, width))
    return {"size": [height, width], "counts": text_of_mask(mask)}


def as_given(targets: Targets, like: Array) -> Array:
    """Targets as if a model had told them all with a score of 1, packed like given rows: the perfect answer."""
    from honed.networks.detection.packing import SCORE, TOLD, packed_cells, width_of

    masks = np.asarray(like).shape[1] == width_of(True)
    rows = np.zeros((len(targets), width_of(masks)), dtype=np.float32)
    packed = unpack(rows)
    for row, target in enumerate(targets):
        keep = np.flatnonzero((target.labels >= 0) & ~target.crowd)[: packed.objects.shape[1]]
        packed.size[row] = target.size
        packed.objects[row, : len(keep), :SCORE] = target.boxes[keep]
        packed.objects[row, : len(keep), SCORE] = 1.0
        packed.objects[row, : len(keep), SCORE + 1] = target.labels[keep]
        packed.objects[row, : len(keep), TOLD] = 1.0
        if packed.cells is not None and len(keep):
            small = target.cells()[keep].reshape(len(keep), 28, 2, 28, 2).mean(axis=(2, 4)) >= 128
            packed.cells[row, : len(keep)] = packed_cells(small)
    return rows
