"""A folder of pictures as a table: one row a picture, the label its folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from honed.data.pictures import EXTENSIONS, is_picture
from honed.data.table import Table
from honed.errors import DataError
from honed.finding import Finding
from honed.wording import counted

PARTS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip


def read_picture_folder(folder: Path) -> Table:
    """Pictures below a folder: ``CLASS/picture.jpg`` or ``train/CLASS/picture.jpg``, or pictures alone without a label.

    Columns: ``image`` (path), ``label`` where there are classes, ``part`` where the folders say train, validation and test.

    Raises
    ------
    DataError [D001, D063]
        The folder holds no picture, or pictures at different depths.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder))
    pictures, others = [path for path in paths if is_picture(path)], [path for path in paths if not is_picture(path)]
    if not pictures:
        kinds = ", ".join(extension[1:] for extension in EXTENSIONS[:7])
        raise DataError("D001", f"{folder} is a folder without pictures.", f"Name a file, or a folder of {kinds}.")
    places = [path.relative_to(folder).parts[:-1] for path in pictures]
    depth = min(len(place) for place in places)
    parts = [PARTS.get(place[0].lower()) for place in places] if depth else []
    with_parts = bool(parts) and all(parts) and len(set(parts)) > 1
    columns: dict[str, list[str | None]] = {"image": [str(path.absolute()) for path in pictures]}
    findings: list[Finding] = []
    if depth > with_parts:
        columns["label"] = [place[int(with_parts)] for place in places]
        if len({len(place) for place in places}) > 1:
            findings.append(_deeper(places, depth, columns["image"]))
    elif any(len(place) > with_parts for place in places):
        stray = next(path for path, place in zip(pictures, places, strict=True) if len(place) == depth)
        raise DataError(
            "D063", f"{folder} holds pictures in folders, which are taken for classes, and others beside them ({stray.name}).",
            "Put every picture into the folder of its class.",
        )  # fmt: skip
    if with_parts:
        columns["part"] = list(parts)
    if others:
        findings.append(_others(others))
    arrow = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    facts = "\n".join(
        f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in pictures
    )
    digest = hashlib.sha256(facts.encode("utf-8", "surrogatepass")).hexdigest()
    reading = {"format": "a folder of pictures", "labels": "names of the folders" if "label" in columns else "none"}
    return Table(arrow, folder.name or str(folder), digest, reading, tuple(findings))


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)


def _deeper(places: list[tuple[str, ...]], depth: int, images: list[str | None]) -> Finding:
    rows = [row for row, place in enumerate(places) if len(place) > depth]
    message = f"{counted(len(rows), 'picture')} lie deeper than the others; the folders below their class are not read."
    first = str(images[rows[0]])
    return Finding(
        "D064", "tip", message, "Nothing, if the first folder is the class.", n_rows=len(rows), examples=(first,)
    )


def _others(others: list[Path]) -> Finding:
    message = (
        f"{counted(len(others), 'file')} in the folder are no pictures and were not read, such as {others[0].name}."
    )
    return Finding("D065", "tip", message, "Nothing, unless a kind of picture is missing that Honed cannot read.")
