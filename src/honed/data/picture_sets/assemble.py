"""From what the annotations say to one table: the headers of all pictures are read, and what cannot be is told."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from honed.data.picture_sets.check_objects import checked_objects
from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.raw import OBJECT, RawPicture, RawSet
from honed.data.pictures.facts import PictureFacts, read_facts
from honed.data.table import Table
from honed.errors import DataError

STRICTNESS = {"train": 0, None: 0, "validation": 1, "test": 2}
Kept = list[tuple[RawPicture, PictureFacts]]


def assemble(found: RawSet, ledger: Ledger, advance: Callable[[int], None] | None = None) -> Table:
    """One row for each picture that is there and can be read.

    Columns: ``image`` (absolute path), ``label`` or ``objects`` (as :data:`OBJECT`) where the set has them, ``width``
    and ``height`` (pixels, upright), ``part`` where the set has parts. ``findings`` tells all that was left out or changed.

    Raises
    ------
    DataError [D064]
        Not one picture is left.
    """
    pictures = _joined(found.pictures, ledger)
    kept = _readable(pictures, ledger, advance)
    if not kept:
        why = ledger.first("unreadable") or ledger.first("absent") or "there is none"
        raise DataError(
            "D064",
            f"{Path(found.root).absolute()} has no picture that can be used: {why}.",
            "Check where the pictures lie.",
        )
    columns: dict[str, Any] = {"image": pa.array([raw.path for raw, _ in kept], pa.string())}
    if any(raw.objects is not None for raw, _ in kept):
        columns["objects"] = pa.array([checked_objects(raw, facts, ledger) for raw, facts in kept], pa.list_(OBJECT))
    elif any(raw.label is not None for raw, _ in kept):
        columns["label"] = pa.array([raw.label for raw, _ in kept], pa.string())
        _tell_copies(kept, ledger)
    columns["width"] = pa.array([facts.width for _, facts in kept], pa.int32())
    columns["height"] = pa.array([facts.height for _, facts in kept], pa.int32())
    if any(raw.part for raw, _ in kept):
        columns["part"] = pa.array([raw.part for raw, _ in kept], pa.string())
    _compare_classes(columns, found.classes, ledger)
    rows = {raw.path: row for row, (raw, _) in enumerate(kept)}
    reading = {"format": found.kind, **found.reading, **({"parts": "given"} if "part" in columns else {})}
    name = Path(found.root).name
    return Table(pa.table(columns), name, _digest(found.root, kept, columns), reading, ledger.findings(rows))


def _joined(pictures: Sequence[RawPicture], ledger: Ledger) -> list[RawPicture]:
    """Each path once: objects joined, the most strictly held out of several parts."""
    by_path: dict[str, RawPicture] = {}
    for picture in pictures:
        first = by_path.setdefault(picture.path, picture)
        if first is picture:
            continue
        if first.part != picture.part:
            ledger.note("several parts", f"{picture.path}: {first.part} and {picture.part}", picture.path)
            first.part = max(first.part, picture.part, key=STRICTNESS.__getitem__)
        else:
            ledger.note("listed twice", picture.path, picture.path)
        if first.objects is not None and picture.objects:
            first.objects.extend(picture.objects)
    return list(by_path.values())


def _readable(pictures: list[RawPicture], ledger: Ledger, advance: Callable[[int], None] | None) -> Kept:
    kept: Kept = []
    for raw, facts in zip(pictures, read_facts([raw.path for raw in pictures], advance=advance), strict=True):
        if isinstance(facts, PictureFacts):
            kept.append((raw, facts))
        elif facts.code == "D001":
            ledger.note("absent", raw.path)
        else:
            ledger.note("unreadable", facts.seen.removesuffix("."))
    return kept


def _tell_copies(kept: Kept, ledger: Ledger) -> None:
    """Tell of one picture file under several labels (equal in size and in its first 16 KiB)."""
    groups: dict[str, list[RawPicture]] = defaultdict(list)
    for raw, facts in kept:
        groups[facts.sketch].append(raw)
    for group in groups.values():
        labels = sorted({raw.label for raw in group if raw.label is not None})
        if len(labels) > 1:
            ledger.note("several labels", f"{group[0].path}: {', '.join(labels)}", group[0].path)


def _compare_classes(columns: dict[str, Any], classes: tuple[str, ...], ledger: Ledger) -> None:
    """Classes of the list that no object has, and classes that only held-out pictures have."""
    used = _classes_by_part(columns)
    everywhere = set().union(*used.values())
    for name in classes if used else ():
        if name not in everywhere:
            ledger.note("unused class", name)
    if not used.get("train"):
        return
    for name in sorted(everywhere - used["train"] - used.get("", set())):
        ledger.note("class in one part", name)


def _classes_by_part(columns: dict[str, Any]) -> dict[str, set[str]]:
    used: dict[str, set[str]] = defaultdict(set)
    n_rows = len(columns["image"])
    parts = columns["part"].to_pylist() if "part" in columns else [""] * n_rows
    if "objects" in columns:
        lists = columns["objects"]
        labels = lists.flatten().field("label").to_pylist()
        owners = pc.list_parent_indices(lists).to_pylist()
        for owner, label in zip(owners, labels, strict=True):
            used[parts[owner] or ""].add(label)
    elif "label" in columns:
        for part, label in zip(parts, columns["label"].to_pylist(), strict=True):
            if label is not None:
                used[part or ""].add(label)
    return used


def _digest(root: str, kept: Kept, columns: dict[str, Any]) -> str:
    """A digest of names, sizes and beginnings of the pictures and of all that is said about them: quick to make, the
    same wherever the set lies."""
    digest = hashlib.sha256()
    for raw, facts in kept:
        digest.update(f"{os.path.relpath(raw.path, root)}\0{facts.sketch}\n".encode("utf-8", "surrogatepass"))
    for name in ("objects", "label", "part"):
        if name in columns:
            _digest_values(columns[name], digest)
    return digest.hexdigest()


def _digest_values(values: pa.Array, digest: Any) -> None:
    """Put the values into a digest, column by column down to numbers and texts, so that no cell becomes an object."""
    digest.update(np.packbits(np.asarray(values.is_null())).tobytes())
    if pa.types.is_list(values.type):
        digest.update(np.asarray(values.value_lengths().fill_null(0)).tobytes())
        _digest_values(values.flatten(), digest)
    elif pa.types.is_struct(values.type):
        for child in values.flatten():
            _digest_values(child, digest)
    elif pa.types.is_string(values.type):
        digest.update("\0".join(values.fill_null("").to_pylist()).encode())
    else:
        digest.update(np.asarray(values.cast(pa.float64()).fill_null(0)).tobytes())
