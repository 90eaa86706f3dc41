"""The part of a map that lies under a region, at one size whatever the region's (He et al., *Mask R-CNN*, 2017)."""

from __future__ import annotations

import torch
from torchvision.ops import roi_align

USUAL_SIDE, USUAL_LEVEL = 224, 4
"""A region of 224 by 224 pixels is read from the map of stride 2 ** 4."""


def pool(maps: list[torch.Tensor], strides: tuple[int, ...], regions: list[torch.Tensor], size: int) -> torch.Tensor:
    """Maps under regions, (all regions, c, size, size), picture by picture.

    Parameters
    ----------
    maps : list of Tensor (n, c, h, w)
        One for each stride, the finest first.
    regions : list of Tensor (k, 4)
        Of each picture, in pixels of the picture as the network reads it.
    """
    rows = torch.cat([_numbered(boxes, i) for i, boxes in enumerate(regions)]).to(maps[0].dtype)
    if len(maps) == 1:
        return roi_align(maps[0], rows, size, 1 / strides[0], 0, aligned=True)
    found = maps[0].new_zeros(len(rows), maps[0].shape[1], size, size)
    level_of = levels(torch.cat(regions), strides)
    for level, (x, stride) in enumerate(zip(maps, strides, strict=True)):
        at = (level_of == level).nonzero()[:, 0]
        found = found.index_put((at,), roi_align(x, rows[at], size, 1 / stride, 0, aligned=True))
    return found


def levels(regions: torch.Tensor, strides: tuple[int, ...]) -> torch.Tensor:
    """Which map (k,), from 0, a region is read from: the larger, the coarser."""
    least, most = strides[0].bit_length() - 1, strides[-1].bit_length() - 1
    side = torch.sqrt((regions[:, 2:] - regions[:, :2]).prod(dim=1))
    level = torch.floor(USUAL_LEVEL + torch.log2(side / USUAL_SIDE + 1e-8))
    return level.clamp(least, most).long() - least


def _numbered(boxes: torch.Tensor, picture: int) -> torch.Tensor:
    return torch.cat([torch.full_like(boxes[:, :1], picture), boxes], dim=1)
