"""Up to 48 pictures of a set on one page, with their labels or objects: the quickest way to see what is wrong with data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from honed.data.pictures import Source, open_picture, picture_facts
from honed.errors import DataError
from honed.media.colours import Colour, class_colours, font, on, shortened
from honed.media.drawn_objects import as_bytes, draw_objects

Array = np.ndarray[Any, np.dtype[Any]]
Objects = Sequence[Mapping[str, Any]]
GAP, LETTERS, LINE = 8, 14, 22
PAPER, INK, FAINT = (255, 255, 255), (30, 30, 30), (225, 225, 225)
MOST_NAMED = 30
"""Classes in the legend."""


def contact_sheet(
    pictures: Sequence[Source],
    labels: Sequence[str | None] | None = None,
    objects: Sequence[Objects | None] | None = None,
    *,
    most: int = 48,
    columns: int = 8,
    side: int = 200,
    seed: int = 0,
) -> bytes:
    """One JPEG with pictures of all classes in turn, rare classes as often as frequent ones.

    Parameters
    ----------
    pictures : sequence of paths or bytes
    labels : sequence of str or None, optional
        Written under each picture, which are then sorted by label.
    objects : sequence of lists of mappings, optional
        Drawn on each picture; a legend tells the colours. See :func:`honed.media.drawn_objects.draw_objects`.
    most : int
        Pictures at most.
    columns, side : int
        Pictures in a row; pixels of the square in which each is shown.
    seed : int
        Which pictures of a class are taken.

    Returns
    -------
    bytes
        Pictures that cannot be opened are shown as an empty square that says so.
    """
    classes = _classes(len(pictures), labels, objects)
    chosen = choose(classes, most, seed)
    if labels is not None:
        chosen.sort(key=lambda row: (labels[row] is None, labels[row] or "", row))
    colours = class_colours(label for found in classes for label in found)
    columns = max(1, min(columns, len(chosen)))
    top = _legend_lines(colours, columns * (side + GAP)) if objects is not None else []
    captions = LINE if labels is not None else 0
    head = GAP + LINE * len(top)
    rows = -(-len(chosen) // columns)
    size = GAP + columns * (side + GAP), head + rows * (side + captions + GAP)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    _write_legend(pen, top, colours)
    for place, row in enumerate(chosen):
        x = GAP + place % columns * (side + GAP)
        y = head + place // columns * (side + captions + GAP)
        _show(sheet, pictures[row], objects[row] if objects is not None else None, colours, (x, y, side))
        if labels is not None:
            _caption(pen, labels[row], colours, (x, y + side, side))
    return as_bytes(np.asarray(sheet))


def _classes(n: int, labels: Sequence[str | None] | None, objects: Sequence[Objects | None] | None) -> list[set[str]]:
    if labels is not None:
        return [{label} if label is not None else set() for label in labels]
    if objects is not None:
        return [{str(item["label"]) for item in found or ()} for found in objects]
    return [set() for _ in range(n)]


def choose(classes: Sequence[set[str]], most: int, seed: int = 0) -> list[int]:
    """Up to ``most`` rows in which each class occurs about as often as the others; sorted.

    The classes take turns, the rarest first; each takes a row, by lot, that it has and that is not taken. Rows without
    a class take a turn like a class.
    """
    order = np.random.default_rng(seed).permutation(len(classes)).tolist()
    having: dict[str, list[int]] = defaultdict(list)
    for row in order:
        for label in classes[row] or {""}:
            having[label].append(row)
    queues = [having[label] for label in sorted(having, key=lambda label: (len(having[label]), label))]
    taken: dict[int, None] = {}
    while queues and len(taken) < most:
        for queue in queues:
            while queue and queue[-1] in taken:
                queue.pop()
            if queue and len(taken) < most:
                taken[queue.pop()] = None
        queues = [queue for queue in queues if queue]
    return sorted(taken)


def _show(
    sheet: Image.Image,
    source: Source,
    objects: Objects | None,
    colours: Mapping[str, Colour],
    place: tuple[int, int, int],
) -> None:
    """One picture in the middle of its square."""
    x, y, side = place
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((x, y, x + side - 1, y + side - 1), fill=FAINT)
    try:
        facts = picture_facts(source)
        picture = open_picture(source, at_least=(side, side))
    except DataError as error:
        pen.line((x, y, x + side, y + side), fill=PAPER, width=2)
        text = shortened(f"[{error.code}] cannot be opened", LETTERS, side - 8)
        pen.text((x + side / 2, y + side / 2), text, fill=INK, font=font(LETTERS), anchor="mm")
        return
    size = facts.height, facts.width
    drawn = draw_objects(picture, objects or (), colours=colours, longest=side, names=False, full_size=size)
    image = Image.fromarray(drawn)
    sheet.paste(image, (x + (side - image.width) // 2, y + (side - image.height) // 2))


def _caption(
    pen: ImageDraw.ImageDraw, label: str | None, colours: Mapping[str, Colour], place: tuple[int, int, int]
) -> None:
    x, y, side = place
    colour = colours[label] if label is not None else FAINT
    pen.rectangle((x, y, x + side - 1, y + LINE - 2), fill=colour)
    text = shortened(label if label is not None else "no label", LETTERS, side - 8)
    pen.text((x + 4, y + LINE / 2), text, fill=on(colour), font=font(LETTERS), anchor="lm")


def _legend_lines(colours: Mapping[str, Colour], width: int) -> list[list[str]]:
    """The names of the classes, as many to a line as fit."""
    names = list(colours)[:MOST_NAMED]
    if len(colours) > MOST_NAMED:
        names.append(f"and {len(colours) - MOST_NAMED} more")
    lines: list[list[str]] = [[]]
    used = 0.0
    for name in names:
        needed = _legend_width(name)
        if used + needed > width and lines[-1]:
            lines.append([])
            used = 0.0
        lines[-1].append(name)
        used += needed
    return lines


def _legend_width(name: str) -> float:
    return font(LETTERS).getlength(shortened(name, LETTERS, 240)) + 12 + GAP


def _write_legend(pen: ImageDraw.ImageDraw, lines: list[list[str]], colours: Mapping[str, Colour]) -> None:
    for number, names in enumerate(lines):
        x, y = float(GAP), GAP / 2 + number * LINE
        for name in names:
            width = _legend_width(name)
            colour = colours.get(name, PAPER)
            pen.rectangle((x, y, x + width - GAP, y + LINE - 4), fill=colour)
            text = shortened(name, LETTERS, 240)
            pen.text((x + 6, y + LINE / 2 - 2), text, fill=on(colour), font=font(LETTERS), anchor="lm")
            x += width
