"""Folders of pictures: one folder for each class, perhaps below folders of parts; or pictures without labels."""

from __future__ import annotations

import os
from pathlib import Path

from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.locate import files_under, part_of
from honed.data.picture_sets.raw import RawPicture, RawSet

Steps = tuple[str, ...]
TABLES = frozenset((".csv", ".tsv", ".jsonl", ".parquet", ".xlsx"))


def read_folder(folder: Path, ledger: Ledger) -> RawSet | None:
    """``folder/class/...`` or ``folder/train/class/...``; a folder of pictures alone gives rows without labels.

    None where no picture lies in it. Pictures may lie deeper below their class.
    """
    pictures, others = files_under(folder)
    if not pictures:
        return None
    steps = {path: Path(path).relative_to(folder).parts for path in pictures}
    has_parts = _are_parts({way[0] for way in steps.values() if len(way) > 1}, list(steps.values()))
    rows = [_row(path, way, has_parts) for path, way in steps.items()]
    labelled = any(row.label is not None for row in rows)
    for path in others:
        is_table = not labelled and Path(path).suffix.lower() in TABLES
        ledger.note("table beside" if is_table else "no picture", os.path.relpath(path, folder))
    if labelled:
        rows = [row for row in rows if _in_class(row, folder, ledger)]
    classes = tuple(sorted({row.label for row in rows if row.label is not None}))
    return RawSet(str(folder), "folders of pictures" if labelled else "pictures", rows, classes)


def _are_parts(first: set[str], ways: list[Steps]) -> bool:
    """Whether the folders on the first level are parts, not classes: all named so, with training pictures among them.

    Two classes named "train" and "test" would be taken for parts; without a "train" they stay classes.
    """
    parts = {part_of(name) for name in first}
    if None in parts or "train" not in parts:
        return False
    return len(parts) > 1 or any(len(way) > 2 for way in ways)


def _row(path: str, way: Steps, has_parts: bool) -> RawPicture:
    folders = way[:-1]
    part = part_of(folders[0]) if has_parts and folders else None
    if has_parts:
        folders = folders[1:]
    return RawPicture(str(Path(path).absolute()), label=folders[0] if folders else None, part=part)


def _in_class(row: RawPicture, folder: Path, ledger: Ledger) -> bool:
    """Test pictures without a class are kept (they can be predicted), others cannot be learnt from."""
    if row.label is None and row.part != "test":
        ledger.note("outside classes", os.path.relpath(row.path, folder))
        return False
    return True
