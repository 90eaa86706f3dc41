"""Which place of a detector's maps learns which object: those whose own boxes already fit it best.

References
----------
Feng et al., *TOOD: task-aligned one-stage object detection*, 2021.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from honed.networks.detection.small_detector import Seen

TOP, FIT_POWER, LEAST_HALF, LEAST_FIT, LEAST_SURE = 10, 6.0, 6.0, 0.05, 1e-4
"""With a least fit every object has places that learn it, also where all boxes of a fresh network are far off."""


class Assignment(NamedTuple):
    """For every place of every picture.

    Parameters
    ----------
    quality : Tensor (n, a)
        How well the place should trust itself, 0 for background.
    object : Tensor (n, a), int
        Row of its object in the padded targets; meaningful where quality is above 0.
    """

    quality: torch.Tensor
    object: torch.Tensor


def overlaps(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Intersection over union of boxes (..., 4), broadcast against each other."""
    least, most = torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:])
    common = (most - least).clamp(min=0).prod(-1)
    return common / (area(first) + area(second) - common).clamp(min=1e-6)


def area(boxes: torch.Tensor) -> torch.Tensor:
    """Pixels of boxes (..., 4)."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


@torch.no_grad()
def assign(seen: Seen, boxes: torch.Tensor, real: torch.Tensor) -> Assignment:
    """The ten best places within each object, each place to one object.

    Parameters
    ----------
    seen : Seen
    boxes : Tensor (n, m, 4)
        Padded targets in pixels.
    real : Tensor (n, m), bool
    """
    fit = overlaps(boxes[:, :, None], seen.boxes[:, None]).clamp(min=LEAST_FIT)
    within = _within(seen.centres, boxes) & real[:, :, None]
    score = seen.objectness.sigmoid().clamp(min=LEAST_SURE)[:, None] * fit**FIT_POWER * within
    best = score.topk(min(TOP, score.shape[-1]), dim=-1)
    chosen = torch.zeros_like(score).scatter_(-1, best.indices, (best.values > 0).to(score.dtype))
    fit = fit * chosen
    score = score * chosen
    peak, best_fit = score.amax(-1, keepdim=True).clamp(min=1e-20), fit.amax(-1, keepdim=True)
    quality = score / peak * best_fit
    value, owner = fit.max(dim=1)
    taken = quality.gather(1, owner[:, None])[:, 0]
    return Assignment(taken * (value > 0), owner)


def _within(centres: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Places (n, m, a) inside a box; of a tiny box also those close by."""
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = ((boxes[..., 2:] - boxes[..., :2]) / 2).clamp(min=LEAST_HALF)
    return ((centres - middle[:, :, None]).abs() < half[:, :, None]).all(-1)
