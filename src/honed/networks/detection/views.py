"""A part of a picture, enlarged and perhaps turned over, with its objects: what all variations are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import grid_sample

from honed.networks.detection.mask_cells import MASK_SIDE
from honed.networks.detection.masks import masks_over
from honed.networks.detection.truth import Objects


@dataclass(frozen=True)
class View:
    """A window of the canvas: its left upper corner and what it is enlarged by, in pixels, and how it is turned over."""

    left: float
    top: float
    zoom: float
    mirrored: bool = False
    overturned: bool = False


def looked(picture: torch.Tensor, view: View, size: Sequence[int]) -> torch.Tensor:
    """What is seen of a picture (3, H, W) through a view, as (3, *size); nothing, 0, lies outside."""
    (height, width), (whole_height, whole_width) = size, picture.shape[1:]
    x = view.left + (torch.arange(width) + 0.5) / view.zoom
    y = view.top + (torch.arange(height) + 0.5) / view.zoom
    x, y = (x.flip(0) if view.mirrored else x), (y.flip(0) if view.overturned else y)
    grid = torch.stack(
        torch.broadcast_tensors((x / whole_width * 2 - 1)[None, :], (y / whole_height * 2 - 1)[:, None]), dim=-1
    )
    return grid_sample(picture[None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=False)[0]


def moved(objects: Objects, view: View, size: Sequence[int], least_seen: float) -> Objects:
    """Objects as they lie in a view of this height and width; those of which less than a share is left are gone."""
    height, width = size
    corner = torch.tensor([view.left, view.top] * 2)
    boxes = (objects.boxes - corner) * view.zoom
    if view.mirrored:
        boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)
    if view.overturned:
        boxes = torch.stack([boxes[:, 0], height - boxes[:, 3], boxes[:, 2], height - boxes[:, 1]], dim=1)
    cut = torch.minimum(boxes.clamp(min=0), torch.tensor([width, height] * 2, dtype=boxes.dtype))
    sides, before = (cut[:, 2:] - cut[:, :2]).clamp(min=0), (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3)
    stay = (sides.prod(dim=1) >= least_seen * before.prod(dim=1)) & (sides > 1).all(dim=1)
    masks = objects.masks
    if masks is not None:
        masks = masks.flip(2) if view.mirrored else masks
        masks = _cut_masks((masks.flip(1) if view.overturned else masks)[stay], boxes[stay], cut[stay])
    crowd = None if objects.crowd is None else objects.crowd[stay]
    return Objects(cut[stay], objects.labels[stay], masks, crowd)


def _cut_masks(masks: torch.Tensor, boxes: torch.Tensor, cut: torch.Tensor) -> torch.Tensor:
    """Masks over boxes as masks over the parts of the boxes that are left."""
    if not len(masks) or torch.equal(boxes, cut):
        return masks
    return masks_over(cut, masks.float(), boxes, MASK_SIDE, "border").round().to(torch.uint8)
