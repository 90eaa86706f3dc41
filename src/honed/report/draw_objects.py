"""One picture with its objects drawn on it: boxes, outlines and names."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from honed.data.picture_sets.rle import mask_of
from honed.report.colours import Colour, class_colours, font, on, shortened

Array = np.ndarray[Any, np.dtype[Any]]
Rectangle = tuple[float, float, float, float]
VEIL = 90
"""How strongly an outline is filled, of 255."""


def draw_objects(
    picture: Array,
    objects: Sequence[Mapping[str, Any]],
    *,
    colours: Mapping[str, Colour] | None = None,
    longest: int | None = None,
    names: bool = True,
    full_size: tuple[int, int] | None = None,
) -> Array:
    """The picture with each object's box, outline, name and score.

    Parameters
    ----------
    picture : uint8 array (height, width, 3), RGB
    objects : sequence of mappings
        ``label`` and ``box_xyxy`` (pixels of the picture); also ``score`` (0 to 1), ``polygons``, ``rle``, ``crowd``, as
        in a table of a picture set. Surest first, so that the surest are drawn on top.
    colours : mapping, optional
        Colour of each class; else by the classes drawn, in alphabetical order.
    longest : int, optional
        Pixels of the longer side of the result; small pictures are made larger before anything is written on them.
    names : bool
        Write the names.
    full_size : (int, int), optional
        Height and width of the picture that the objects were found in, if ``picture`` is a smaller one of it.

    Returns
    -------
    uint8 array (height, width, 3), RGB
    """
    height, width = full_size or picture.shape[:2]
    scale = (longest or max(picture.shape[:2])) / max(height, width)
    image = Image.fromarray(picture)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS if size < image.size else Image.Resampling.BICUBIC)
    colours = colours or class_colours(str(item["label"]) for item in objects)
    drawn = list(reversed(objects))
    for item in drawn:
        image = _filled(image, item, colours[str(item["label"])], scale, (height, width))
    pen = ImageDraw.Draw(image)
    line = max(2, round(max(image.size) / 300))
    for item in drawn:
        _box(pen, item, colours[str(item["label"])], scale, line)
    if names:
        _write_names(pen, objects, colours, scale, image.size)
    return np.array(image)


def _filled(
    image: Image.Image, item: Mapping[str, Any], colour: Colour, scale: float, size: tuple[int, int]
) -> Image.Image:
    """The picture with a veil of the colour over the object's outline or mask."""
    pen = ImageDraw.Draw(image, "RGBA")
    for polygon in item.get("polygons") or ():
        pen.polygon([number * scale for number in polygon], fill=(*colour, VEIL), outline=(*colour, 255))
    if item.get("rle"):
        mask = Image.fromarray(mask_of(item["rle"], *size).astype(np.uint8) * VEIL)
        image.paste(Image.new("RGB", image.size, colour), mask=mask.resize(image.size, Image.Resampling.NEAREST))
    return image


def _box(pen: ImageDraw.ImageDraw, item: Mapping[str, Any], colour: Colour, scale: float, line: int) -> None:
    """The box in its colour between two thin lines, one light and one dark, so that it shows on anything."""
    x1, y1, x2, y2 = (number * scale for number in item["box_xyxy"])
    x2, y2 = max(x1 + 1, x2 - 1), max(y1 + 1, y2 - 1)
    pen.rectangle(
        (x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=(255, 255, 255) if on(colour) == (255, 255, 255) else (0, 0, 0)
    )
    pen.rectangle((x1, y1, x2, y2), outline=colour, width=1 if item.get("crowd") else line)


def _write_names(
    pen: ImageDraw.ImageDraw,
    objects: Sequence[Mapping[str, Any]],
    colours: Mapping[str, Colour],
    scale: float,
    size: tuple[int, int],
) -> None:
    """Each name at a corner of its box where no other stands yet; the surest first."""
    letters = max(10, round(max(size) / 45))
    taken: list[Rectangle] = []
    for item in objects:
        label, score = str(item["label"]), item.get("score")
        text = label + ("" if score is None else f" {score:.0%}") + (" (group)" if item.get("crowd") else "")
        text = shortened(text, letters, size[0] - 6)
        width, height = font(letters).getlength(text) + 4, letters * 1.3
        place = _place([number * scale for number in item["box_xyxy"]], width, height, size, taken)
        taken.append(place)
        colour = colours[label]
        pen.rectangle(place, fill=colour)
        pen.text((place[0] + 2, place[1] + height / 2), text, fill=on(colour), font=font(letters), anchor="lm")


def _place(
    box: Sequence[float], width: float, height: float, size: tuple[int, int], taken: list[Rectangle]
) -> Rectangle:
    """Above the box, below it, inside at its top or bottom: the first that lies in the picture and is free."""
    x = min(max(0.0, box[0]), max(0.0, size[0] - width))
    tries = [(x, y, x + width, y + height) for y in (box[1] - height, box[3], box[1], box[3] - height)]
    inside = [one for one in tries if one[1] >= 0 and one[3] <= size[1]]
    free = [one for one in inside if not any(_meet(one, other) for other in taken)]
    top = min(max(0.0, box[1]), max(0.0, size[1] - height))
    return (free or inside or [(x, top, x + width, top + height)])[0]


def _meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def as_bytes(picture: Array, kind: str = "JPEG") -> bytes:
    """RGB pixels as the bytes of a file, "JPEG" or "PNG"."""
    stream = io.BytesIO()
    options: dict[str, Any] = {"quality": 88, "optimize": True} if kind == "JPEG" else {}
    Image.fromarray(picture).save(stream, kind, **options)
    return stream.getvalue()
