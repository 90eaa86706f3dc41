"""COCO: pictures, categories and annotations in one JSON file, or one for each part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from honed.data.picture_sets.coco_annotation import object_of, tell_corners
from honed.data.picture_sets.documents import damaged, read_json
from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.locate import Finder, part_of, unmentioned, walk
from honed.data.picture_sets.raw import RawPicture, RawSet

KIND = "COCO"
LEVELS = 2
"""How deep below a folder JSON files are looked for."""
OTHER_THINGS = re.compile(r"^(captions|person_keypoints|image_info|stuff|panoptic)")
"""Files of the original set that tell of other things than the boxes of objects."""
COVERED = 0.5
"""A file of which this share of the pictures was in a file before is one more telling of the same."""


@dataclass
class _File:
    """One file, read: its pictures, the names of its classes in order, and which part it is."""

    path: Path
    pictures: list[RawPicture]
    classes: tuple[str, ...]
    part: str | None
    n_objects: int
    ledger: Ledger = field(default_factory=Ledger)


def read_coco_file(path: Path, ledger: Ledger) -> RawSet | None:
    """One JSON file with the pictures beside or near it, or None where it is no COCO file."""
    if path.suffix.lower() != ".json":
        return None
    document = _document(path)
    if document is None:
        return None
    found = _read(path, document)
    return _as_set(path.parent, [found], ledger, with_parts=False)


def read_coco_folder(folder: Path, ledger: Ledger) -> RawSet | None:
    """A folder with COCO files in it, in "annotations" or in the folders of the parts; None where there is none."""
    paths = [Path(here) / name for here, names in walk(folder, LEVELS) for name in names if name.endswith(".json")]
    plain = [path for path in paths if not OTHER_THINGS.match(path.name)]
    files = _with_objects(plain) or _with_objects(paths)
    if not files:
        return None
    for path in sorted(set(paths) - {one.path for one in files}):
        ledger.note("other file", path.name)
    kept = _without_repetition(files, ledger)
    return _as_set(folder, kept, ledger, with_parts=len(kept) > 1)


def _with_objects(paths: list[Path]) -> list[_File]:
    documents = ((path, _document(path)) for path in paths)
    files = [_read(path, document) for path, document in documents if document is not None]
    return [one for one in files if one.n_objects]


def _document(path: Path) -> dict[str, Any] | None:
    """The contents of a COCO file, or None; damaged ones are an error only where they name what COCO files hold."""
    data = path.read_bytes()
    if b'"images"' not in data or b'"annotations"' not in data:
        return None
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(found.get(key), list) for key in ("images", "annotations")):
        return None
    return found


def _without_repetition(files: list[_File], ledger: Ledger) -> list[_File]:
    """The files that tell of pictures of their own: those of known parts first, then those with most objects."""
    kept: list[_File] = []
    covered: set[str] = set()
    for one in sorted(files, key=lambda one: (one.part is None, -one.n_objects, one.path.name)):
        paths = {picture.path for picture in one.pictures}
        if kept and len(paths & covered) > COVERED * len(paths) and any(_same_telling(one, other) for other in kept):
            ledger.note("other file", one.path.name)
            continue
        kept.append(one)
        covered |= paths
    return sorted(kept, key=lambda one: one.path)


def _same_telling(one: _File, other: _File) -> bool:
    """Two files of different parts that share pictures are a fault to be told, not one file told twice."""
    return one.part is None or one.part == other.part


def _as_set(root: Path, files: list[_File], ledger: Ledger, *, with_parts: bool) -> RawSet:
    pictures = [picture for one in files for picture in one.pictures]
    classes = tuple(dict.fromkeys(name for one in files for name in one.classes))
    if not with_parts:
        for picture in pictures:
            picture.part = None
    for one in files:
        ledger.add(one.ledger)
    for path in unmentioned(picture.path for picture in pictures):
        ledger.note("unmentioned", path)
    reading = {"annotations": ", ".join(one.path.name for one in files)}
    return RawSet(str(root), KIND, pictures, classes, reading)


def _read(path: Path, document: Mapping[str, Any]) -> _File:
    ledger = Ledger()
    token = re.split(r"[_.\-]", path.stem)[-1]
    part = part_of(token) or part_of(path.parent.name)
    names = _categories(document.get("categories"), path, ledger)
    pictures = _pictures(document["images"], _finder(path, token), part, ledger)
    unnamed: set[str] = set()
    n_objects = 0
    for annotation in document["annotations"]:
        where = f"annotation {annotation.get('id') if isinstance(annotation, dict) else annotation!r} of {path.name}"
        number = annotation.get("image_id") if isinstance(annotation, dict) else None
        picture = pictures.get(number) if isinstance(number, int | str) else None
        found = object_of(annotation, names, unnamed, ledger, where)
        if picture is None:
            ledger.note("absent" if isinstance(annotation, dict) else "unreadable line", where)
        elif found is None:
            picture.empty = "emptied"
        else:
            assert picture.objects is not None
            picture.objects.append(found)
            n_objects += 1
    for name in sorted(unnamed):
        ledger.note("unnamed class", name)
    tell_corners(pictures.values(), ledger)
    return _File(path, list(pictures.values()), tuple(dict.fromkeys(names.values())), part, n_objects, ledger)


def _finder(path: Path, token: str) -> Finder:
    base = path.parent
    above = base.parent
    root = above if base.name.lower() in ("annotations", "labels", "json") else base
    places = [above / token, above / "images" / token, base / token, base / "images" / token, base, base / "images",
              above / "images", above]  # fmt: skip
    return Finder([place for place in places if place.is_dir()], root)


def _categories(entries: Any, path: Path, ledger: Ledger) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or "id" not in entry:
            raise damaged(path, "a category has no id")
        if not isinstance(entry["id"], int | str):
            raise damaged(path, f"a category has the id {entry['id']!r}")
        name = str(entry.get("name") or "").strip()
        if not name:
            ledger.note("unnamed class", f"number {entry['id']}")
        elif name in names.values():
            ledger.note("name twice", name)
        names[entry["id"]] = name or str(entry["id"])
    return names


def _pictures(entries: Iterable[Any], finder: Finder, part: str | None, ledger: Ledger) -> dict[Any, RawPicture]:
    pictures: dict[Any, RawPicture] = {}
    for entry in entries:
        name = str(entry.get("file_name") or "") if isinstance(entry, dict) else ""
        number = entry.get("id") if isinstance(entry, dict) else None
        if not name or not isinstance(number, int | str):
            ledger.note("unreadable line", f"picture {str(entry)[:80]}")
        elif number in pictures:
            ledger.note("number twice", f"{number}: {name}")
        else:
            path = finder.find(name) or finder.expected(name)
            pictures[number] = RawPicture(path, objects=[], part=part, claimed=_size(entry))
    return pictures


def _size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = entry.get("width"), entry.get("height")
    if isinstance(width, int | float) and isinstance(height, int | float) and width > 0 and height > 0:
        return int(width), int(height)
    return None
