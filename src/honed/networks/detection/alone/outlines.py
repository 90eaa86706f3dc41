"""Outlines of the small detector's objects: three tiny layers over the part of a shared map under each box. Written by Honed."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
GRID, STRIDE, EACH = 28, 4, 2
SIZES = ((18, 8), (8, 8), (8, 1))


def outlines(shared: Array, features: Array, boxes: Array, arrays: Any) -> Array:
    """Cells (k, GRID, GRID) bool that belong to the objects.

    Parameters
    ----------
    shared : array (channels, h, w)
        The map that all objects of a picture share.
    features : array (k, width)
        Of the places that found the boxes.
    boxes : array (k, 4)
        In pixels of the canvas.
    """
    x = np.concatenate([beneath(shared, boxes / STRIDE - 0.5), places(len(boxes))], axis=1)
    hidden = np.maximum(features @ arrays["values.0.weight"].T + arrays["values.0.bias"], 0)
    values = hidden @ arrays["values.2.weight"].T + arrays["values.2.bias"]
    start = 0
    for layer, (n_in, n_out) in enumerate(SIZES):
        end = start + n_in * n_out
        weight, bias = values[:, start:end].reshape(-1, n_out, n_in), values[:, end : end + n_out, None]
        x = weight @ x + bias
        x = np.maximum(x, 0) if layer < len(SIZES) - 1 else x
        start = end + n_out
    found: Array = x.reshape(-1, GRID, GRID) >= 0
    return found


def beneath(shared: Array, boxes: Array) -> Array:
    """The map under boxes (in its own cells), (k, channels, GRID^2): the mean of EACH x EACH points in every cell."""
    found = np.zeros((len(boxes), len(shared), GRID * GRID), dtype=np.float32)
    steps = (np.arange(GRID * EACH, dtype=np.float32) + 0.5) / (GRID * EACH)
    for k, (left, top, right, bottom) in enumerate(boxes.astype(np.float32)):
        rows = between(shared, top + steps * (bottom - top), 1)
        points = between(rows, left + steps * (right - left), 2)
        found[k] = points.reshape(len(shared), GRID, EACH, GRID, EACH).mean(axis=(2, 4)).reshape(len(shared), -1)
    return found


def between(values: Array, at: Array, axis: int) -> Array:
    """Values at places between cells of an axis; nought more than a cell outside."""
    length = values.shape[axis]
    inside = (at >= -1) & (at <= length)
    at = np.clip(at, 0, length - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, length - 1)
    shape = [1] * values.ndim
    shape[axis] = len(at)
    share = (at - low).astype(np.float32).reshape(shape)
    found = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return found * inside.reshape(shape)


def places(n: int) -> Array:
    """Where each cell lies in its box, across and down, -1 to 1: (n, 2, GRID^2)."""
    line = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID * 2 - 1
    return np.broadcast_to(np.stack([np.tile(line, GRID), np.repeat(line, GRID)]), (n, 2, GRID * GRID))
