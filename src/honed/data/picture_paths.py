"""Columns that name pictures, and where those lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

_PICTURE = re.compile(r"\.(jpe?g|jpe|png|bmp|gif|webp|tiff?|p[bgpn]m)$|^data:image/", re.I)
LOOKED_AT, ENOUGH = 200, 0.9


def hold_pictures(values: Sequence[Any]) -> bool:
    """Nearly all of some values are paths of pictures, data URIs, or bytes."""
    there = [value for value in values if value is not None and value != ""][:LOOKED_AT]
    hits = sum(
        isinstance(v, bytes) or (isinstance(v, str) and bool(_PICTURE.search(v[-4096:] if len(v) < 4096 else v[:64])))
        for v in there
    )
    return bool(there) and hits >= ENOUGH * len(there)


def resolved(table: pa.Table, folder: Path) -> pa.Table:
    """The table with paths of pictures made absolute where they are relative to the folder of the file that names them."""
    for position, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        column = table.column(position)
        if hold_pictures(column.slice(0, LOOKED_AT).to_pylist()):
            paths = pa.array([_absolute(value, folder) for value in column.to_pylist()], pa.string())
            table = table.set_column(position, field.name, paths)
    return table


def _absolute(value: str | None, folder: Path) -> str | None:
    if not value or value.startswith("data:"):
        return value
    plain = value.strip().replace("\\", "/") if "\\" in value and not Path(value).exists() else value.strip()
    path = Path(plain).expanduser()
    return str(path) if path.is_absolute() else str((folder / path).absolute())
