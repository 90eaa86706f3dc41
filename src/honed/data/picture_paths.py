"""Columns that name pictures, and where those lie."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from honed.data.table import Table
from honed.errors import DataError

if TYPE_CHECKING:
    from honed.data.picture_sets.locate import Finder

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


def there(column: pa.ChunkedArray) -> bool:
    """At least one of the first pictures is really there: a file, bytes, or a data URI."""
    return any(
        isinstance(value, bytes) or (isinstance(value, str) and (value.startswith("data:") or Path(value).is_file()))
        for value in column.slice(0, 20).to_pylist()
    )


class Resolver:
    """Batches of a table with absolute paths of the pictures that lie in its folder or below; other names stay as they are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._finder: Finder | None = None

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with its columns of pictures resolved."""
        for position, field in enumerate(batch.schema):
            if not pa.types.is_string(field.type):
                continue
            column = batch.column(position)
            if hold_pictures(column.slice(0, LOOKED_AT).to_pylist()):
                paths = pa.array([value and self._found(value) for value in column.to_pylist()], pa.string())
                batch = batch.set_column(position, field.name, paths)
        return batch

    def _found(self, value: str) -> str:
        if value.startswith("data:"):
            return value
        if self._finder is None:
            from honed.data.picture_sets.columns import finder_beside

            self._finder = finder_beside(self._folder)
        return self._finder.find(value.strip()) or value


def with_pictures(table: Table, folder: Path) -> Table:
    """The table with paths of pictures made absolute that lie in the folder of its file or below; rows whose picture is
    not there are left out, with a finding. Where none is there, names of pictures are words like any other."""
    for name in table.names:
        values = table.arrow.column(name).slice(0, LOOKED_AT)
        if not pa.types.is_string(values.type) or not hold_pictures(values.to_pylist()):
            continue
        if any(value and value.startswith("data:") for value in values.to_pylist()):
            continue
        from honed.data.picture_sets.columns import resolve_pictures

        with contextlib.suppress(DataError):
            table = resolve_pictures(table, name, folder)
    return table
