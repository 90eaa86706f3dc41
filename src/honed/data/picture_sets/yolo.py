"""YOLO: data.yaml with the names of the classes, and a text file of numbers for each picture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from honed.data.picture_sets.documents import damaged, read_yaml
from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.locate import files_under, part_of
from honed.data.picture_sets.raw import RawPicture, RawSet
from honed.data.picture_sets.yolo_lines import Lines

KIND = "YOLO"
NAMES_FILES = ("classes.txt", "obj.names", "_darknet.labels", "classes.names")
PARTS = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}


def read_yolo_file(path: Path, ledger: Ledger) -> RawSet | None:
    """The data.yaml of a set, or None where the file is none."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        return None
    fields = read_yaml(path)
    if not isinstance(fields, dict) or "names" not in fields or not any(key in fields for key in PARTS):
        return None
    parts = dict(_parts(path, fields, ledger))
    pictures: list[tuple[str, str | None]] = [(path, part) for part, found in parts.items() for path in found]
    lines = Lines(_names_of(fields, path), ledger, _count(fields), has_points="kpt_shape" in fields)
    return _as_set(path.parent, pictures, lines, ledger)


def read_yolo_folder(folder: Path, ledger: Ledger) -> RawSet | None:
    """A folder with a data.yaml, or with label files and, perhaps, a list of names; None where there is neither."""
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        found = read_yolo_file(path, ledger)
        if found is not None:
            return found
    names_file = next((path for name in NAMES_FILES for path in _places(folder, name)), None)
    if names_file is None and not any(path.suffix == ".txt" for path in folder.glob("labels/**/*.txt")):
        return None
    pictures, _ = files_under(folder)
    rows = [(path, _part_of_path(Path(path).relative_to(folder))) for path in pictures]
    if not any(label_file(path).is_file() for path, _ in rows):
        return None
    names = dict(enumerate(_lines(names_file))) if names_file else {}
    return _as_set(folder, rows, Lines(names, ledger), ledger)


def _places(folder: Path, name: str) -> list[Path]:
    return [*folder.glob(name), *sorted(folder.glob(f"*/{name}"))]


def _lines(path: Path) -> list[str]:
    return [
        line.strip() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines() if line.strip()
    ]


def _part_of_path(path: Path) -> str | None:
    return next((part for part in map(part_of, path.parts[:-1]) if part), None)


def _names_of(fields: Mapping[str, Any], path: Path) -> dict[int, str]:
    """Names by number, from a list or a dictionary.

    Raises
    ------
    DataError [D063]
        They are neither.
    """
    names = fields["names"]
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, dict) and all(str(number).isdigit() for number in names):
        return {int(number): str(name) for number, name in names.items()}
    raise damaged(path, '"names" is neither a list nor numbers with names')


def _count(fields: Mapping[str, Any]) -> int:
    return fields["nc"] if isinstance(fields.get("nc"), int) else 0


def _parts(path: Path, fields: Mapping[str, Any], ledger: Ledger) -> Iterator[tuple[str, list[str]]]:
    base = path.parent / str(fields.get("path") or "")
    for key, part in PARTS.items():
        value = fields.get(key)
        entries = [str(one) for one in (value if isinstance(value, list) else [value]) if one]
        pictures: list[str] = []
        for entry in entries:
            place = _place(entry, base, path.parent)
            if place is None:
                ledger.note("absent", f"{entry} ({key} of {path.name})")
            else:
                pictures.extend(_listed(place, base) if place.is_file() else files_under(place)[0])
        if pictures:
            yield part, pictures


def _place(entry: str, base: Path, beside: Path) -> Path | None:
    """Where a folder or list of data.yaml lies: such files often name a place one step too high, or of another computer."""
    steps = [step for step in entry.replace("\\", "/").split("/") if step not in ("", ".", "..")]
    tries = [base / entry, beside / entry, *(beside.joinpath(*steps[start:]) for start in range(len(steps)))]
    return next((Path(os.path.normpath(place)) for place in tries if place.exists()), None)


def _listed(path: Path, base: Path) -> list[str]:
    """The pictures of a list, each absolute or below the list or the folder of the set."""
    found = []
    for name in _lines(path):
        places = [path.parent / name, base / name]
        found.append(os.path.normpath(next((place for place in places if place.is_file()), places[0])))
    return found


def label_file(picture: str) -> Path:
    """Where the numbers for a picture stand: in "labels" in place of "images", or beside it."""
    path = Path(picture)
    steps = list(path.parts)
    for position in range(len(steps) - 2, -1, -1):
        if steps[position].lower() == "images":
            steps[position] = "labels"
            inside = Path(*steps).with_suffix(".txt")
            return inside if inside.is_file() else path.with_suffix(".txt")
    return path.with_suffix(".txt")


def _as_set(root: Path, rows: list[tuple[str, str | None]], lines: Lines, ledger: Ledger) -> RawSet:
    pictures: list[RawPicture] = []
    used: set[Path] = set()
    for path, part in rows:
        raw = RawPicture(str(Path(path).absolute()), objects=[], part=part, relative=True)
        labels = label_file(path)
        if labels.is_file():
            raw.objects = lines.read(labels)
            raw.empty = "emptied" if lines.last_dropped else "no objects"
            used.add(labels)
        else:
            raw.empty = "no labels file"
        pictures.append(raw)
    for folder in sorted({path.parent for path in used}):
        for other in sorted(set(folder.glob("*.txt")) - used):
            if other.name not in NAMES_FILES:
                ledger.note("absent", f"the picture of {other}")
    lines.tell()
    return RawSet(str(root), KIND, pictures, tuple(lines.names.values()))
