"""Pictures as the network reads them: scaled to fit a canvas, laid into its upper left corner. Written by Honed."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps

ORIENTATION = 0x0112


def encode(rows: Sequence[Sequence[Any]], facts: dict[str, Any]) -> dict[str, Any]:
    """``pixels`` (n, 3, H, W) uint8 and ``size`` (n, 2), height and width of the upright pictures as they came.

    A row holds a path, the bytes of a file, or a data URI; ``facts`` are those of ``objects.json``.
    """
    high, wide = facts["canvas"]
    laid, sizes = [], []
    for row in rows:
        picture, size = opened(row[0], (2 * high, 2 * wide))
        scale = min(high / picture.height, wide / picture.width)
        wanted = (max(1, min(wide, round(picture.width * scale))), max(1, min(high, round(picture.height * scale))))
        if wanted != picture.size:
            picture = picture.resize(wanted, Image.Resampling.BILINEAR, reducing_gap=3.0)
        canvas = np.empty((3, high, wide), dtype=np.uint8)
        canvas[:] = np.round(np.asarray(facts["colour"]) * 255).astype(np.uint8)[:, None, None]
        canvas[:, : picture.height, : picture.width] = np.asarray(picture).transpose(2, 0, 1)
        laid.append(canvas)
        sizes.append(size)
    return {"pixels": np.stack(laid), "size": np.array(sizes)}


def opened(source: Any, enough: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    """The upright picture in RGB, decoded at a half or a quarter where that is enough, and its true height and width."""
    if isinstance(source, str) and source.startswith("data:"):
        source = base64.b64decode(source.partition(",")[2])
    image: Image.Image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    lies = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    (width, height), (least_height, least_width) = image.size, enough
    image.draft(None, (least_height, least_width) if lies else (least_width, least_height))
    picture = ImageOps.exif_transpose(image).convert("RGB")
    return picture, (width, height) if lies else (height, width)
