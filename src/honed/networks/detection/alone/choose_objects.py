"""From what the network says of every place to objects, one row of numbers a picture. Written by Honed.

A row holds height and width of the picture, then ``MOST`` objects, the surest first: left, top, right, bottom in pixels,
score, label, a number that is not used here, and for outlines 28 x 28 cells, 16 to a number.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .boxes import LEAST_SIDE, MOST, apart, cut, moved, sigmoid, softmax, spread
from .outlines import outlines
from .two_stages import of_regions
from .two_stages import outlines as outlines_of_regions

Array = np.ndarray[Any, np.dtype[Any]]
Facts = dict[str, Any]
FIELDS, BITS = 7, 16


def settle(numbers: Array, size: Array, facts: Facts, arrays: Any) -> Array:
    """Rows of objects for each picture.

    Parameters
    ----------
    numbers : array (n, l)
        What the network gives.
    size : array (n, 2)
        Height and width of the pictures as they came.
    facts, arrays
        Contents of ``objects.json`` and ``objects.npz``.
    """
    shapes = [tuple(shape) for shape in facts["shapes"]]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    rows = []
    for row, (height, width) in zip(numbers, size.tolist(), strict=True):
        parts = [part.reshape(shape) for part, shape in zip(np.split(row, ends), shapes, strict=True)]
        boxes, scores, labels, places = KINDS[facts["kind"]](parts, facts, arrays)
        kept = np.arange(len(boxes))
        if facts["most_overlap"] is not None:
            kept = apart(boxes, scores, labels, facts["most_overlap"])
        kept = kept[:MOST]
        cells = None
        if facts["masks"]:
            cells = outlined(parts, boxes[kept], labels[kept], places[kept], facts, arrays)
        rows.append(packed((height, width), boxes[kept], scores[kept], labels[kept], cells, facts))
    return np.stack(rows)


def of_places(parts: list[Array], facts: Facts, arrays: Any) -> tuple[Array, ...]:
    """The small detector: objectness, classes and boxes of every place."""
    classes, scores = sigmoid(parts[1]), sigmoid(parts[0])
    labels = classes.argmax(axis=1)
    if classes.shape[1] > 1:
        scores = scores * classes.max(axis=1)
    order = np.argsort(-scores, kind="stable")[: facts["candidates"]]
    boxes = cut(parts[2][order], facts)
    stay = (scores[order] >= facts["least_score"]) & ((boxes[:, 2:] - boxes[:, :2]) > LEAST_SIDE).all(axis=1)
    places = order[stay]
    return boxes[stay], scores[places], labels[places], places


def of_anchors(parts: list[Array], facts: Facts, arrays: Any) -> tuple[Array, ...]:
    """RetinaNet, FCOS and SSD: logits and shifts of every anchor."""
    if facts["kind"] == "ssd":
        shares = softmax(parts[0])[:, 1:]
        groups = [(0, shares[:, [label]], label) for label in range(shares.shape[1])]
    else:
        shares = sigmoid(parts[0])
        if facts["kind"] == "fcos":
            shares = np.sqrt(shares * sigmoid(parts[2]))
        ends = np.cumsum(facts["levels"]).tolist()
        groups = [(b - n, shares[b - n : b], 0) for b, n in zip(ends, facts["levels"], strict=True)]
    found = [likeliest(part, facts, first, label) for first, part, label in groups]
    places, labels, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    boxes = DECODERS.get(facts["kind"], moved)(parts[1][places], arrays["anchors"][places], facts)
    return boxes if facts.get("cut_last") else cut(boxes, facts), scores, labels, places


def of_queries(parts: list[Array], facts: Facts, arrays: Any) -> tuple[Array, ...]:
    """The DETR family: logits, and middles and sides of boxes as shares of the canvas, of every query.

    One logit more than there are classes means "no object": then a query tells its likeliest class, else perhaps several.
    """
    logits, n = parts[0], facts["labels"]
    if logits.shape[1] > n:
        shares = softmax(logits)[:, :n]
        scores, labels, query = shares.max(axis=1), shares.argmax(axis=1), np.arange(len(shares))
    else:
        scores, every = sigmoid(logits).ravel(), np.arange(logits.size)
        query, labels = every // n, every % n
    order = np.argsort(-scores, kind="stable")[: facts["candidates"]]
    order = order[scores[order] >= facts["least_score"]]
    middle, side = np.split(parts[1][query[order]], 2, axis=1)
    high, wide = facts["seen"]
    boxes = np.concatenate([middle - side / 2, middle + side / 2], axis=1) * np.array([wide, high] * 2, np.float32)
    return cut(boxes, facts), scores[order], labels[order], query[order]


def outlined(parts: list[Array], boxes: Array, labels: Array, places: Array, facts: Facts, arrays: Any) -> Array:
    """Cells (k, 28, 28) bool that belong to the objects."""
    if facts["kind"] == "regions":
        return outlines_of_regions(parts, boxes, labels, facts, arrays)
    return outlines(parts[4], parts[3][places], boxes, arrays)


def likeliest(shares: Array, facts: Facts, first: int, label: int) -> tuple[Array, Array, Array]:
    """Anchor, label and score of the surest of a group."""
    flat = shares.ravel()
    sure = np.flatnonzero(flat > facts["least_score"])
    sure = sure[np.argsort(-flat[sure], kind="stable")[: facts["candidates"]]]
    return first + sure // shares.shape[1], label + sure % shares.shape[1], flat[sure]


KINDS: dict[str, Callable[[list[Array], Facts, Any], tuple[Array, ...]]] = {
    "small": of_places, "retinanet": of_anchors, "fcos": of_anchors, "ssd": of_anchors, "queries": of_queries,
    "regions": of_regions,
}  # fmt: skip
DECODERS = {"fcos": spread}


def packed(size: tuple[int, int], boxes: Array, scores: Array, labels: Array, cells: Any, facts: Facts) -> Array:
    """The row of one picture."""
    high, wide = facts["canvas"]
    canvas_boxes = boxes * facts["zoom"]
    sides = canvas_boxes[:, 2:] - canvas_boxes[:, :2]
    height, width = size
    boxes = np.clip(
        canvas_boxes / min(high / height, wide / width), 0, np.array([width, height, width, height], np.float32)
    )
    stay = ((boxes[:, 2:] - boxes[:, :2]) > 0.5).all(axis=1) & (sides > LEAST_SIDE).all(axis=1)
    n = int(stay.sum())
    row = np.zeros(2 + MOST * (FIELDS + (28 * 28 // BITS if facts["masks"] else 0)), dtype=np.float32)
    row[:2] = size
    objects = row[2:].reshape(MOST, -1)
    objects[:n, :4], objects[:n, 4], objects[:n, 5] = boxes[stay], scores[stay], labels[stay]
    if cells is not None:
        bits = cells[stay].reshape(n, 28 * 28 // BITS, BITS).astype(np.int64)
        objects[:n, FIELDS:] = (bits << np.arange(BITS)).sum(axis=-1)
    return row
