"""Objects found on one picture."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Found(NamedTuple):
    """Objects of one picture, the surest first.

    Parameters
    ----------
    boxes : Tensor (k, 4)
        x1, y1, x2, y2 in pixels, within the picture.
    scores : Tensor (k,)
        0 to 1.
    labels : Tensor (k,), int
    masks : Tensor (k, GRID, GRID), optional
        How likely each cell of the box belongs to the object, 0 to 1; GRID is 28.
    """

    boxes: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor | None = None
