"""Reading a table batch by batch with bounded memory, also from standard input."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from honed.data import delimited, sniff
from honed.data.chats import with_chats
from honed.data.frames import from_memory
from honed.data.picture_paths import Resolver
from honed.data.pictures.kinds import is_picture_name
from honed.data.read import json_lines, made_unique, no_pictures, one_picture, plain_file, read_table, readable
from honed.data.table import Table

LINES = 2048


class BatchSource:
    """A context manager over record batches: ``names``, ``total_rows`` where known, ``share_done`` (0 to 1) for files."""

    def __init__(self, source: Any, batch_rows: int, wanted: Sequence[str] = ()) -> None:
        self.source, self.batch_rows, self.wanted = source, batch_rows, wanted
        self.names: list[str] = []
        self.total_rows: int | None = None
        self.rows_unreadable = 0
        self._stack = contextlib.ExitStack()
        self._tell: Any = None
        self._size = 0

    def __enter__(self) -> BatchSource:
        try:
            self._batches = self._open()
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)  # which says what is wrong with the file
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def share_done(self) -> float | None:
        """Share of the file's bytes that were read, or None where that cannot be known."""
        return min(1.0, self._tell() / self._size) if self._tell and self._size else None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        with contextlib.nullcontext() if not isinstance(self.source, Path) else readable(self.source):
            resolved = Resolver(self.source.parent) if isinstance(self.source, Path) else None
            for batch in self._batches:
                if batch.num_rows:
                    named = with_chats(batch.rename_columns(self.names))
                    yield named if resolved is None else resolved(named)

    def _open(self) -> Iterator[pa.RecordBatch]:
        if isinstance(self.source, str) and self.source == "-":
            self.source = _spooled(self._stack)
        if not isinstance(self.source, str | Path):
            return self._from_table(read_table(self.source).arrow)
        self.source = Path(self.source).expanduser()
        if self.source.is_dir():
            return self._from_table(_listed(self.source))
        if self.source.is_file() and is_picture_name(self.source.name):
            return self._from_table(one_picture(self.source))
        self._stack.enter_context(readable(self.source))
        plain = self._stack.enter_context(plain_file(self.source))
        with plain.open("rb") as stream:
            head = stream.read(sniff.SAMPLE_BYTES)
        kind = sniff.sniff_format(head, self.source.name)
        if kind == "parquet":
            return self._from_parquet(plain)
        if kind == "jsonl":
            return self._from_json_lines(plain, head)
        if kind != "delimited":
            return self._from_table(read_table(self.source).arrow)
        layout = delimited.as_wanted(plain, delimited.layout_of(plain, head), self.wanted)
        if layout.separator in (" ", ""):
            batches = self._from_table(delimited.read_lines(plain, layout)[0])
        else:
            batches = self._from_delimited(plain, layout)
        if not layout.header and len(self.names) == len(self.wanted) == 1:
            self.names = list(self.wanted)
        return batches

    def _from_table(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        self.names, self.total_rows = table.column_names, table.num_rows
        return iter(table.to_batches(max_chunksize=self.batch_rows))

    def _from_parquet(self, path: Path) -> Iterator[pa.RecordBatch]:
        from pyarrow import parquet

        opened = parquet.ParquetFile(path)
        self.names, self.total_rows = opened.schema_arrow.names, opened.metadata.num_rows
        return opened.iter_batches(batch_size=self.batch_rows)  # type: ignore[no-any-return]

    def _from_delimited(self, path: Path, layout: sniff.Layout) -> Iterator[pa.RecordBatch]:
        bad = delimited.Unreadable()
        names = delimited.column_names(path, layout)
        block = delimited.block_for(path, 1 << 21)
        chosen = delimited.as_text(delimited.options(layout, bad, block), names)
        stream = self._stack.enter_context(delimited.utf8_stream(path, layout))
        reader = csv.open_csv(stream, **chosen)
        self.names = made_unique(reader.schema.names)
        if layout.encoding in ("utf-8", "utf-8-sig", "ascii"):
            self._size, self._tell = path.stat().st_size, stream.tell
        return self._sliced(reader, bad)

    def _sliced(self, reader: Any, bad: delimited.Unreadable) -> Iterator[pa.RecordBatch]:
        for block in reader:
            for start in range(0, block.num_rows, self.batch_rows):
                yield block.slice(start, self.batch_rows)
        self.rows_unreadable = bad.count

    def _from_json_lines(self, path: Path, head: bytes) -> Iterator[pa.RecordBatch]:
        encoding = sniff.sniff_encoding(path, head)
        self._size, name = path.stat().st_size, path.name
        stream = self._stack.enter_context(path.open("rb"))
        self._tell = stream.tell
        batches = self._json_batches(stream, encoding, name)
        first = next(batches)
        self.names = first.schema.names
        return _chain(first, batches)

    def _json_batches(self, stream: Any, encoding: str, name: str) -> Iterator[pa.RecordBatch]:
        number, names = 1, None
        while lines := [line for _ in range(self.batch_rows) if (line := stream.readline())]:
            rows = json_lines([line.decode(encoding) for line in lines], name, number)
            number += len(lines)
            if rows:
                table = from_memory(rows)[0]
                names = names or table.column_names
                missing = [column for column in names if column not in table.column_names]
                for column in missing:
                    table = table.append_column(column, pa.nulls(table.num_rows, pa.string()))
                yield table.select(names).combine_chunks().to_batches()[0]


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _listed(folder: Path) -> pa.Table:
    """All pictures below a folder, the damaged ones too: whoever predicts wants a line for each."""
    from honed.data.picture_sets.locate import files_under

    pictures, _ = files_under(folder)
    if not pictures:
        raise no_pictures(folder)
    return pa.table({"image": pa.array([str(Path(path).absolute()) for path in pictures], pa.string())})


def _spooled(stack: contextlib.ExitStack) -> Path:
    """Standard input, kept in a temporary file: its layout can only be told from its beginning."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="honed-"))
    path = Path(folder) / "standard input"
    with path.open("wb") as target:
        while block := sys.stdin.buffer.read(1 << 20):
            target.write(block)
    return path


def open_batches(source: Any, *, batch_rows: int = LINES, wanted: Sequence[str] = ()) -> BatchSource:
    """Open a path, "-" (standard input), or anything :func:`read_table` takes, for reading in batches.

    Parameters
    ----------
    wanted : sequence of str
        Columns that will be read, which tells a header from a row and texts from columns in a file without one.
    """
    return BatchSource(source if not isinstance(source, Table) else source.arrow, batch_rows, wanted)
