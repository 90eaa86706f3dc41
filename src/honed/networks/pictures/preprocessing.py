"""How a picture becomes the numbers a backbone was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, np.dtype[Any]]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_FILTERS = {
    "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}  # fmt: skip


@dataclass(frozen=True)
class PicturePreprocessing:
    """Size and colours a backbone expects.

    Parameters
    ----------
    size : int
        Height and width of the square that is read, in pixels.
    crop_share : float
        The square is cut out of the middle of a picture whose short side is ``size / crop_share``.
    mean, std : three floats
        Of each channel, where pixels lie between 0 and ``scale``.
    scale : float
        255 where the backbone reads pixels as they are, 1 where it reads them divided by 255.
    bgr : bool
        Blue comes first.
    interpolation : str
        "nearest", "bilinear", "bicubic" or "lanczos".
    any_size : bool
        The backbone reads squares of other sizes as well.
    """

    size: int = 224
    crop_share: float = 1.0
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    scale: float = 1.0
    bgr: bool = False
    interpolation: str = "bicubic"
    any_size: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> PicturePreprocessing:
        """The inverse of :meth:`as_dict`."""
        return cls(**{**fields, "mean": tuple(fields["mean"]), "std": tuple(fields["std"])})

    def at(self, size: int) -> PicturePreprocessing:
        """The same for squares of another size."""
        return replace(self, size=size)

    def fitted(self, picture: Array) -> Array:
        """A picture (h, w, 3) uint8 resized and cut to (size, size, 3) uint8."""
        height, width = picture.shape[:2]
        if (height, width) == (self.size, self.size) and self.crop_share == 1.0:
            return picture
        short = self.size / self.crop_share
        factor = short / min(height, width)
        wide, high = max(self.size, round(width * factor)), max(self.size, round(height * factor))
        resized = Image.fromarray(picture).resize((wide, high), _FILTERS[self.interpolation])
        left, top = (wide - self.size) // 2, (high - self.size) // 2
        return np.asarray(resized.crop((left, top, left + self.size, top + self.size)))

    @property
    def shift_and_factor(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What is taken from a pixel (0 to 255) and what the rest is multiplied by, for each channel of the input."""
        unit = 255.0 if self.scale == 1.0 else 1.0
        return tuple(m * unit for m in self.mean), tuple(1.0 / (s * unit) for s in self.std)
