"""Boxes as tensors (k, 4) of x1, y1, x2, y2 in pixels: anchors, deltas, overlaps, clipping."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

MOST_GROWTH = math.log(1000 / 16)
"""A box grows at most from 16 to 1,000 pixels in one step."""
RATIOS = (0.5, 1.0, 2.0)
"""Height by width of the anchors."""
Weights = tuple[float, float, float, float]


def cell_anchors(sizes: Sequence[float], ratios: Sequence[float] = RATIOS) -> torch.Tensor:
    """Anchors (len(sizes) * len(ratios), 4) around the origin; those of one size have one area."""
    shapes = [(math.sqrt(size**2 / ratio), ratio * math.sqrt(size**2 / ratio)) for size in sizes for ratio in ratios]
    return torch.tensor([[-wide / 2, -high / 2, wide / 2, high / 2] for wide, high in shapes])


def grid_anchors(cell: torch.Tensor, height: int, width: int, stride: int) -> torch.Tensor:
    """The anchors of every place of a map, (height * width * len(cell), 4), row by row."""
    y = torch.arange(0, height * stride, stride, device=cell.device, dtype=torch.float32)
    x = torch.arange(0, width * stride, stride, device=cell.device, dtype=torch.float32)
    x, y = x.repeat(height), y.repeat_interleave(width)
    return (torch.stack([x, y, x, y], dim=1)[:, None] + cell[None]).reshape(-1, 4)


def middles_and_sides(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Middles (k, 2) and sides (k, 2), x before y."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + 0.5 * sides, sides


def encode(source: torch.Tensor, target: torch.Tensor, weights: Weights) -> torch.Tensor:
    """Deltas (k, 4) that lead from the source boxes to the targets: shift by side, logarithm of growth."""
    middle, side = middles_and_sides(source)
    wanted_middle, wanted_side = middles_and_sides(target)
    factor = source.new_tensor(weights)
    return torch.cat([(wanted_middle - middle) / side, torch.log(wanted_side / side)], dim=1) * factor


def decode(deltas: torch.Tensor, boxes: torch.Tensor, weights: Weights) -> torch.Tensor:
    """Boxes (k, 4 c) that deltas (k, 4 c) lead to from boxes (k, 4)."""
    middle, side = middles_and_sides(boxes.float())
    parts = deltas.float().unflatten(1, (-1, 4)) / deltas.new_tensor(weights)
    middles = parts[..., :2] * side[:, None] + middle[:, None]
    sides = torch.exp(parts[..., 2:].clamp(max=MOST_GROWTH)) * side[:, None]
    return torch.cat([middles - 0.5 * sides, middles + 0.5 * sides], dim=-1).view(deltas.shape)


def clip(boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Boxes (k, 4) cut at the borders of a picture of this height and width."""
    height, width = size
    x, y = boxes[:, 0::2].clamp(0, width), boxes[:, 1::2].clamp(0, height)
    return torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], dim=1)


def not_empty(boxes: torch.Tensor) -> torch.Tensor:
    """True (k,) for boxes with both sides above nought."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def overlaps(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Intersection over union (k, m), 0 where two boxes do not touch."""
    least = torch.maximum(first[:, None, :2], second[None, :, :2])
    most = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    common = (most - least).clamp(min=0).prod(dim=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(dim=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - common
    return torch.where(common > 0, common / union, torch.zeros_like(common))
