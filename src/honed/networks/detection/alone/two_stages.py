"""Faster and Mask R-CNN: regions that may hold an object, then of which class each is and where exactly. Written by Honed.

Parts are the maps that regions are read from, then further maps, then objectness and shifts of every anchor, level by level.
"""

from typing import Any

import numpy as np

from .boxes import apart, cut, moved, sigmoid, softmax

Array = np.ndarray[Any, np.dtype[Any]]
Facts = dict[str, Any]
EVEN = {"weights": (1.0, 1.0, 1.0, 1.0)}
USUAL_SIDE, USUAL_LEVEL = 224, 4
"""A region of 224 by 224 pixels is read from the map of stride 2 ** 4."""


def of_regions(parts: list[Array], facts: Facts, arrays: Any) -> tuple[Array, ...]:
    """Boxes, scores and labels of all classes that a region may be of, and the number of the region."""
    regions = regions_of(parts, facts, arrays)
    x = pooled(parts, regions, 7, facts).reshape(len(regions), -1)
    for number in (0, 1):
        x = np.maximum(layer(x, f"box.{number}", arrays), 0)
    shares, shifts = softmax(layer(x, "classes", arrays)), layer(x, "shifts", arrays)
    first, n = (1 if facts["background_first"] else 0), facts["labels"]
    shares, shifts = shares[:, first : first + n], shifts.reshape(len(x), -1, 4)[:, -n:]
    region, label = np.nonzero(shares > facts["least_score"])
    boxes = cut(moved(shifts[region, label], regions[region], {"weights": facts["weights"]}), facts)
    stay = ((boxes[:, 2:] - boxes[:, :2]) >= facts["least_side"]).all(axis=1)
    region, label = region[stay], label[stay]
    return boxes[stay], shares[region, label], label, region


def regions_of(parts: list[Array], facts: Facts, arrays: Any) -> Array:
    """Regions (k, 4), the likeliest first."""
    n, starts = len(facts["levels"]), np.cumsum([0, *facts["levels"]])
    boxes, scores, levels = [], [], []
    for level in range(n):
        score = by_place(parts[level - 2 * n], 1)[:, 0]
        best = np.argsort(-score, kind="stable")[: facts["candidates"]]
        anchors = arrays["anchors"][starts[level] :][best]
        boxes.append(moved(by_place(parts[level - n], 4)[best], anchors, EVEN))
        scores.append(sigmoid(score[best]))
        levels.append(np.full(len(best), level))
    box, score, level_of = cut(np.concatenate(boxes), facts), np.concatenate(scores), np.concatenate(levels)
    side = (box[:, 2:] - box[:, :2]).min(axis=1)
    stay = (side > 0) & (side >= facts["least_region_side"]) & (score >= facts["least_region_score"])
    box, score, level_of = box[stay], score[stay], level_of[stay]
    found: Array = box[apart(box, score, level_of, facts["region_overlap"], facts["regions"])[: facts["regions"]]]
    return found


def by_place(said: Array, each: int) -> Array:
    """What is said of every anchor, (a, each), places row by row; (a * each, h, w) is brought to that."""
    if said.ndim == 2:
        return said
    _, height, width = said.shape
    return said.reshape(-1, each, height, width).transpose(2, 3, 0, 1).reshape(-1, each)


def outlines(parts: list[Array], boxes: Array, labels: Array, facts: Facts, arrays: Any) -> Array:
    """Cells (k, 28, 28) bool of the boxes that belong to the objects."""
    x, number = pooled(parts, boxes, 14, facts), 0
    while f"outline.{number}.weight" in arrays:
        x, number = np.maximum(convolved(x, f"outline.{number}", arrays), 0), number + 1
    weight, bias = arrays["doubled.weight"], arrays["doubled.bias"]
    found = np.zeros((len(boxes), 28, 28), dtype=np.float32)
    last = arrays["cells.weight"][labels], arrays["cells.bias"][labels]
    for down in (0, 1):
        for across in (0, 1):
            y = np.maximum(x.reshape(-1, x.shape[-1]) @ weight[:, :, down, across] + bias, 0)
            told = (y.reshape(len(x), -1, y.shape[1]) @ last[0][:, :, None]).reshape(x.shape[:3])
            found[:, down::2, across::2] = told + last[1][:, None, None]
    return np.asarray(found >= 0)


def layer(x: Array, name: str, arrays: Any) -> Array:
    """A linear layer on rows."""
    found: Array = x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]
    return found


def convolved(x: Array, name: str, arrays: Any) -> Array:
    """A 3 by 3 convolution on (k, h, w, c)."""
    weight, (k, height, width, n) = arrays[f"{name}.weight"], x.shape
    around = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    found = np.zeros((k * height * width, len(weight)), dtype=np.float32) + arrays[f"{name}.bias"]
    for down in range(3):
        for across in range(3):
            beneath = around[:, down : down + height, across : across + width].reshape(-1, n)
            found += beneath @ weight[:, :, down, across].T
    return found.reshape(k, height, width, -1)


def pooled(parts: list[Array], regions: Array, side: int, facts: Facts) -> Array:
    """Maps under regions, (k, side, side, channels), each from the map that suits its size."""
    strides = facts["strides"]
    maps = [np.ascontiguousarray(part.transpose(1, 2, 0)) for part in parts[: len(strides)]]
    size = np.sqrt((regions[:, 2:] - regions[:, :2]).prod(axis=1))
    level = np.floor(USUAL_LEVEL + np.log2(np.maximum(size, 1e-6) / USUAL_SIDE) + 1e-6) - np.log2(strides[0])
    level = np.clip(level, 0, np.log2(strides[-1] / strides[0])).astype(int)
    found = np.empty((len(regions), side, side, maps[0].shape[2]), dtype=np.float32)
    for k, (left, top, right, bottom) in enumerate(regions):
        values, stride = maps[level[k]], strides[level[k]]
        down, rows = shares_of(top / stride, bottom / stride, side, values.shape[0], facts)
        across, columns = shares_of(left / stride, right / stride, side, values.shape[1], facts)
        beneath = values[rows, columns]
        taken = (down @ beneath.reshape(len(beneath), -1)).reshape(side, beneath.shape[1], -1)
        found[k] = across @ taken
    return found


def shares_of(begin: float, end: float, side: int, length: int, facts: Facts) -> tuple[Array, slice]:
    """How much each cell of an axis (in cells, of so many) adds to each of ``side`` equal parts between two places.

    A part is the mean of points between cells, ``samples`` of them, or, with 0, about one for each cell.
    """
    shift = 0.5 if facts["aligned"] else 0.0
    whole = end - begin if facts["aligned"] else max(end - begin, 1.0)
    n = facts["samples"] or int(np.ceil(whole / side))
    at = begin - shift + (np.arange(side * n) + 0.5) / n * whole / side
    inside = (at >= -1) & (at <= length)
    at = np.clip(at, 0, length - 1)
    low = np.floor(at).astype(int)
    high, share = np.minimum(low + 1, length - 1), at - low
    first, last = int(low.min()), int(high.max()) + 1
    found = np.zeros((side, last - first), dtype=np.float32)
    part = np.repeat(np.arange(side), n)
    np.add.at(found, (part, low - first), inside * (1 - share) / n)
    np.add.at(found, (part, high - first), inside * share / n)
    return found, slice(first, last)
