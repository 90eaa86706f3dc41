"""One annotation of a COCO file as an object, and boxes that seem to be written in another way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.raw import Box, RawObject, RawPicture
from honed.data.picture_sets.rle import text_of_counts

MOST_OUTSIDE, NEARLY_ALL = 0.3, 0.95
"""More than this share of boxes outside their pictures as corner and size, and this share inside as two corners."""


def object_of(
    annotation: Any, names: Mapping[Any, str], unnamed: set[str], ledger: Ledger, where: str
) -> RawObject | None:
    """The object, or None where it cannot be understood (told). ``unnamed`` gathers numbers that have no name where the
    file has no names at all."""
    if not isinstance(annotation, dict):
        return None
    number = annotation.get("category_id")
    polygons, rle = _outline(annotation.get("segmentation"))
    box = _box(annotation.get("bbox"), polygons)
    if box is None or not isinstance(number, int | str):
        ledger.note("unreadable line", where)
        return None
    if names and number not in names:
        ledger.note("unknown class", f"number {number}, {where}")
        return None
    if not names:
        unnamed.add(f"number {number}")
    return RawObject(names.get(number, str(number)), box, bool(annotation.get("iscrowd")), polygons or None, rle)


def _box(value: Any, polygons: list[list[float]]) -> Box | None:
    """Two corners from x, y, width, height; from the outline where there is no box."""
    if value is None and polygons:
        x = [number for line in polygons for number in line[::2]]
        y = [number for line in polygons for number in line[1::2]]
        return min(x), min(y), max(x), max(y)
    if not isinstance(value, list) or not _are_numbers(value) or len(value) != 4:
        return None
    left, top, width, height = map(float, value)
    return left, top, left + width, top + height


def _outline(value: Any) -> tuple[list[list[float]], str | None]:
    """The polygons, or the mask as compressed counts. Outlines that are neither come as a line too short to be one."""
    if isinstance(value, dict):
        counts = value.get("counts")
        if isinstance(counts, list) and _are_numbers(counts):
            return [], text_of_counts([int(count) for count in counts])
        return [], counts if isinstance(counts, str) else "?"
    if not isinstance(value, list):
        return [], None
    if _are_numbers(value) and value:  # one polygon without the list around it
        value = [value]
    lines = [[float(number) for number in line] if _are_numbers(line) else [0.0, 0.0] for line in value]
    return [line if len(line) > 1 else [0.0, 0.0] for line in lines], None


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and {int, float}.issuperset(map(type, value))


def tell_corners(pictures: Iterable[RawPicture], ledger: Ledger) -> None:
    """Tell where boxes would leave their pictures as x, y, width, height, but not as two corners."""
    outside = inside = total = 0
    for picture in pictures:
        if picture.claimed is None:
            continue
        width, height = picture.claimed
        for x1, y1, x2, y2 in (item.box for item in picture.objects or ()):
            total += 1
            outside += x2 > width + 2 or y2 > height + 2
            inside += x2 - x1 > x1 and y2 - y1 > y1 and x2 - x1 <= width + 2 and y2 - y1 <= height + 2
    if total and outside > MOST_OUTSIDE * total and inside > NEARLY_ALL * total:
        ledger.note("corners", f"{outside:,} of {total:,} boxes would leave their pictures", times=total)
