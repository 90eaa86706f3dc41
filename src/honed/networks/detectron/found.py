"""What a detector finds in one picture, and what it is to learn of one."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Found(NamedTuple):
    """Objects of one picture, the surest first.

    Parameters
    ----------
    boxes : Tensor (k, 4)
        x1, y1, x2, y2 in pixels.
    scores : Tensor (k,)
        0 to 1.
    labels : Tensor (k,), int
        Index of the class.
    masks : Tensor or None
        Inside the network (k, m, m) probabilities within each box; outside (k, height, width) bool.
    """

    boxes: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor | None = None

    def take(self, which: torch.Tensor) -> Found:
        """The objects at these positions, or where a bool tensor is True."""
        masks = None if self.masks is None else self.masks[which]
        return Found(self.boxes[which], self.scores[which], self.labels[which], masks)


class Target(NamedTuple):
    """Objects that are really there.

    Parameters
    ----------
    boxes : Tensor (k, 4), float
        x1, y1, x2, y2 in pixels of the picture as the network reads it; k may be 0.
    labels : Tensor (k,), int
    masks : Tensor (k, h, w), bool, or None
        Outlines at the same size, for networks with a mask head.
    """

    boxes: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor | None = None
