"""Colours for classes that stay apart from each other and from what is written on them, and a font to write with."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

Colour = tuple[int, int, int]
FIRST: tuple[Colour, ...] = (
    (230, 159, 0), (0, 114, 178), (0, 158, 115), (213, 94, 0), (204, 121, 167), (86, 180, 233), (240, 228, 66),
    (146, 36, 40), (118, 73, 190), (0, 0, 0),
)  # fmt: skip
"""Told apart by people with any kind of colour vision (Okabe and Ito, *Color universal design*, 2008), and three more."""
GOLDEN = 0.618033988749895


def class_colours(labels: Iterable[str]) -> dict[str, Colour]:
    """A colour for each class, by its place in alphabetical order, so that a set has the same colours everywhere."""
    return {label: _colour(place) for place, label in enumerate(sorted(set(labels)))}


def _colour(place: int) -> Colour:
    if place < len(FIRST):
        return FIRST[place]
    red, green, blue = colorsys.hsv_to_rgb(place * GOLDEN % 1, (0.9, 0.6)[place % 2], (0.85, 0.6, 0.95)[place % 3])
    return round(red * 255), round(green * 255), round(blue * 255)


def on(colour: Colour) -> Colour:
    """Black or white, whichever is read better on this colour (WCAG relative luminance)."""
    linear = [(c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans, which knows most alphabets, from matplotlib's files (matplotlib itself is not loaded)."""
    spec = find_spec("matplotlib")
    places = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    for place in places:
        path = place / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def shortened(text: str, size: int, width: float) -> str:
    """The text, cut with "…" so that it is no wider than so many pixels."""
    letters = font(size)
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
