"""One picture with objects drawn on it: boxes, outlines and names, of answers and of the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from honed.data.picture_sets.rle import mask_of
from honed.media.colours import Colour, class_colours, on
from honed.media.name_tags import Rectangle, Tag, write_tags
from honed.media.picture_edits import encoded

Array = np.ndarray[Any, np.dtype[Any]]
Item = Mapping[str, Any]
"""An object of an answer (``label``, ``score``, ``box``, ``mask``) or of a picture set (``label``, ``box_xyxy``, ``crowd``,
``polygons``, ``rle``); boxes are left, top, right, bottom in pixels of the upright picture."""
MOST_SIDE, LEAST_SIDE = 2048, 480
"""Pixels of the longer side of what :func:`drawn` gives: names must be readable, also on tiny pictures."""
VEIL, CASING = 100, 220
"""How strongly an outline is filled, and how strong the thin lines beside a box are, of 255."""
PAPER: Colour = (255, 255, 255)
SAME_PLACE = 0.5
"""Overlap (intersection over union) from which an answer with the right label has found a true object."""


def drawn(
    picture: Array,
    objects: Sequence[Item],
    *,
    truth: Sequence[Item] | None = None,
    most_side: int = MOST_SIDE,
    colours: Mapping[str, Colour] | None = None,
    full_size: tuple[int, int] | None = None,
) -> Image.Image:
    """The picture with what a model found, and with what is really there.

    Answers have lines, a veil and a name in the colour of their label. True objects have white dashes; those that no answer
    found are named.

    Parameters
    ----------
    picture : uint8 array (height, width, 3), RGB
    objects, truth : sequences of mappings
        See :data:`Item`.
    most_side : int
        Pixels of the longer side of the result, at most. Pictures below ``LEAST_SIDE`` are made larger.
    colours : mapping, optional
        Colour of each label; else by the labels drawn, in alphabetical order.
    full_size : (int, int), optional
        Height and width of the picture that the objects belong to, if ``picture`` is a smaller one of it.
    """
    size = full_size or picture.shape[:2]
    longest = min(most_side, max(LEAST_SIDE, *size))
    true = list(truth or ())
    colours = colours or class_colours(str(item["label"]) for item in (*objects, *true))
    surest = sorted(objects, key=lambda item: -float(item.get("score") or 0.0))
    image, scale = _enlarged(picture, size, longest)
    image = _with_shapes(image, surest, colours, scale, size)
    pen = ImageDraw.Draw(image, "RGBA")
    for item in true:
        _dashes(pen, _box(item, scale), _line(image))
    missed = [Tag(_box(item, scale), f"true: {item['label']}", None, PAPER) for item in _missed(true, objects)]
    write_tags(pen, [*missed, *_tags(surest, colours, scale)], image.size)
    return image


def draw_objects(
    picture: Array,
    objects: Sequence[Item],
    *,
    colours: Mapping[str, Colour] | None = None,
    longest: int | None = None,
    names: bool = True,
    full_size: tuple[int, int] | None = None,
) -> Array:
    """The picture with each object's box, outline, name and score, in exactly the size asked for.

    Parameters
    ----------
    picture : uint8 array (height, width, 3), RGB
    objects : sequence of mappings
        See :data:`Item`. Surest first: the first choose the places of their names.
    colours : mapping, optional
        Colour of each label; else by the labels drawn, in alphabetical order.
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
    size = full_size or picture.shape[:2]
    colours = colours or class_colours(str(item["label"]) for item in objects)
    image, scale = _enlarged(picture, size, longest or max(picture.shape[:2]))
    image = _with_shapes(image, objects, colours, scale, size)
    if names:
        write_tags(ImageDraw.Draw(image), _tags(objects, colours, scale), image.size)
    return np.array(image)


def _enlarged(picture: Array, size: tuple[int, int], longest: int) -> tuple[Image.Image, float]:
    """The picture with this longer side, and what coordinates are multiplied by."""
    height, width = size
    scale = longest / max(height, width)
    image = Image.fromarray(picture)
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    if wanted != image.size:
        image = image.resize(wanted, Image.Resampling.LANCZOS if wanted[0] < image.width else Image.Resampling.BICUBIC)
    return image, scale


def _with_shapes(
    image: Image.Image, objects: Sequence[Item], colours: Mapping[str, Colour], scale: float, size: tuple[int, int]
) -> Image.Image:
    """Veils, then boxes; small objects over large ones."""
    by_size = sorted(objects, key=lambda item: -_area(_box(item, 1.0)))
    for item in by_size:
        inside = _inside(item, image.size, scale, size)
        if inside is not None:
            _veil(image, inside, colours[str(item["label"])])
    pen = ImageDraw.Draw(image, "RGBA")
    for item in by_size:
        _frame(pen, _box(item, scale), colours[str(item["label"])], 1 if item.get("crowd") else _line(image))
    return image


def _line(image: Image.Image) -> int:
    return max(2, round(max(image.size) / 320))


def _box(item: Item, scale: float) -> Rectangle:
    """The box in pixels of the drawing, at least one of them wide."""
    x1, y1, x2, y2 = (float(number) * scale for number in (item["box"] if "box" in item else item["box_xyxy"]))
    return x1, y1, max(x1 + 1, x2), max(y1 + 1, y2)


def _area(box: Rectangle) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _inside(item: Item, wanted: tuple[int, int], scale: float, size: tuple[int, int]) -> Array | None:
    """The outline or mask over the drawing, bool (height, width); None where there is none."""
    if item.get("polygons"):
        mask = Image.new("L", wanted)
        pen = ImageDraw.Draw(mask)
        for polygon in item["polygons"]:
            pen.polygon([number * scale for number in polygon], fill=255)
    elif item.get("mask") or item.get("rle"):
        height, width = item["mask"]["size"] if item.get("mask") else size
        counts = item["mask"]["counts"] if item.get("mask") else item["rle"]
        whole = Image.fromarray(mask_of(counts, int(height), int(width)).astype(np.uint8) * 255)
        mask = whole.resize(wanted, Image.Resampling.BILINEAR)
    else:
        return None
    return np.asarray(mask) >= 128


def _veil(image: Image.Image, inside: Array, colour: Colour) -> None:
    """A veil of the colour with a rim, and around it a thin line of the opposite lightness."""
    rim = inside & _grown(~inside, max(1, max(image.size) // 640))
    strength = np.where(rim, 255, inside * VEIL)
    image.paste(colour, mask=Image.fromarray(strength.astype(np.uint8)))
    around = _grown(inside, 1) & ~inside
    image.paste(on(colour), mask=Image.fromarray((around * (CASING // 2)).astype(np.uint8)))


def _grown(inside: Array, by: int) -> Array:
    """Pixels that have one inside beside, above or below them within so many pixels."""
    wide, (height, width) = np.pad(inside, by), inside.shape
    grown = inside.copy()
    for down, right in ((0, by), (2 * by, by), (by, 0), (by, 2 * by)):
        grown |= wide[down : down + height, right : right + width]
    return grown


def _frame(pen: ImageDraw.ImageDraw, box: Rectangle, colour: Colour, line: int) -> None:
    """The box in its colour between two thin lines of the opposite lightness, so that it shows on anything."""
    left, top, right, bottom = round(box[0]), round(box[1]), round(box[2]) - 1, round(box[3]) - 1
    right, bottom = max(left, right), max(top, bottom)
    case = (*on(colour), CASING)
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=case)
    if min(right - left, bottom - top) > 2 * line + 1:
        pen.rectangle((left + line, top + line, right - line, bottom - line), outline=case)
    pen.rectangle((left, top, right, bottom), outline=colour, width=line)


def _dashes(pen: ImageDraw.ImageDraw, box: Rectangle, line: int) -> None:
    """White dashes with a dark rim; what lies under the box is seen between them."""
    left, top, right, bottom = (round(number) for number in box)
    dash, step = 4 * line, 8 * line
    right, bottom = max(left + line, right), max(top + line, bottom)
    runs = [(x, y, min(x + dash, right), y + line) for y in (top, bottom - line) for x in range(left, right, step)]
    runs += [(x, y, x + line, min(y + dash, bottom)) for x in (left, right - line) for y in range(top, bottom, step)]
    for x1, y1, x2, y2 in runs:
        pen.rectangle((x1 - 1, y1 - 1, x2, y2), fill=(0, 0, 0, 220))
    for x1, y1, x2, y2 in runs:
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), fill=PAPER)


def _tags(objects: Iterable[Item], colours: Mapping[str, Colour], scale: float) -> list[Tag]:
    return [
        Tag(
            _box(item, scale), str(item["label"]) + (" (group)" if item.get("crowd") else ""), item.get("score"),
            colours[str(item["label"])],
        )
        for item in objects
    ]  # fmt: skip


def _missed(truth: Sequence[Item], objects: Sequence[Item]) -> list[Item]:
    """True objects in whose place no answer has their label."""
    return [
        item
        for item in truth
        if not any(
            str(other["label"]) == str(item["label"]) and _overlap(_box(item, 1.0), _box(other, 1.0)) >= SAME_PLACE
            for other in objects
        )
    ]


def _overlap(one: Rectangle, other: Rectangle) -> float:
    """Intersection over union."""
    left, top, right, bottom = (
        max(one[0], other[0]),
        max(one[1], other[1]),
        min(one[2], other[2]),
        min(one[3], other[3]),
    )
    shared = _area((left, top, right, bottom))
    return shared / (_area(one) + _area(other) - shared)


def as_bytes(picture: Array | Image.Image, kind: str = "JPEG") -> bytes:
    """RGB pixels as the bytes of a file to be sent or kept, "JPEG" or "PNG"."""
    options: dict[str, Any] = {"quality": 88, "optimize": True} if kind == "JPEG" else {"compress_level": 4}
    return encoded(picture, kind, **options)
