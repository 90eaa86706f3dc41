"""The canvas on which pictures are read: one size for all, so that neither the batch nor the padding changes an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Canvas:
    """Height and width in pixels. A picture is scaled to fit and laid into the upper left corner."""

    height: int
    width: int

    def in_multiples(self, multiple: int) -> Canvas:
        """The same, its sides rounded up to multiples of so many pixels."""
        return Canvas(-(-self.height // multiple) * multiple, -(-self.width // multiple) * multiple)

    def scale_of(self, size: tuple[int, int]) -> float:
        """What a picture of this height and width is multiplied by."""
        return min(self.height / size[0], self.width / size[1])

    def fitted(self, picture: Array | Image.Image) -> Array:
        """A picture (h, w, 3) uint8, or one of Pillow in RGB, scaled to fit, (h', w', 3) uint8."""
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        scale = self.scale_of((image.height, image.width))
        wanted = (
            max(1, min(self.width, round(image.width * scale))), max(1, min(self.height, round(image.height * scale)))
        )  # fmt: skip
        if wanted != image.size:
            image = image.resize(wanted, Image.Resampling.BILINEAR, reducing_gap=3.0)
        return np.asarray(image)

    def laid(self, picture: Array, colour: tuple[float, float, float]) -> Array:
        """A fitted picture on the canvas, (3, height, width) uint8, the rest in a colour given as shares of 1."""
        canvas = np.empty((3, self.height, self.width), dtype=np.uint8)
        canvas[:] = np.round(np.asarray(colour) * 255).astype(np.uint8)[:, None, None]
        canvas[:, : picture.shape[0], : picture.shape[1]] = picture.transpose(2, 0, 1)
        return canvas


def canvas_for(
    sizes: Array, side: float, multiple: int, *, least: int = 256, most: int = 640, readable: float = 28.0
) -> Canvas:
    """A canvas for pictures of these sizes (n, 2) whose smallest kind of object is usually ``side`` wide, all in pixels.

    Pictures are made so small that such an object is still ``readable`` pixels wide, within bounds of the long side; the
    shape is that of most pictures, a square where some lie and some stand.
    """
    long_side = float(np.median(sizes.max(axis=1)))
    wanted = float(np.clip(long_side * readable / max(side, 1.0), least, most))
    long = min(wanted, max(least, 1.25 * long_side))
    lying = float((sizes[:, 1] > 1.1 * sizes[:, 0]).mean())
    standing = float((sizes[:, 0] > 1.1 * sizes[:, 1]).mean())
    shape = np.median(sizes.min(axis=1) / sizes.max(axis=1)) if max(lying, standing) > 0.8 else 1.0
    short = long * float(shape)
    height, width = (short, long) if lying >= standing else (long, short)
    return Canvas(_up(height, multiple), _up(width, multiple))


def _up(length: float, multiple: int) -> int:
    return max(multiple, round(length / multiple + 0.25) * multiple)
