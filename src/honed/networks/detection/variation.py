"""Variations of pictures with objects for training: mirrored, zoomed and cut with their boxes and outlines, brighter or darker.

A batch is varied from a generator, so that a resumed training sees the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import interpolate

from honed.networks.detection.mixing import mixed
from honed.networks.detection.truth import Objects
from honed.networks.detection.views import View, looked, moved


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
    mosaic, paste : float
        Share of pictures put together of four, and of those that get objects of another; see :mod:`mixing`.
    sizes : floats
        What the sides of the canvas are multiplied by, one of them drawn for each batch.
    """

    mirror: bool = True
    upright: bool = True
    zoom: tuple[float, float] = (0.75, 1.4)
    light: float = 0.2
    least_seen: float = 0.3
    mosaic: float = 0.0
    paste: float = 0.0
    sizes: tuple[float, ...] = (1.0,)

    def for_pictures(self, *, mirror: bool, upright: bool) -> ObjectVariation:
        """The same for pictures that may or may not be turned over."""
        return replace(self, mirror=mirror, upright=upright)


STRENGTHS = {
    "none": None, "light": ObjectVariation(zoom=(0.9, 1.15), light=0.1), "strong": ObjectVariation(),
    "mosaic": ObjectVariation(mosaic=0.5), "pasted": ObjectVariation(paste=0.5), "sizes": ObjectVariation(sizes=(0.75, 1.0, 1.25)),
}  # fmt: skip
"""By the name of the setting."""
TRIED = ("strong", "mosaic", "pasted", "sizes")
"""Those among which a short trial on held-out pictures chooses."""


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
    if how.mosaic or how.paste:
        pixels, objects, extents = mixed(pixels, objects, extents, how, colour, rng)
    grounds, found, canvas = [], [], pixels.shape[2:]
    blank = torch.tensor(colour).view(3, 1, 1)
    for picture, some, extent in zip(pixels, objects, extents, strict=True):
        view = _view(extent, canvas, how, rng)
        seen = looked(picture - blank, view, canvas) + blank
        grounds.append(_lit(seen, how.light, rng) if how.light else seen)
        found.append(moved(some, view, canvas, how.least_seen))
    return torch.stack(grounds), found


def resized(
    pixels: torch.Tensor, objects: Sequence[Objects], size: tuple[int, int]
) -> tuple[torch.Tensor, list[Objects]]:
    """Pictures (n, 3, H, W) and their objects on a canvas of another height and width."""
    across, down = size[1] / pixels.shape[3], size[0] / pixels.shape[2]
    found = interpolate(pixels, size=size, mode="bilinear", antialias=True)
    return found, [some._replace(boxes=some.boxes * torch.tensor([across, down] * 2)) for some in objects]


def _view(extent: tuple[int, int], canvas: tuple[int, ...], how: ObjectVariation, rng: np.random.Generator) -> View:
    zoom = float(np.exp(rng.uniform(*np.log(how.zoom))))
    window = canvas[0] / zoom, canvas[1] / zoom
    top, left = (
        rng.uniform(min(0.0, extent[axis] - window[axis]), max(0.0, extent[axis] - window[axis])) for axis in (0, 1)
    )
    return View(left, top, zoom, how.mirror and rng.random() < 0.5, not how.upright and rng.random() < 0.5)


def _lit(picture: torch.Tensor, most: float, rng: np.random.Generator) -> torch.Tensor:
    gain, shift = 1 + float(rng.uniform(-most, most)), float(rng.uniform(-most, most)) / 2
    cast = torch.as_tensor(1 + rng.uniform(-most, most, 3) / 2, dtype=torch.float32).view(3, 1, 1)
    return (picture * gain * cast + shift).clamp(0, 1)
