"""Training pictures made of several: four in one (mosaic), and objects of one laid onto another (copy-paste).

References
----------
Bochkovskiy et al., *YOLOv4*, 2020; Ghiasi et al., *Simple copy-paste is a strong data augmentation method*, 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch.nn.functional import interpolate

from honed.networks.detection.mask_cells import MASK_SIDE
from honed.networks.detection.masks import masks_over
from honed.networks.detection.truth import Objects
from honed.networks.detection.views import View, looked, moved

Extent = tuple[int, int]
CROSSING, SHRUNK = (0.35, 0.65), (0.5, 1.0)
"""Where the four parts of a mosaic meet, as a share of the canvas, and what they are shrunk to."""
MOST_PASTED, TRIES, MOST_HIDDEN = 3, 5, 0.3
"""Objects laid onto one picture, places tried for each, and how much of what lies there may be hidden."""


class Mixing(Protocol):
    """Share of pictures put together of four, share of those that get objects of another, and what counts as gone."""

    @property
    def mosaic(self) -> float: ...
    @property
    def paste(self) -> float: ...
    @property
    def least_seen(self) -> float: ...


def mixed(
    pixels: torch.Tensor, objects: Sequence[Objects], extents: Sequence[Extent], how: Mixing,
    colour: tuple[float, float, float], rng: np.random.Generator,
) -> tuple[torch.Tensor, list[Objects], list[Extent]]:  # fmt: skip
    """Pictures (n, 3, H, W) with their objects and extents, some of them mixed with others of the batch."""
    grounds, found, reach = [], [], []
    canvas = (int(pixels.shape[2]), int(pixels.shape[3]))
    for number, (picture, some, extent) in enumerate(zip(pixels, objects, extents, strict=True)):
        if how.mosaic and rng.random() < how.mosaic:
            chosen = [number, *rng.integers(0, len(pixels), 3).tolist()]
            picture, some = _four(
                pixels, objects, extents, rng.permutation(chosen).tolist(), how.least_seen, colour, rng
            )
            extent = canvas
        if how.paste and rng.random() < how.paste:
            donor = int(rng.integers(0, len(pixels)))
            picture, some = _pasted(picture, some, extent, pixels[donor], objects[donor], rng)
        grounds.append(picture)
        found.append(some)
        reach.append(extent)
    return torch.stack(grounds), found, reach


def _four(
    pixels: torch.Tensor, objects: Sequence[Objects], extents: Sequence[Extent], chosen: Sequence[int], least_seen: float,
    colour: tuple[float, float, float], rng: np.random.Generator,
) -> tuple[torch.Tensor, Objects]:  # fmt: skip
    height, width = pixels.shape[2:]
    blank = torch.tensor(colour).view(3, 1, 1)
    found, parts = torch.empty_like(pixels[0]), []
    down, across = (round(side * rng.uniform(*CROSSING)) for side in (height, width))
    places = [(0, 0, down, across), (0, across, down, width), (down, 0, height, across), (down, across, height, width)]
    for number, (top, left, bottom, right) in zip(chosen, places, strict=True):
        size = (bottom - top, right - left)
        view = _somewhere(extents[number], size, rng)
        found[:, top:bottom, left:right] = looked(pixels[number] - blank, view, size) + blank
        part = moved(objects[number], view, size, least_seen)
        parts.append(part._replace(boxes=part.boxes + torch.tensor([left, top] * 2)))
    return found, _together(parts)


def _somewhere(extent: Extent, size: Extent, rng: np.random.Generator) -> View:
    """A window of a picture, shrunk, that shows as much of it as fits."""
    zoom = float(rng.uniform(*SHRUNK))
    top, left = (
        float(rng.uniform(min(0.0, whole - part / zoom), max(0.0, whole - part / zoom)))
        for whole, part in zip(extent, size, strict=True)
    )
    return View(left, top, zoom)


def _together(parts: Sequence[Objects]) -> Objects:
    masks = None if any(part.masks is None for part in parts) else torch.cat([part.masks for part in parts])  # type: ignore[misc]
    crowds = [torch.zeros(len(part.boxes), dtype=torch.bool) if part.crowd is None else part.crowd for part in parts]
    boxes, labels = (torch.cat([part[k] for part in parts]) for k in (0, 1))  # type: ignore[misc]
    return Objects(boxes, labels, masks, torch.cat(crowds))


def _pasted(
    picture: torch.Tensor,
    objects: Objects,
    extent: Extent,
    donor: torch.Tensor,
    given: Objects,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, Objects]:
    """A few objects of a donor laid onto a picture, where they hide little of what is there; nothing is changed in place."""
    single = torch.ones(len(given.boxes), dtype=torch.bool) if given.crowd is None else ~given.crowd
    few = rng.permutation(torch.nonzero(single).flatten().tolist())[:MOST_PASTED]
    picture = picture.clone()
    for number in few.tolist():
        box = given.boxes[number].round().long().tolist()
        mask = None if given.masks is None else given.masks[number]
        place = _place(box, objects.boxes, extent, rng)
        if place is None:
            continue
        shape = _shape(mask, (box[3] - box[1], box[2] - box[0]))
        new = torch.tensor([[*place, place[0] + shape.shape[1], place[1] + shape.shape[0]]], dtype=torch.float32)
        onto = picture[:, place[1] : place[1] + shape.shape[0], place[0] : place[0] + shape.shape[1]]
        onto += shape * (donor[:, box[1] : box[3], box[0] : box[2]] - onto)
        label = given.labels[number : number + 1]
        laid = Objects(new, label, None if mask is None else mask[None])
        objects = _together([_behind(objects, new, mask), laid])
    return picture, objects


def _place(box: Sequence[int], there: torch.Tensor, extent: Extent, rng: np.random.Generator) -> tuple[int, int] | None:
    """Left and top of a place within the picture where a box hides little; None where no try found one."""
    width, height = box[2] - box[0], box[3] - box[1]
    if min(width, height) < 2 or width >= extent[1] or height >= extent[0]:
        return None
    areas = (there[:, 2:] - there[:, :2]).prod(dim=1).clamp(min=1e-3)
    for _ in range(TRIES):
        left, top = int(rng.integers(0, extent[1] - width)), int(rng.integers(0, extent[0] - height))
        low = torch.maximum(there[:, :2], torch.tensor([left, top]))
        high = torch.minimum(there[:, 2:], torch.tensor([left + width, top + height]))
        hidden = (high - low).clamp(min=0).prod(dim=1) / areas
        if not len(there) or float(hidden.max()) <= MOST_HIDDEN:
            return left, top
    return None


def _shape(mask: torch.Tensor | None, size: Extent) -> torch.Tensor:
    """How much of each pixel (h, w) an object covers, 0 to 1; a box with a soft edge where no outline is known."""
    if mask is not None:
        return interpolate(mask[None, None].float() / 255, size=size, mode="bilinear", antialias=True)[0, 0]
    lines = [(torch.minimum(torch.arange(side), torch.arange(side).flip(0)) + 1).float() for side in size]
    down, across = (line / (0.1 * side + 1) for line, side in zip(lines, size, strict=True))
    return (down.clamp(max=1)[:, None] * across.clamp(max=1)[None]).contiguous()


def _behind(objects: Objects, box: torch.Tensor, mask: torch.Tensor | None) -> Objects:
    """Objects whose outlines lose what a pasted one hides."""
    if objects.masks is None or mask is None or not len(objects.boxes):
        return objects
    n = len(objects.boxes)
    hidden = masks_over(objects.boxes, mask[None].float().expand(n, -1, -1) / 255, box.expand(n, -1), MASK_SIDE)
    return objects._replace(masks=(objects.masks * (1 - hidden)).round().to(torch.uint8))
