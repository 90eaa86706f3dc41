"""Changes of a picture that change no answer of a good model: noise, blur, compression, light, size, a small turn."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from honed.data.pictures import open_picture
from honed.media.medium import Array, Edit


def encoded(picture: Array | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(stream, kind, **({"compress_level": 1} if kind == "PNG" else {}) | options)
    return stream.getvalue()


def _edit(
    change: Callable[[Image.Image, np.random.Generator], Image.Image],
) -> Callable[[Any, np.random.Generator], bytes]:
    def apply(source: Any, rng: np.random.Generator) -> bytes:
        return encoded(change(Image.fromarray(open_picture(source)), rng))

    return apply


def _noise(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(picture, dtype=np.float32)
    return Image.fromarray(np.clip(pixels + rng.normal(0, 16, pixels.shape), 0, 255).astype(np.uint8))


def _blur(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(max(0.6, min(picture.size) / 100)))


def _dark(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(0.6)


def _bright(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(1.4)


def _faded(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(picture).enhance(0.6)


def _small(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    half = (max(1, picture.width // 2), max(1, picture.height // 2))
    return picture.resize(half, Image.Resampling.BOX).resize(picture.size, Image.Resampling.BILINEAR)


def _turned(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    angle = float(rng.choice((-5.0, 5.0)))
    return picture.rotate(angle, Image.Resampling.BILINEAR, fillcolor=_border(picture))


def _border(picture: Image.Image) -> tuple[int, ...]:
    pixels = np.asarray(picture)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(int(value) for value in np.median(edge, axis=0))


def _jpeg(source: Any, rng: np.random.Generator) -> bytes:
    return encoded(open_picture(source), "JPEG", quality=25)


EDITS = (
    Edit("noise", "noise of a poor camera", _edit(_noise)),
    Edit("blur", "a little out of focus", _edit(_blur)),
    Edit("jpeg", "strongly compressed (JPEG at 25)", _jpeg),
    Edit("dark", "darker by 40 %", _edit(_dark)),
    Edit("bright", "brighter by 40 %", _edit(_bright)),
    Edit("faded", "less contrast by 40 %", _edit(_faded)),
    Edit("small", "half the resolution", _edit(_small)),
    Edit("turned", "turned by 5 degrees", _edit(_turned), moves=True),
)
