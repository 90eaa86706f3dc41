"""Objects cut out of their pictures, and what the frozen backbone of a finder sees of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from honed.data.pictures import in_threads, open_picture
from honed.errors import DataError
from honed.networks.engine import features_of
from honed.tasks.answers import Array
from honed.tasks.contract import Input, ShownLabels
from honed.tasks.detection.shapes import Shapes

SIDE, LEAST, AROUND, MOST = 64, 8.0, 0.1, 5000
"""Pixels of the square on which a cutting is looked at; of the shorter side of objects that are looked at; how much of the
picture around an object is seen with it, as a share of its sides; objects at most."""


def cut_out(network: Any, inputs: Sequence[Input], targets: Array, seed: int = 0) -> ShownLabels:
    """Features of every object (of up to ``MOST`` drawn by lot); crowds, tiny objects and unknown labels are left out."""
    from honed.networks.detection.canvas import Canvas
    from honed.networks.detection.picture_finder import PictureFinder

    rows, which = _chosen(targets, seed)

    def of_row(row: int) -> list[Array]:
        return _cuttings(inputs[row], targets[row], which[rows == row])

    cut = [one for found in in_threads(of_row, np.unique(rows).tolist()) for one in found]
    canvas = Canvas(SIDE, SIDE).in_multiples(network.finder.multiple)
    small = PictureFinder(network.finder, canvas, False)
    features = features_of(small, [(_bytes(one),) for one in cut])
    labels = np.array([targets[row].labels[k] for row, k in zip(rows, which, strict=True)], dtype=np.int64)
    places = tuple(_place(targets[row].boxes[k]) for row, k in zip(rows, which, strict=True))
    return ShownLabels(features, labels, rows, places)


def _chosen(targets: Array, seed: int) -> tuple[Array, Array]:
    """Rows and positions within them, in order."""
    pairs = [(row, k) for row, target in enumerate(targets) if target is not None for k in _seen(target)]
    if len(pairs) > MOST:
        stay = np.sort(np.random.default_rng(seed).choice(len(pairs), MOST, replace=False))
        pairs = [pairs[position] for position in stay]
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _seen(target: Shapes) -> list[int]:
    sides = (target.boxes[:, 2:] - target.boxes[:, :2]).min(axis=1, initial=np.inf)
    found: list[int] = np.flatnonzero((sides >= LEAST) & ~target.crowd & (target.labels >= 0)).tolist()
    return found


def _cuttings(row: Input, target: Shapes, which: Array) -> list[Array]:
    """The objects of one picture; grey squares where it cannot be opened."""
    try:
        picture = open_picture(row[0])
    except DataError:
        return [np.full((SIDE, SIDE, 3), 127, dtype=np.uint8)] * len(which)
    return [_cut(picture, target.boxes[k]) for k in which]


def _cut(picture: Array, box: Array) -> Array:
    around = AROUND * (box[2:] - box[:2])
    left, top = np.maximum(0, np.floor(box[:2] - around)).astype(int)
    right, bottom = np.ceil(box[2:] + around).astype(int)
    found: Array = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    return found if found.size else np.full((SIDE, SIDE, 3), 127, dtype=np.uint8)


def _bytes(pixels: Array) -> bytes:
    from honed.media.picture_edits import encoded

    return encoded(pixels)


def _place(box: Array) -> str:
    left, top, right, bottom = (round(float(value)) for value in box)
    return f"at {left}, {top} to {right}, {bottom}"
