"""What a batch of pictures really shows: boxes, classes and, where known, masks, padded to one shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from honed.networks.detection.mask_cells import MASK_SIDE


class Objects(NamedTuple):
    """Objects of one picture.

    Parameters
    ----------
    boxes : Tensor (k, 4)
        x1, y1, x2, y2 in pixels.
    labels : Tensor (k,), int
    masks : Tensor (k, MASK_SIDE, MASK_SIDE), uint8, optional
        Share of each cell of the box that the object fills, 0 to 255.
    crowd : Tensor (k,), bool, optional
        True for a region that holds objects nobody told apart: there it is right neither to find nor to miss one.
    """

    boxes: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor | None = None
    crowd: torch.Tensor | None = None


class Truth(NamedTuple):
    """Objects of n pictures, at most m each.

    Parameters
    ----------
    boxes : Tensor (n, m, 4)
    labels : Tensor (n, m), int
    real : Tensor (n, m), bool
        False where a picture has fewer objects.
    masks : Tensor (n, m, MASK_SIDE, MASK_SIDE), uint8, optional
    crowd : Tensor (n, m), bool, optional
        See :class:`Objects`.
    """

    boxes: torch.Tensor
    labels: torch.Tensor
    real: torch.Tensor
    masks: torch.Tensor | None = None
    crowd: torch.Tensor | None = None

    @classmethod
    def of(cls, pictures: Sequence[Objects | tuple[torch.Tensor, torch.Tensor]]) -> Truth:
        """Pad the objects of each picture."""
        objects = [Objects(*some) for some in pictures]
        most = max(1, *(len(some.boxes) for some in objects))
        found = cls(
            torch.zeros(len(objects), most, 4),
            torch.zeros(len(objects), most, dtype=torch.long),
            torch.tensor([len(some.boxes) for some in objects])[:, None] > torch.arange(most)[None],
        )
        for i, some in enumerate(objects):
            found.boxes[i, : len(some.boxes)], found.labels[i, : len(some.boxes)] = some.boxes, some.labels
        if any(some.crowd is not None for some in objects):
            found = found._replace(crowd=_crowds(objects, most))
        if any(some.masks is None for some in objects):
            return found
        masks = torch.zeros(len(objects), most, MASK_SIDE, MASK_SIDE, dtype=torch.uint8)
        for i, some in enumerate(objects):
            masks[i, : len(some.boxes)] = some.masks  # type: ignore[assignment]
        return found._replace(masks=masks)

    def to(self, device: torch.device | str) -> Truth:
        """The same on another device."""
        return Truth(*(None if part is None else part.to(device, non_blocking=True) for part in self))  # type: ignore[arg-type]


def _crowds(objects: Sequence[Objects], most: int) -> torch.Tensor:
    crowd = torch.zeros(len(objects), most, dtype=torch.bool)
    for i, some in enumerate(objects):
        if some.crowd is not None:
            crowd[i, : len(some.boxes)] = some.crowd
    return crowd
