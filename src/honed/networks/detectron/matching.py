"""Which box learns which object, and which boxes take part at all."""

from __future__ import annotations

import torch

from honed.networks.detectron.boxes import overlaps

LEAVE_OUT, BACKGROUND, OBJECT = -1, 0, 1


def match(
    boxes: torch.Tensor, targets: torch.Tensor, *, low: float, high: float, rescue: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """For each box (k,) the target it overlaps most, and whether it is an object, background or neither.

    Parameters
    ----------
    low, high : float
        Overlaps below ``low`` are background, from ``high`` on objects; those between are left out.
    rescue : bool
        The boxes that overlap a target most are objects, however little that is, so that no target is lost.
    """
    if not len(targets):
        nothing = torch.zeros(len(boxes), dtype=torch.long, device=boxes.device)
        return nothing, torch.full_like(nothing, BACKGROUND)
    table = overlaps(targets, boxes)
    best, which = table.max(dim=0)
    kinds = torch.full_like(which, OBJECT)
    kinds[best < high] = LEAVE_OUT
    kinds[best < low] = BACKGROUND
    if rescue:
        kinds[(table == table.max(dim=1, keepdim=True).values).any(dim=0)] = OBJECT
    return which, kinds


def sample(labels: torch.Tensor, n: int, share: float, background: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions of at most ``n * share`` objects and of background to make ``n`` in all, drawn at random.

    Parameters
    ----------
    labels : Tensor (k,), int
        Below 0: takes no part; ``background``; anything else is an object.
    """
    objects = ((labels >= 0) & (labels != background)).nonzero()[:, 0]
    rest = (labels == background).nonzero()[:, 0]
    n_objects = min(len(objects), int(n * share))
    n_rest = min(len(rest), n - n_objects)
    chosen = torch.randperm(len(objects), device=labels.device)[:n_objects]
    others = torch.randperm(len(rest), device=labels.device)[:n_rest]
    return objects[chosen], rest[others]
