"""Boxes as arrays (k, 4) of left, top, right, bottom, and shares from logits. Written by Honed."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Facts = dict[str, Any]
MOST, LEAST_SIDE, MOST_GROWTH = 100, 1e-3, float(np.log(1000 / 16))


def moved(shifts: Array, anchors: Array, facts: Facts) -> Array:
    """Boxes that shifts lead to: of the middle by the side, and the logarithm of growth."""
    side = anchors[:, 2:] - anchors[:, :2]
    shifts = shifts / np.array(facts["weights"], dtype=np.float32)
    middle = shifts[:, :2] * side + anchors[:, :2] + 0.5 * side
    half = 0.5 * np.exp(np.minimum(shifts[:, 2:], MOST_GROWTH)) * side
    return np.concatenate([middle - half, middle + half], axis=1)


def spread(shifts: Array, anchors: Array, facts: Facts) -> Array:
    """Boxes whose four sides lie so far from the middle of the anchor, in sides of the anchor."""
    side = anchors[:, 2:] - anchors[:, :2]
    middle = 0.5 * (anchors[:, :2] + anchors[:, 2:])
    return np.concatenate([middle - shifts[:, :2] * side, middle + shifts[:, 2:] * side], axis=1)


def apart(boxes: Array, scores: Array, labels: Array, most_overlap: float, most: int = MOST) -> Array:
    """Positions of boxes, the surest first, of which no two of the first ``most`` and of one label overlap more."""
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = boxes[order].T
    area, alike = (right - left) * (bottom - top), labels[order]
    gone, kept = np.zeros(len(order), dtype=bool), 0
    for i in range(len(order)):
        if gone[i]:
            continue
        kept += 1
        if kept == most:
            break
        across = np.minimum(right[i], right[i + 1 :]) - np.maximum(left[i], left[i + 1 :])
        down = np.minimum(bottom[i], bottom[i + 1 :]) - np.maximum(top[i], top[i + 1 :])
        common = np.maximum(across, 0) * np.maximum(down, 0)
        over = common > most_overlap * (area[i] + area[i + 1 :] - common)
        gone[i + 1 :] |= over & (alike[i + 1 :] == alike[i])
    return order[~gone]


def cut(boxes: Array, facts: Facts) -> Array:
    """Boxes cut at the borders of what the network sees."""
    high, wide = facts["seen"]
    return np.clip(boxes, 0, np.array([wide, high, wide, high], np.float32))


def softmax(x: Array) -> Array:
    """Shares of each row from logits."""
    found: Array = np.exp(x - x.max(axis=1, keepdims=True))
    found /= found.sum(axis=1, keepdims=True)
    return found


def sigmoid(x: Array) -> Array:
    """Shares from logits."""
    found: Array = 1 / (1 + np.exp(-np.clip(x, -80, 80)))
    return found
