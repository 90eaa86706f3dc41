"""Masks as shares of the cells of a grid over their box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

MASK_SIDE = 56
"""A mask is kept as this many by this many values over its box."""


def mask_in_box(mask: np.ndarray, box_xyxy: Sequence[float], side: int = MASK_SIDE) -> np.ndarray:  # type: ignore[type-arg]
    """A mask (h, w) bool of a whole picture as shares (side, side) uint8, 0 to 255, over its box."""
    whole = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(whole.resize((side, side), Image.Resampling.BILINEAR, box=tuple(float(v) for v in box_xyxy)))  # type: ignore[arg-type]
