"""Variations of pictures for training: shifted, scaled, turned a little, mirrored, brighter or darker, partly covered.

A whole batch is varied at once, from a generator, so that a resumed training sees the same pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample


@dataclass(frozen=True)
class Variation:
    """How far pictures may be changed.

    Parameters
    ----------
    mirror : bool
        Left and right may change places.
    scale, shift : float
        Largest change of size, and of place, as a share of the picture.
    turn : float
        Largest turn, in radians.
    light : float
        Largest change of brightness, contrast and saturation.
    cover : float
        Side of the grey square that hides a part, as a share of the picture; 0 for none.
    """

    mirror: bool = True
    scale: float = 0.15
    shift: float = 0.1
    turn: float = 0.1
    light: float = 0.2
    cover: float = 0.3


STRENGTHS = {
    "none": None,
    "light": Variation(scale=0.1, shift=0.08, turn=0.0, light=0.1, cover=0.0),
    "strong": Variation(),
}
"""By the name of the setting."""


def varied(pixels: torch.Tensor, how: Variation, rng: np.random.Generator) -> torch.Tensor:
    """Pictures (n, 3, h, w), 0 to 255, changed each in its own way; float32."""
    n, height = pixels.shape[0], pixels.shape[2]

    def draw(most: float) -> Any:
        return torch.as_tensor(rng.uniform(-most, most, n), dtype=torch.float32)

    angle, size = draw(how.turn), 1.0 + draw(how.scale)
    side = (
        torch.as_tensor(np.where(rng.random(n) < 0.5, -1.0, 1.0), dtype=torch.float32) if how.mirror else torch.ones(n)
    )
    theta = torch.stack(
        [
            torch.stack([side * size * torch.cos(angle), -size * torch.sin(angle), 2 * draw(how.shift)], dim=1),
            torch.stack([side * size * torch.sin(angle), size * torch.cos(angle), 2 * draw(how.shift)], dim=1),
        ],
        dim=1,
    )
    grid = affine_grid(theta, list(pixels.shape), align_corners=False)
    found = grid_sample(pixels.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if how.light:
        found = _lit(found, draw(how.light), draw(how.light), draw(how.light))
    if how.cover:
        _cover(found, max(1, round(how.cover * height)), rng)
    return found


def _lit(pixels: torch.Tensor, brightness: torch.Tensor, contrast: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    grey = pixels.mean(dim=1, keepdim=True)
    pixels = grey + (pixels - grey) * (1 + colour)[:, None, None, None]
    pixels = mean + (pixels - mean) * (1 + contrast)[:, None, None, None]
    return (pixels * (1 + brightness)[:, None, None, None]).clamp_(0, 255)


def _cover(pixels: torch.Tensor, side: int, rng: np.random.Generator) -> None:
    n, _, height, width = pixels.shape
    tops, lefts = rng.integers(-side // 2, height - side // 2, n), rng.integers(-side // 2, width - side // 2, n)
    for picture, top, left, hidden in zip(pixels, tops.tolist(), lefts.tolist(), rng.random(n) < 0.5, strict=True):
        if hidden:
            picture[:, max(0, top) : top + side, max(0, left) : left + side] = 127.0
