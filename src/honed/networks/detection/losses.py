"""What the small detector learns from: objectness, class and sides.

References
----------
Li et al., *Generalized focal loss*, 2020 (objectness that says how well the box fits); Rezatofighi et al., *Generalized
intersection over union*, 2019.
"""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from honed.networks.detection.assign import area, assign, overlaps, padded_targets
from honed.networks.detection.small_detector import Seen

SIDES_WEIGHT, CLASS_WEIGHT = 2.0, 1.0


def detector_loss(seen: Seen, targets: list[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The parts of the loss, each divided by the summed quality of the places that learn an object.

    Parameters
    ----------
    seen : Seen
    targets : list of (boxes (k, 4) float in pixels, labels (k,) int), one a picture; k may be 0.

    Returns
    -------
    dict
        ``objectness``, ``classes``, ``sides``; training lowers their sum.
    """
    boxes, labels, real = padded_targets(targets)
    boxes, labels, real = (x.to(seen.boxes.device) for x in (boxes, labels, real))
    quality, owner = assign(seen, boxes, real)
    total = quality.sum().clamp(min=1.0)
    focus = (quality - seen.objectness.sigmoid()).abs().detach() ** 2
    objectness = (focus * cross_entropy(seen.objectness, quality, reduction="none")).sum() / total
    at = quality > 0
    weight, rows = quality[at], at.nonzero(as_tuple=True)
    wanted, kinds = boxes[rows[0], owner[at]], labels[rows[0], owner[at]]
    sides = ((1 - generalised_overlaps(seen.boxes[at], wanted)) * weight).sum() / total
    classes = (class_loss(seen.classes[at], kinds) * weight).sum() / total
    return {"objectness": objectness, "classes": classes * CLASS_WEIGHT, "sides": sides * SIDES_WEIGHT}


def class_loss(logits: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """Cross-entropy (k,) of classes that do not exclude each other in form, each against all others."""
    wanted = torch.zeros_like(logits)
    wanted[torch.arange(len(kinds), device=kinds.device), kinds] = 1.0
    return cross_entropy(logits, wanted, reduction="none").sum(-1)


def generalised_overlaps(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """GIoU (k,) of pairs of boxes, -1 to 1."""
    overlap = overlaps(first, second)
    least, most = torch.minimum(first[:, :2], second[:, :2]), torch.maximum(first[:, 2:], second[:, 2:])
    hull = (most - least).prod(-1).clamp(min=1e-6)
    return overlap - (hull - _union(first, second, overlap)) / hull


def _union(first: torch.Tensor, second: torch.Tensor, overlap: torch.Tensor) -> torch.Tensor:
    """Union from the overlap share: u = (a + b) / (1 + share)."""
    return (area(first) + area(second)) / (1 + overlap)
