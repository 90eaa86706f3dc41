"""Figures of a picture from which drift is told and parts are made: light, contrast, colour, sharpness, noise, size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from honed.data.pictures import in_threads, open_picture
from honed.errors import DataError
from honed.media.medium import Array

NAMES = ("brightness", "contrast", "saturation", "sharpness", "graininess", "width", "height")
SIDE = 64
NOTHING = (float("nan"),) * len(NAMES)


def traits_of(source: Any) -> tuple[float, ...]:
    """Brightness, contrast, saturation and sharpness of the picture at 64 pixels (0 to 1), graininess at full resolution,
    width and height in pixels; NaN for one that cannot be opened."""
    try:
        picture = open_picture(source)
    except DataError:
        return NOTHING
    height, width = picture.shape[:2]
    small = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32) / 255
    grey = small.mean(axis=2)
    colour = small.max(axis=2) - small.min(axis=2)
    edges = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    return (
        float(grey.mean()), float(grey.std()), float(colour.mean()), float(edges), _grain(picture), float(width), float(height),
    )  # fmt: skip


def _grain(picture: Array) -> float:
    """Median difference of a pixel from the mean of its neighbours, 0 to 1, in the middle of the picture."""
    height, width = picture.shape[:2]
    top, left = max(0, height // 2 - 128), max(0, width // 2 - 128)
    grey = picture[top : top + 256, left : left + 256].astype(np.float32).mean(axis=2) / 255
    if min(grey.shape) < 3:
        return 0.0
    around = (grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]) / 4
    return float(np.median(np.abs(grey[1:-1, 1:-1] - around)))


def forms(sources: Sequence[Any]) -> Mapping[str, Array]:
    """Pictures that are dark or bright, faded, colourless, blurred, grainy, small, or upright against the others."""
    found = np.array(in_threads(traits_of, sources), dtype=np.float64)
    if not len(found):
        return {}
    low, high = np.nanquantile(found, [0.25, 0.75], axis=0)
    return {
        "dark pictures (darkest quarter)": found[:, 0] <= low[0],
        "bright pictures (brightest quarter)": found[:, 0] >= high[0],
        "pictures of little contrast": found[:, 1] <= low[1],
        "pictures of little colour": found[:, 2] <= low[2],
        "pictures with few edges (blurred or plain)": found[:, 3] <= low[3],
        "grainy pictures": found[:, 4] >= high[4],
        "small pictures": np.minimum(found[:, 5], found[:, 6]) < np.nanmedian(np.minimum(found[:, 5], found[:, 6])),
        "upright pictures": found[:, 6] > found[:, 5],
    }
