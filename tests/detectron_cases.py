"""Detectors of the Detectron family with made-up weights, the same here and where Detectron2 itself runs.

Nothing of Honed is imported, so that ``benchmarks/peers/detectron2_outputs.py`` can use it in an environment of its own.
Weights come from numpy's oldest generator, whose numbers are the same for ever.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
TINY: dict[str, Any] = {
    "n_classes": 5, "group_width": 4, "stem_width": 8, "res2_width": 16, "width": 16, "hidden": 32, "mask_width": 16,
    "short": 128, "longest": 192, "most": 20,
}  # fmt: skip
"""A detector small enough for tests: the zoo's depth, few channels."""
CASES: dict[str, dict[str, Any]] = {
    "faster-r50-fpn": {"trunk": "fpn"},
    "mask-r50-fpn": {"trunk": "fpn", "masks": True},
    "faster-r50-c4": {"trunk": "c4"},
    "mask-r50-c4": {"trunk": "c4", "masks": True},
    "mask-r50-dc5": {"trunk": "dc5", "masks": True},
    "retinanet-r50": {"kind": "retinanet"},
    "mask-r101-fpn": {"trunk": "fpn", "masks": True, "blocks": [3, 4, 23, 3]},
    "retinanet-r101": {"kind": "retinanet", "blocks": [3, 4, 23, 3]},
    "faster-x101-fpn": {
        "trunk": "fpn", "blocks": [3, 4, 23, 3], "groups": 4, "group_width": 2, "stride_first": False,
        "std": [57.375, 57.12, 58.395],
    },
    "faster-r50-fpn-torchvision": {
        "trunk": "fpn", "stride_first": False, "bgr": False, "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375],
    },
}  # fmt: skip
"""What differs from ``TINY`` and from the defaults, in the words of ``DetectronSettings``."""


SCALES = {
    "head.cls_score": 0.12, "head.bbox_pred": 0.05, "cls_score": 0.8, "objectness_logits": 0.8, "anchor_deltas": 0.1,
    "bbox_pred": 0.4, "predictor": 1.0,
}  # fmt: skip
"""Of layers whose outputs must neither be all alike nor all at their ends, by whole name or by last part."""


def made(name: str, shape: tuple[int, ...], std: float = 1.0) -> Array:
    """One tensor, a function of its name and shape alone; ``std`` is that of the colours the first layer reads."""
    draw = np.random.RandomState(zlib.crc32(name.encode()))
    leaf, layer = name.rpartition(".")[2], name.rpartition(".")[0]
    if layer.endswith("norm"):
        return _norm(draw, leaf, shape, layer)
    if leaf == "bias":
        return (0.1 * draw.standard_normal(shape) - (1.0 if layer == "head.cls_score" else 0.0)).astype(np.float32)
    scale = SCALES.get(layer, SCALES.get(layer.rpartition(".")[2], 1.4))
    n_in = shape[0] if layer.endswith("deconv") else int(np.prod(shape[1:]))
    if layer.endswith("stem.conv1"):
        scale *= std / 60
    return (scale / np.sqrt(n_in) * draw.standard_normal(shape)).astype(np.float32)


def _norm(draw: np.random.RandomState, leaf: str, shape: tuple[int, ...], layer: str) -> Array:
    if leaf == "running_var":
        return draw.uniform(0.6, 1.4, shape).astype(np.float32)
    if leaf == "weight":
        quiet = 0.3 if layer.endswith("conv3.norm") else 1.0
        return (quiet * draw.uniform(0.6, 1.2, shape)).astype(np.float32)
    return (0.1 * draw.standard_normal(shape)).astype(np.float32)


def picture(height: int = 120, width: int = 150) -> Array:
    """A picture (h, w, 3) uint8, red first, with edges at all scales."""
    draw = np.random.RandomState(7)
    found = np.zeros((height, width, 3))
    for cells in (3, 8, 20):
        small = draw.uniform(0, 255, (cells, cells, 3))
        rows, columns = np.arange(height) * cells // height, np.arange(width) * cells // width
        found += small[rows][:, columns] / 3
    return np.clip(found + draw.normal(0, 8, found.shape), 0, 255).astype(np.uint8)


def objects(height: int, width: int, n_classes: int) -> tuple[Array, Array, Array]:
    """Objects to learn from: boxes (4, 4) float, labels (4,) int, ellipses as masks (4, height, width) bool."""
    shares = np.array([[0.05, 0.1, 0.4, 0.5], [0.3, 0.2, 0.9, 0.95], [0.6, 0.05, 0.75, 0.3], [0.1, 0.6, 0.25, 0.7]])
    boxes = (shares * np.array([width, height, width, height])).astype(np.float32)
    y, x = np.mgrid[:height, :width] + 0.5
    masks = [
        ((x - (a + c) / 2) / ((c - a) / 2)) ** 2 + ((y - (b + d) / 2) / ((d - b) / 2)) ** 2 <= 1 for a, b, c, d in boxes
    ]
    return boxes, np.arange(4) % n_classes, np.array(masks)
