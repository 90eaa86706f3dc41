"""What the small detector learns from: objectness, class and sides.

References
----------
Li et al., *Generalized focal loss*, 2020 (objectness that says how well the box fits); Rezatofighi et al., *Generalized
intersection over union*, 2019.
"""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from honed.networks.detection.assign import area, assign, overlaps
from honed.networks.detection.masks import MaskBranch, mask_loss, masks_over
from honed.networks.detection.small_detector import Seen
from honed.networks.detection.truth import Truth

SIDES_WEIGHT, CLASS_WEIGHT, MASKS_WEIGHT = 2.0, 1.0, 1.0
MOST_MASKS, LEAST_FIT = 24, 0.5
"""Masks learnt for each picture of a batch; overlap of a box with its object from which its mask is learnt."""


def detector_loss(seen: Seen, truth: Truth, masks: MaskBranch | None = None) -> dict[str, torch.Tensor]:
    """The parts of the loss, each divided by the summed quality of the places that learn an object.

    Parameters
    ----------
    seen : Seen
    truth : Truth
    masks : MaskBranch, optional
        Learns the outlines too, where the truth has them.

    Returns
    -------
    dict
        ``objectness``, ``classes``, ``sides`` and, with ``masks``, ``masks``; training lowers their sum.
    """
    truth = truth.to(seen.boxes.device)
    quality, owner = assign(seen, truth.boxes, truth.real if truth.crowd is None else truth.real & ~truth.crowd)
    total = quality.sum().clamp(min=1.0)
    focus = (quality - seen.objectness.sigmoid()).abs().detach() ** 2
    if truth.crowd is not None:
        focus = focus * ((quality > 0) | ~in_crowds(seen.centres, truth))
    objectness = (focus * cross_entropy(seen.objectness, quality, reduction="none")).sum() / total
    at = quality > 0
    weight, pictures = quality[at], at.nonzero(as_tuple=True)[0]
    wanted, kinds = truth.boxes[pictures, owner[at]], truth.labels[pictures, owner[at]]
    sides = ((1 - generalised_overlaps(seen.boxes[at], wanted)) * weight).sum() / total
    classes = (class_loss(seen.classes[at], kinds) * weight).sum() / total
    parts = {"objectness": objectness, "classes": classes * CLASS_WEIGHT, "sides": sides * SIDES_WEIGHT}
    if masks is not None and truth.masks is not None and seen.shared is not None:
        parts["masks"] = MASKS_WEIGHT * _masks_loss(masks, seen, truth, at, owner[at], weight)
    return parts


def in_crowds(centres: torch.Tensor, truth: Truth) -> torch.Tensor:
    """Places (n, a) that lie in a crowd; those that own no object are to learn nothing."""
    assert truth.crowd is not None
    boxes, which = truth.boxes[:, :, None], truth.crowd & truth.real
    within = ((centres >= boxes[..., :2]) & (centres <= boxes[..., 2:])).all(dim=-1)
    return (within & which[..., None]).any(dim=1)


def _masks_loss(
    branch: MaskBranch, seen: Seen, truth: Truth, at: torch.Tensor, owner: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Over the boxes as they are found now, at most ``MOST_MASKS`` of them by chance."""
    assert seen.shared is not None and truth.masks is not None
    pictures = at.nonzero(as_tuple=True)[0]
    boxes, wanted = seen.boxes[at].detach(), truth.boxes[pictures, owner]
    sides = boxes[:, 2:] - boxes[:, :2]
    fit = (overlaps(boxes, wanted) > LEAST_FIT) & (sides > 1).all(dim=1)
    rows = fit.nonzero(as_tuple=True)[0]
    most = MOST_MASKS * len(at)
    if len(rows) > most:
        rows = rows[torch.randperm(len(rows), device=rows.device)[:most]]
    logits = branch(seen.shared, seen.features[at][rows], pictures[rows], boxes[rows])
    truths = masks_over(boxes[rows], truth.masks[pictures[rows], owner[rows]].float() / 255, wanted[rows])
    return mask_loss(logits, truths, weight[rows])


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
