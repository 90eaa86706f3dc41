"""Pictures of any kind of colour as RGB of 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageChops

Array = np.ndarray[Any, np.dtype[Any]]
WHITE = (255, 255, 255, 255)
BITS_8, BITS_12, BITS_16 = 255, 4095, 65535


def in_rgb(image: Image.Image) -> Image.Image:
    """The loaded picture in mode RGB; see :func:`honed.data.pictures.open_picture` for what is done."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode == "CMYK":
        return _from_cmyk(image)
    if image.mode[0] == "I" or image.mode == "F":
        return Image.fromarray(scaled(np.asarray(image))).convert("RGB")
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        whole = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", whole.size, WHITE), whole).convert("RGB")
    return image.convert("RGB")


def _from_cmyk(image: Image.Image) -> Image.Image:
    """Pillow takes every JPEG for one of Adobe, which stores CMYK inverted; one without Adobe's mark is not."""
    if image.format in ("JPEG", "MPO") and "adobe" not in image.info:
        image = ImageChops.invert(image)
    return image.convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    found = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    assert found is not None
    return found


def scaled(values: Array) -> Array:
    """Greys of any depth as 8 bits (uint8, same shape).

    Whole numbers are taken for 8, 12 or 16 bits, by the smallest depth that holds the brightest: cameras and
    microscopes of 12 bits write files of 16. The scale is fixed for each depth, so pictures of one device stay
    comparable. Fractions up to 1 are shares of white. Anything else is stretched from its darkest to its brightest.
    """
    if values.dtype == np.bool_:
        return np.where(values, 255, 0).astype(np.uint8)
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.round(values)).all())
    white: float = next((depth for depth in (BITS_8, BITS_12, BITS_16) if high <= depth), 0)
    if not whole and high <= 1:
        white = 1
    if low < 0 or not white:
        values, white = values - low, max(high - low, 1e-12)
    found: Array = np.clip(np.round(values * (255.0 / white)), 0, 255).astype(np.uint8)
    return found
