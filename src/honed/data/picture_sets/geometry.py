"""Boxes and outlines: from shares to pixels, turned with their picture, cut at its edge."""

from __future__ import annotations

from operator import mul

from honed.data.picture_sets.raw import Box
from honed.data.picture_sets.rle import mask_of, text_of_mask

Point = tuple[float, float]
FARTHEST = 1e9
"""Pixels: the numbers of an outline together never reach so far."""


def turn_point(x: float, y: float, orientation: int, width: float, height: float) -> Point:
    """Where a point of the stored pixels (of this width and height) lies in the upright picture."""
    return {
        1: (x, y), 2: (width - x, y), 3: (width - x, height - y), 4: (x, height - y),
        5: (y, x), 6: (height - y, x), 7: (height - y, width - x), 8: (y, width - x),
    }[orientation]  # fmt: skip


def turn_box(box: Box, orientation: int, width: float, height: float) -> Box:
    """A box of the stored pixels in the upright picture."""
    ax, ay = turn_point(box[0], box[1], orientation, width, height)
    bx, by = turn_point(box[2], box[3], orientation, width, height)
    return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)


def turn_polygon(polygon: list[float], orientation: int, width: float, height: float) -> list[float]:
    """An outline (x, y, x, y, ...) of the stored pixels in the upright picture."""
    points = zip(polygon[::2], polygon[1::2], strict=True)
    return [number for x, y in points for number in turn_point(x, y, orientation, width, height)]


def turn_rle(text: str, orientation: int, width: int, height: int) -> str:
    """A mask of the stored pixels for the upright picture. Raises ValueError where it is none of this size."""
    mask = mask_of(text, height, width)
    if orientation >= 5:
        mask = mask.T
    flip_x, flip_y = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return text_of_mask(mask[:: -1 if flip_y else 1, :: -1 if flip_x else 1])


def scale_box(box: Box, width: float, height: float) -> Box:
    """Shares of the size into pixels."""
    return box[0] * width, box[1] * height, box[2] * width, box[3] * height


def scale_polygon(polygon: list[float], width: float, height: float) -> list[float]:
    """Shares of the size into pixels."""
    return [number * (height if place % 2 else width) for place, number in enumerate(polygon)]


def clip_box(box: Box, width: float, height: float) -> tuple[Box, float]:
    """The part of a box inside the picture, and by how many pixels it reached outside."""
    x1, y1, x2, y2 = box
    outside = max(-x1, -y1, x2 - width, y2 - height, 0.0)
    return (
        min(max(x1, 0.0), width),
        min(max(y1, 0.0), height),
        min(max(x2, 0.0), width),
        min(max(y2, 0.0), height),
    ), outside


def clip_polygon(polygon: list[float], width: float, height: float) -> list[float]:
    """The outline with every point moved into the picture; the same list where all lie in it."""
    x, y = polygon[::2], polygon[1::2]
    if min(x) >= 0 and min(y) >= 0 and max(x) <= width and max(y) <= height:
        return polygon
    pairs = zip(x, y, strict=True)
    return [number for px, py in pairs for number in (min(max(px, 0.0), width), min(max(py, 0.0), height))]


def is_outline(polygon: list[float]) -> bool:
    """Three points or more with an area between them."""
    if len(polygon) < 6 or len(polygon) % 2 or not sum(map(abs, polygon)) < FARTHEST:
        return False
    x, y = polygon[::2], polygon[1::2]
    area = sum(map(mul, x, y[1:] + y[:1])) - sum(map(mul, x[1:] + x[:1], y))
    return abs(area) > 1e-6
