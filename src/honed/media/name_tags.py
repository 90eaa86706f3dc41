"""Names at the corners of boxes: readable, in the picture, and off each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import ImageDraw

from honed.media.colours import Colour, font, on, shortened

Rectangle = tuple[float, float, float, float]
CROWD = 20
"""More tags than this are written smaller."""


@dataclass(frozen=True)
class Tag:
    """What is written at a box.

    Parameters
    ----------
    box : left, top, right, bottom in pixels of the drawing
    name : str
    score : float or None
        Between 0 and 1; left away where there is no room for it.
    colour : (int, int, int)
        Of the paper; the letters are black or white.
    """

    box: Rectangle
    name: str
    score: float | None
    colour: Colour


def letters_for(longest: int, n: int = 1) -> int:
    """Height of letters, in pixels, that are read well in a picture with this longer side; smaller for a crowd of n."""
    return max(11, min(30, round(longest / (46 if n <= CROWD else 60))))


def write_tags(pen: ImageDraw.ImageDraw, tags: Sequence[Tag], size: tuple[int, int]) -> list[Rectangle]:
    """Write tags, the first with the first choice of place; gives the places taken.

    Where it is too crowded for a tag, it is written without its score, then not at all; but each name is written once.
    """
    letters = letters_for(max(size), len(tags))
    taken: list[Rectangle] = []
    named: set[str] = set()
    for tag in tags:
        texts = [tag.name] if tag.score is None else [f"{tag.name} {tag.score:.0%}", tag.name]
        texts = [shortened(text, letters, size[0] - letters) for text in texts]
        sizes = [_size_of(text, letters) for text in texts]
        found = next(
            ((text, place) for text, extent in zip(texts, sizes, strict=True) if (place := free_place(tag.box, extent, size, taken))),
            None,
        )  # fmt: skip
        if found is None and tag.name not in named:
            found = texts[-1], places_of(tag.box, sizes[-1], size)[0]
        if found is not None:
            _write(pen, *found, tag.colour, letters)
            taken.append(found[1])
            named.add(tag.name)
    return taken


def _size_of(text: str, letters: int) -> tuple[float, float]:
    return round(font(letters).getlength(text) + 0.6 * letters), round(1.35 * letters)


def _write(pen: ImageDraw.ImageDraw, text: str, place: Rectangle, colour: Colour, letters: int) -> None:
    left, top, right, bottom = place
    pen.rounded_rectangle((left, top, right - 1, bottom - 1), radius=max(2, letters // 6), fill=colour)
    middle = left + 0.3 * letters, (top + bottom) / 2
    pen.text(middle, text, fill=on(colour), font=font(letters), anchor="lm")


def places_of(box: Rectangle, extent: tuple[float, float], size: tuple[int, int]) -> list[Rectangle]:
    """Where a tag of this width and height may stand: above the box, below it, inside it, beside it; all in the picture."""
    width, height = extent
    left, top, right, bottom = box
    corners = [
        (left, top - height), (left, bottom), (right - width, top - height), (right - width, bottom), (left, top),
        (left, bottom - height), (right, top), (left - width, top), (right, bottom - height), (left - width, bottom - height),
    ]  # fmt: skip
    inside = [
        (x, y) for x, y in corners if y >= 0 and y + height <= size[1] and x > -width / 2 and x < size[0] - width / 2
    ]
    moved = [(min(max(0.0, x), max(0.0, size[0] - width)), y) for x, y in inside]
    moved = moved or [(min(max(0.0, left), max(0.0, size[0] - width)), min(max(0.0, top), max(0.0, size[1] - height)))]
    return [(round(x), round(y), round(x) + width, round(y) + height) for x, y in moved]


def free_place(
    box: Rectangle, extent: tuple[float, float], size: tuple[int, int], taken: Sequence[Rectangle]
) -> Rectangle | None:
    """The first place that meets no tag."""
    free = (place for place in places_of(box, extent, size) if not any(_meet(place, other) for other in taken))
    return next(free, None)


def _meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
