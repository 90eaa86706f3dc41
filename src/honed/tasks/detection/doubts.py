"""Annotations that look wrong beside what a model found: an object that nobody annotated, a box far off its object."""

from __future__ import annotations

from typing import Any

import numpy as np

from honed.networks.detection.packing import Packed, unpack
from honed.tasks.answers import Array
from honed.tasks.detection.shapes import Shapes
from honed.tasks.judging import Doubt

FREE, NEAR, SAME = 0.2, 0.15, 0.5
"""Overlaps (intersection over union) below which nothing is annotated in a place, from which a box is beside the object
rather than elsewhere, and from which it is the object's."""
SURE = {"missing": 0.55, "box": 0.5}
"""Scores from which the model is believed rather than the annotation, by what it doubts."""
CONFIRMED = 0.25
"""Score from which an annotation counts as found where it stands."""


def doubts(truth: Array, given: Array, labels: tuple[str, ...]) -> list[Doubt]:
    """What looks wrong in the annotations (:class:`Shapes`) of pictures, beside decided answers (packed rows).

    A model that has learnt from a wrong annotation tends to repeat it, so that what it still contradicts is worth a look.
    """
    packed, found = unpack(np.asarray(given)), []
    for row, target in enumerate(truth):
        if target is not None:
            found += _of_picture(row, target, packed, labels)
    return sorted(found, key=lambda doubt: -doubt.weight)


def _of_picture(row: int, target: Shapes, packed: Packed, labels: tuple[str, ...]) -> list[Doubt]:
    there = np.flatnonzero(packed.there[row])
    boxes, scores, names = packed.boxes[row][there], packed.scores[row][there], packed.labels[row][there]
    overlap = overlaps(boxes, target.boxes)
    same = names[:, None] == target.labels[None]
    confirmed = ((overlap >= SAME) & same & (scores[:, None] >= CONFIRMED)).any(axis=0)
    open_ones = ~confirmed & ~target.crowd & (target.labels >= 0)
    found, seen = [], np.zeros((0, 4))
    for k in np.argsort(-scores, kind="stable"):
        kind = _kind(overlap[k], same[k] & open_ones, float(scores[k]))
        if not kind or overlaps(boxes[k : k + 1], seen).max(initial=0.0) >= 0.3:
            continue
        seen = np.concatenate([seen, boxes[k : k + 1]])
        found.append(Doubt(row, kind, _told(kind, labels[names[k]], float(scores[k]), boxes[k]), float(scores[k])))
    return found


def _kind(overlap: Array, lost: Array, score: float) -> str:
    """What a found object says against the annotations, "" for nothing; ``lost`` are those of its label that were not found."""
    best = int(overlap.argmax()) if len(overlap) else -1
    beside = best >= 0 and lost[best] and NEAR <= overlap[best] < SAME
    kind = "box" if beside else "missing" if overlap.max(initial=0.0) < FREE else ""
    return kind if kind and score >= SURE[kind] else ""


def _told(kind: str, label: str, score: float, box: Array) -> str:
    place = "at {:.0f}, {:.0f} to {:.0f}, {:.0f}".format(*box)
    if kind == "missing":
        return f'"{label}" {place} is not annotated ({score:.2f})'
    return f'the box of "{label}" lies beside the object, which is {place} ({score:.2f})'


def overlaps(boxes: Array, others: Array) -> Array:
    """Intersection over union of boxes (n, 4) and others (m, 4): (n, m)."""
    first, second = np.asarray(boxes, dtype=np.float64)[:, None], np.asarray(others, dtype=np.float64)[None]
    shared = (np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])).clip(min=0)
    areas: Any = [(some[..., 2:] - some[..., :2]).clip(min=0).prod(axis=-1) for some in (first, second)]
    both = shared.prod(axis=-1)
    found: Array = both / np.maximum(areas[0] + areas[1] - both, 1e-9)
    return found
