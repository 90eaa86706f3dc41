"""Variations of pictures with objects for training: mirrored, zoomed and cut with their boxes and outlines, brighter or darker.

A batch is varied from a generator, so that a resumed training sees the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import grid_sample

from honed.networks.detection.mask_cells import MASK_SIDE
from honed.networks.detection.masks import masks_over
from honed.networks.detection.truth import Objects


@dataclass(frozen=True)
class ObjectVariation:
    """How far pictures may be changed.

    Parameters
    ----------
    mirror : bool
        Left and right may change places.
    upright : bool
        False: what is above may be below, as under a microscope or on a belt.
    zoom : (float, float)
        Least and largest change of size.
    light : float
        Largest change of brightness, contrast and colour.
    least_seen : float
        An object of which less than this share is left after cutting is no longer asked for.
    """

    mirror: bool = True
    upright: bool = True
    zoom: tuple[float, float] = (0.75, 1.4)
    light: float = 0.2
    least_seen: float = 0.3

    def for_pictures(self, *, mirror: bool, upright: bool) -> ObjectVariation:
        """The same for pictures that may or may not be turned over."""
        return replace(self, mirror=mirror, upright=upright)


STRENGTHS = {"none": None, "light": ObjectVariation(zoom=(0.9, 1.15), light=0.1), "strong": ObjectVariation()}
"""By the name of the setting."""


def varied(
    pixels: torch.Tensor, objects: Sequence[Objects], extents: Sequence[tuple[int, int]], how: ObjectVariation,
    colour: tuple[float, float, float], rng: np.random.Generator,
) -> tuple[torch.Tensor, list[Objects]]:  # fmt: skip
    """Pictures on a canvas (n, 3, H, W), 0 to 1, and their objects, changed each in its own way.

    Parameters
    ----------
    extents : sequence of (h, w)
        How much of the canvas each picture fills.
    colour : three floats
        Of what lies outside a picture.
    """
    grounds, found = [], []
    blank = torch.tensor(colour).view(3, 1, 1)
    for picture, some, extent in zip(pixels, objects, extents, strict=True):
        view = _view(extent, tuple(picture.shape[1:]), how, rng)
        seen = _looked(picture - blank, view, extent) + blank
        grounds.append(_lit(seen, how.light, rng) if how.light else seen)
        found.append(_moved(some, view, tuple(picture.shape[1:]), how.least_seen))
    return torch.stack(grounds), found


@dataclass(frozen=True)
class _View:
    """A window of the canvas: its left upper corner and what it is enlarged by, in pixels, and how it is turned over."""

    left: float
    top: float
    zoom: float
    mirrored: bool
    overturned: bool


def _view(extent: tuple[int, int], canvas: tuple[int, ...], how: ObjectVariation, rng: np.random.Generator) -> _View:
    zoom = float(np.exp(rng.uniform(*np.log(how.zoom))))
    window = canvas[0] / zoom, canvas[1] / zoom
    top, left = (
        rng.uniform(min(0.0, extent[axis] - window[axis]), max(0.0, extent[axis] - window[axis])) for axis in (0, 1)
    )
    return _View(left, top, zoom, how.mirror and rng.random() < 0.5, not how.upright and rng.random() < 0.5)


def _looked(picture: torch.Tensor, view: _View, extent: tuple[int, int]) -> torch.Tensor:
    height, width = picture.shape[1:]
    x = view.left + (torch.arange(width) + 0.5) / view.zoom
    y = view.top + (torch.arange(height) + 0.5) / view.zoom
    x, y = (x.flip(0) if view.mirrored else x), (y.flip(0) if view.overturned else y)
    grid = torch.stack(torch.broadcast_tensors((x / width * 2 - 1)[None, :], (y / height * 2 - 1)[:, None]), dim=-1)
    return grid_sample(picture[None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=False)[0]


def _moved(objects: Objects, view: _View, canvas: tuple[int, ...], least_seen: float) -> Objects:
    height, width = canvas
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


def _lit(picture: torch.Tensor, most: float, rng: np.random.Generator) -> torch.Tensor:
    gain, shift = 1 + float(rng.uniform(-most, most)), float(rng.uniform(-most, most)) / 2
    cast = torch.as_tensor(1 + rng.uniform(-most, most, 3) / 2, dtype=torch.float32).view(3, 1, 1)
    return (picture * gain * cast + shift).clamp(0, 1)
