"""What can be wrong with pictures and their objects for learning to find them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.tasks.classification.validate import absent_columns
from honed.tasks.image_classification.validate import check_pictures
from honed.wording import counted

MIN_PICTURES, FEW_OBJECTS, TINY = 8, 10, 16.0
MOST_NAMED = 5


def check_all(table: Table, roles: Roles, outlines: bool) -> list[Finding]:
    """Blockers, issues and tips of the pictures and of their objects; never raises for bad data."""
    found = check_pictures(table, roles.inputs)
    if roles.target is None or roles.target not in table.names:
        absent = absent_columns(table, [roles.target]) if roles.target else []
        message = f"{table.source} says of no picture which objects are on it."
        return [*found, *(absent or [Finding("D020", "blocker", message, "Pass annotations: COCO, VOC or YOLO.")])]
    return [*found, *check_objects(table, roles.target, outlines)]


def check_objects(table: Table, target: str, outlines: bool) -> list[Finding]:
    """What the column of objects itself shows."""
    values = table.column(target)
    there = [value for value in values if _is_objects(value)]
    if not there:
        message = f'Column "{target}" lists no objects in any of the {table.n_rows:,} rows.'
        remedy = "Pass annotations: COCO json, Pascal VOC xml, or YOLO txt beside the pictures."
        return [Finding("D183", "blocker", message, remedy, columns=(target,))]
    counts = Counter(str(item["label"]) for value in there for item in value if not item.get("crowd"))
    if not counts:
        message = f"None of the {counted(len(there), 'picture')} has an object on it. There is nothing to learn."
        return [Finding("D183", "blocker", message, "Check the annotations.", columns=(target,))]
    if len(there) < MIN_PICTURES:
        message = f"Only {counted(len(there), 'picture')} with objects. At least {MIN_PICTURES} are needed."
        return [Finding("D025", "blocker", message, "Annotate more pictures.", columns=(target,))]
    found = [*_unlabelled(values, there, target), *_rare(counts, target), *_tiny(table, there, target)]
    return [*found, *(_without_outline(there, target) if outlines else [])]


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and "box_xyxy" in item for item in value)


def _unlabelled(values: list[Any], there: list[Any], target: str) -> list[Finding]:
    rows = tuple(row + 1 for row, value in enumerate(values) if not _is_objects(value))
    if not rows:
        return []
    message = f"{counted(len(rows), 'picture')} of {len(values):,} have no annotation and are left out."
    return [Finding("D027", "issue", message, "Annotate them.", columns=(target,), rows=rows[:20], n_rows=len(rows))]


def _rare(counts: Counter[str], target: str) -> list[Finding]:
    rare = [(label, n) for label, n in counts.most_common() if n < FEW_OBJECTS]
    if not rare:
        return []
    names = ", ".join(f"{label} ({n})" for label, n in rare[:MOST_NAMED]) + (", ..." if len(rare) > MOST_NAMED else "")
    message = f"{counted(len(rare), 'label')} with fewer than {FEW_OBJECTS} objects, hardly to be learnt: {names}."
    return [Finding("D184", "issue", message, "Annotate more of them.", columns=(target,))]


def _tiny(table: Table, there: list[Any], target: str) -> list[Finding]:
    sides = [
        min(item["box_xyxy"][2] - item["box_xyxy"][0], item["box_xyxy"][3] - item["box_xyxy"][1])
        for value in there
        for item in value
        if not item.get("crowd")
    ]
    tiny = sum(side < TINY for side in sides)
    if tiny < 0.1 * len(sides):
        return []
    message = f"{tiny:,} of {counted(len(sides), 'object')} are under {TINY:.0f} pixels wide or high."
    return [
        Finding("D185", "tip", message, "Such objects are often missed: take pictures from nearer.", columns=(target,))
    ]


def _without_outline(there: list[Any], target: str) -> list[Finding]:
    bare = sum(
        not (item.get("polygons") or item.get("rle")) for value in there for item in value if not item.get("crowd")
    )
    if not bare:
        return []
    message = f"{counted(bare, 'object')} have a box but no outline; they neither teach nor count."
    remedy = "Draw their outlines, or name --task object-detection."
    return [Finding("D186", "issue", message, remedy, columns=(target,), n_rows=bare)]
