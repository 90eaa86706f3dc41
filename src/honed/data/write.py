"""Writing a table batch by batch: CSV, JSON lines or Parquet; the whole file or nothing."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from honed.errors import ConfigError
from honed.files import tell_os_error, whole_file

FORMATS = ("csv", "parquet", "jsonl")
_ENDINGS = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


class RowWriter:
    """A context manager; ``write`` takes Arrow tables of one schema."""

    def __init__(self, target: str | Path, kind: str) -> None:
        self.target, self.kind = target, kind
        self._stack = contextlib.ExitStack()
        self._writer: Any = None
        self._stream: Any = None

    def __enter__(self) -> RowWriter:
        if self.target == "-":
            self._stream = sys.stdout.buffer
        else:
            path = self._stack.enter_context(whole_file(Path(self.target)))
            try:
                self._stream = self._stack.enter_context(path.open("wb"))
            except OSError as error:
                told = tell_os_error(error, Path(self.target))
                self._stack.__exit__(type(told), told, None)
                raise told from error
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        try:
            if self._writer is not None and kind is None:
                self._writer.close()
            self._stream.flush()
        except OSError as error:
            kind, value, trace = type(error), error, error.__traceback__
        self._stack.__exit__(kind, value, trace)

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        if self.kind == "jsonl":
            for row in table.to_pylist():
                self._stream.write(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n")
            return
        if self.kind == "csv":
            table = _flat(table)
        if self._writer is None:
            self._writer = _open(self.kind, self._stream, table.schema)
        self._writer.write_table(table)


def _open(kind: str, stream: Any, schema: pa.Schema) -> Any:
    return csv.CSVWriter(stream, schema) if kind == "csv" else parquet.ParquetWriter(stream, schema)


def _flat(table: pa.Table) -> pa.Table:
    """Lists as JSON text, for CSV has no lists."""
    for position, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [
                None if value is None else json.dumps(value, ensure_ascii=False)
                for value in table.column(position).to_pylist()
            ]
            table = table.set_column(position, field.name, pa.array(texts, type=pa.string()))
    return table


def open_writer(target: str | Path, format: str | None = None) -> RowWriter:
    """A writer for a path or "-" (standard output); the format is told by the ending unless given.

    Raises
    ------
    ConfigError [C005]
        The format is unknown.
    """
    kind = format or ("csv" if target == "-" else _ENDINGS.get(Path(target).suffix.lower(), ""))
    if kind not in FORMATS:
        seen = f'"{format or Path(target).suffix}" is no format to write.'
        raise ConfigError("C005", seen, "Use .csv, .parquet or .jsonl, or --format.")
    return RowWriter(target, kind)
