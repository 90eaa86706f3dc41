"""The objects of one picture, held against the picture itself: turned, cut at its edge, and told where they are wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from honed.data.picture_sets import geometry
from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.raw import Box, RawObject, RawPicture
from honed.data.picture_sets.rle import counts_of_text
from honed.data.pictures.facts import PictureFacts

SMALLEST = 0.5
"""Pixels: a box less wide or high than this has no area."""
ROUNDING = 0.01
"""Pixels by which a box may reach outside its picture without a word: numbers are written with so many digits."""
SLIGHT = 2.0
"""Pixels by which programs that count from 1, or include the last pixel, go wrong."""


def checked_objects(raw: RawPicture, facts: PictureFacts, ledger: Ledger) -> list[dict[str, Any]] | None:
    """The objects as rows of ``raw.OBJECT``, in pixels of the upright picture; None for pictures without annotations."""
    if raw.objects is None:
        return None
    name = Path(raw.path).name
    turn = _turned(raw, facts, ledger)
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    for item in raw.objects:
        _place(item, raw, facts, turn)
        box = _inside(item, facts, ledger, name, raw.path)
        if box is None:
            continue
        key = (item.label, item.crowd, *(round(number, 2) for number in box))
        if key in kept:
            ledger.note("repeated", _shown(item.label, box, name), raw.path)
            continue
        kept[key] = {
            "label": item.label,
            "box_xyxy": list(box),
            "crowd": item.crowd,
            **_outline(item, facts, ledger, name),
        }
    if not kept:
        ledger.note("emptied" if raw.objects else raw.empty, name, raw.path)
    return list(kept.values())


def _turned(raw: RawPicture, facts: PictureFacts, ledger: Ledger) -> bool:
    """Whether the boxes were drawn on the stored pixels of a picture that is shown turned."""
    name = Path(raw.path).name
    upright = (facts.width, facts.height)
    if raw.claimed not in (None, upright):
        if facts.orientation >= 5 and raw.claimed == facts.stored_size:
            ledger.note("turned", name, raw.path)
            return True
        ledger.note("size", f"{name}: {raw.claimed} stated, {upright} found (width, height)", raw.path)
    settled = facts.orientation >= 5 and raw.claimed == upright and facts.width != facts.height
    if facts.orientation > 1 and raw.objects and not settled:
        ledger.note("perhaps turned", f"{name}: orientation {facts.orientation}", raw.path)
    return False


def _place(item: RawObject, raw: RawPicture, facts: PictureFacts, turn: bool) -> None:
    """Coordinates into pixels of the upright picture, in place."""
    if raw.relative:
        item.box = geometry.scale_box(item.box, facts.width, facts.height)
        if item.polygons:
            item.polygons = [geometry.scale_polygon(line, facts.width, facts.height) for line in item.polygons]
    if turn:
        width, height = facts.stored_size
        item.box = geometry.turn_box(item.box, facts.orientation, width, height)
        if item.polygons:
            whole = [line for line in item.polygons if len(line) % 2 == 0]
            item.polygons = [geometry.turn_polygon(line, facts.orientation, width, height) for line in whole]
        if item.rle:
            item.rle = _turned_rle(item.rle, facts)


def _turned_rle(text: str, facts: PictureFacts) -> str:
    try:
        return geometry.turn_rle(text, facts.orientation, *facts.stored_size)
    except ValueError:
        return text  # told with the other outlines


def _inside(item: RawObject, facts: PictureFacts, ledger: Ledger, name: str, path: str) -> Box | None:
    """The box cut at the edge of the picture, or None where nothing of it is left."""
    width, height = float(facts.width), float(facts.height)
    if not all(map(math.isfinite, item.box)):
        ledger.note("degenerate", _shown(item.label, item.box, name), path)
        return None
    box, outside = geometry.clip_box(item.box, width, height)
    if box[2] - box[0] < SMALLEST or box[3] - box[1] < SMALLEST:
        ledger.note("degenerate", _shown(item.label, item.box, name), path)
        return None
    if outside > ROUNDING:
        ledger.note("clipped" if outside > SLIGHT else "rounded", _shown(item.label, item.box, name), path)
    return box


def _outline(item: RawObject, facts: PictureFacts, ledger: Ledger, name: str) -> dict[str, Any]:
    """The polygons or the mask, where they are good; what is not is told."""
    polygons = [line for line in item.polygons or () if geometry.is_outline(line)]
    clipped = [geometry.clip_polygon(line, float(facts.width), float(facts.height)) for line in polygons]
    good = [new for new, old in zip(clipped, polygons, strict=True) if new is old or geometry.is_outline(new)]
    rle = item.rle if item.rle and _fits(item.rle, facts) else None
    if len(good) < len(item.polygons or ()) or (item.rle and not rle):
        ledger.note("bad outline", _shown(item.label, item.box, name))
    return {"polygons": good or None, "rle": rle}


def _fits(text: str, facts: PictureFacts) -> bool:
    try:
        return sum(counts_of_text(text)) == facts.width * facts.height
    except ValueError:
        return False


def _shown(label: str, box: Box, name: str) -> str:
    numbers = ", ".join(f"{number:.6g}" for number in box)
    return f"{label} ({numbers}) in {name}"
