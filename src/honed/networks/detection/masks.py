"""The outline of an object: a few layers of its own, said by the place that found it, over a map that all objects share.

Each box is cut out of the shared map and brought to one grid; whether a cell of the grid belongs to the object is said by
three tiny layers whose weights come from the features of the place. Only boxes that are wanted cost anything.

References
----------
Tian et al., *Conditional convolutions for instance segmentation*, 2020; He et al., *Mask R-CNN*, 2017 (aligned cutting).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, grid_sample, interpolate, relu
from torchvision.ops import roi_align

GRID, SHARED, HIDDEN, STRIDE = 28, 16, 8, 4
SIZES = ((SHARED + 2, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1))
N_VALUES = sum((n_in + 1) * n_out for n_in, n_out in SIZES)


class MaskBranch(nn.Module):
    """Masks of chosen boxes.

    Parameters
    ----------
    fine_width, width : int
        Channels of the backbone's map of stride 4 and of the pyramid.
    """

    def __init__(self, fine_width: int, width: int) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(fine_width, width, 1), nn.Conv2d(width, width, 1)
        self.mix = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, SHARED, 1)
        )
        self.values = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, N_VALUES))
        nn.init.normal_(self.values[2].weight, std=0.01)  # type: ignore[arg-type]
        nn.init.normal_(self.values[2].bias, std=0.2)  # type: ignore[arg-type]

    def shared(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """The map (n, SHARED, h / 4, w / 4) that all objects of a picture share."""
        found = self.fine(fine)
        raised = interpolate(self.coarse(coarse), size=found.shape[-2:], mode="bilinear", align_corners=False)
        mixed: torch.Tensor = self.mix(relu(found + raised))
        return mixed

    def forward(
        self, shared: torch.Tensor, features: torch.Tensor, picture: torch.Tensor, boxes: torch.Tensor
    ) -> torch.Tensor:
        """Logits (k, GRID, GRID) over each box.

        Parameters
        ----------
        shared : Tensor (n, SHARED, h, w)
        features : Tensor (k, width)
            Of the places that found the boxes.
        picture : Tensor (k,), int
            Row of ``shared`` of each box.
        boxes : Tensor (k, 4)
            In pixels.
        """
        rois = torch.cat([picture[:, None].to(boxes.dtype), boxes], dim=1)
        cut = roi_align(shared.float(), rois, GRID, 1 / STRIDE, sampling_ratio=2, aligned=True).flatten(2)
        x = torch.cat([cut, place_in_box(len(cut), cut)], dim=1)
        values = self.values(features.float()).float().split([(n_in + 1) * n_out for n_in, n_out in SIZES], dim=1)
        for layer, ((n_in, n_out), some) in enumerate(zip(SIZES, values, strict=True)):
            weight, bias = some[:, : n_in * n_out].reshape(-1, n_out, n_in), some[:, n_in * n_out :, None]
            x = torch.bmm(weight, x) + bias
            x = relu(x) if layer < len(SIZES) - 1 else x
        return x.reshape(-1, GRID, GRID)


def place_in_box(n: int, like: torch.Tensor) -> torch.Tensor:
    """Where each cell lies in its box, across and down, -1 to 1: (n, 2, GRID^2)."""
    line = (torch.arange(GRID, device=like.device, dtype=like.dtype) + 0.5) / GRID * 2 - 1
    return torch.stack([line.repeat(GRID), line.repeat_interleave(GRID)])[None].expand(n, -1, -1)


def masks_over(
    boxes: torch.Tensor, masks: torch.Tensor, owners: torch.Tensor, side: int = GRID, outside: str = "zeros"
) -> torch.Tensor:
    """Masks (k, s, s) over boxes of their own (k, 4), seen through other boxes (k, 4): (k, side, side).

    What lies outside their own boxes is 0, or, with ``outside`` "border", as at the nearest edge.
    """
    line = (torch.arange(side, device=boxes.device, dtype=boxes.dtype) + 0.5) / side
    size, own = boxes[:, 2:] - boxes[:, :2], (owners[:, 2:] - owners[:, :2]).clamp(min=1e-3)
    where = (boxes[:, None, :2] + line[None, :, None] * size[:, None] - owners[:, None, :2]) / own[:, None] * 2 - 1
    grid = torch.stack(torch.broadcast_tensors(where[:, None, :, 0], where[:, :, None, 1]), dim=-1)
    return grid_sample(masks[:, None], grid, mode="bilinear", padding_mode=outside, align_corners=False)[:, 0]


def mask_loss(logits: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean of cell-wise cross-entropy and Dice over masks (k, s, s), each with its weight (k,)."""
    if len(logits) == 0:
        return logits.sum()
    cells = binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(dim=(1, 2))
    share = logits.sigmoid()
    common, both = (share * wanted).sum(dim=(1, 2)), (share**2 + wanted**2).sum(dim=(1, 2))
    return ((cells + 1 - (2 * common + 1) / (both + 1)) * weight).sum() / weight.sum().clamp(min=1e-6)
