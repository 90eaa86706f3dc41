"""Text tables (CSV and its kin): through pyarrow, in the layout that was sniffed, dropping nothing silently."""

from __future__ import annotations

import codecs
import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from honed.data import sniff
from honed.data.numerals import Notes, read_numbers
from honed.errors import DataError

BLOCK = 1 << 24
MOST_BLOCK = 1 << 30


class _Utf8(io.RawIOBase):
    """A file of any encoding as a stream of UTF-8 bytes."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._stream, self._decoder = path.open("rb"), codecs.getincrementaldecoder(encoding)("strict")
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            block = self._stream.read(1 << 20)
            self._left = self._decoder.decode(block, final=not block).encode()
            if not block and not self._left:
                return 0
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size

    def close(self) -> None:
        self._stream.close()
        super().close()


def layout_of(path: Path, head: bytes) -> sniff.Layout:
    """Encoding, separator, quoting and header of a text table."""
    encoding = sniff.sniff_encoding(path, head)
    sample = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    return sniff.sniff_layout(sample, encoding, complete=len(head) < sniff.SAMPLE_BYTES)


def as_wanted(path: Path, layout: sniff.Layout, wanted: Sequence[str]) -> sniff.Layout:
    """The layout, where it is known which columns are wanted: a first row that names them all is a header, however few rows
    follow; and where a single column is wanted, texts without a header are one a line, however they begin."""
    if layout.header or not wanted:
        return layout
    if len(wanted) == 1 and layout.separator in (" ", ""):
        layout = replace(layout, separator="", n_columns=1)
    return replace(layout, header=True) if set(wanted) <= set(_first_row(path, layout)) else layout


@contextlib.contextmanager
def utf8_stream(path: Path, layout: sniff.Layout) -> Iterator[BinaryIO]:
    """The file's bytes as UTF-8."""
    if layout.encoding in ("utf-8", "ascii", "utf-8-sig"):
        with path.open("rb") as stream:
            if layout.encoding == "utf-8-sig":
                stream.read(3)
            yield stream
    else:
        with io.BufferedReader(_Utf8(path, layout.encoding), 1 << 20) as stream:
            yield stream


class Unreadable:
    """Counts rows with the wrong number of fields and remembers where the first stood."""

    def __init__(self) -> None:
        self.count, self.first = 0, ""

    def __call__(self, row: Any) -> str:
        self.count += 1
        self.first = self.first or row.text[:60]
        return "skip"


def block_for(path: Path, least: int) -> int:
    """Bytes to read at a time, so that the longest line fits in twice: pyarrow refuses rows larger than a block."""
    longest = rest = 0
    with path.open("rb") as stream:
        while part := stream.read(1 << 20):
            first, *more = part.split(b"\n")
            rest += len(first)
            if more:
                longest = max(longest, rest, *map(len, more))
                rest = len(more[-1])
    return min(MOST_BLOCK, max(least, 3 * max(longest, rest)))


def options(layout: sniff.Layout, bad: Unreadable, block: int = BLOCK) -> dict[str, Any]:
    """pyarrow's options for a layout; every column is read as text first."""
    names = [f"column_{i + 1}" for i in range(layout.n_columns)]
    return {
        "read_options": csv.ReadOptions(
            block_size=block, column_names=None if layout.header else names, skip_rows=layout.skip
        ),
        "parse_options": csv.ParseOptions(
            delimiter=layout.separator or "\x1f",
            quote_char='"' if layout.quoted else False,
            double_quote=True,
            newlines_in_values=layout.quoted,
            invalid_row_handler=bad,
        ),
        "convert_options": csv.ConvertOptions(
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
            check_utf8=False,
            auto_dict_encode=False,
        ),
    }


def as_text(chosen: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The options with every column read as text."""
    chosen["convert_options"].column_types = dict.fromkeys(names, pa.string())
    return chosen


def read_delimited(path: Path, head: bytes, name: str) -> tuple[pa.Table, dict[str, str]]:
    """The whole table, numbers where a column is wholly numeric."""
    layout = layout_of(path, head)
    if layout.separator in (" ", ""):
        return read_lines(path, layout)
    bad = Unreadable()
    with utf8_stream(path, layout) as stream:
        names = column_names(path, layout)
        found = csv.read_csv(stream, **as_text(options(layout, bad, block_for(path, BLOCK)), names))
    reading = {"format": "delimited text", **layout.described()}
    if bad.count:
        reading["rows_unreadable"] = f"{bad.count} (the first begins: {bad.first})"
        if bad.count > found.num_rows:
            seen = f"{bad.count:,} rows of {name} do not have {layout.n_columns} fields as the others."
            raise DataError("D007", seen, "Check separators and quotes.")
    table, told = typed(found, layout.separator)
    return table, {**reading, **told}


def column_names(path: Path, layout: sniff.Layout) -> list[str]:
    """Names of the columns: the header's, or column_1, column_2, ..."""
    if not layout.header:
        return [f"column_{i + 1}" for i in range(layout.n_columns)]
    return _first_row(path, layout)


def _first_row(path: Path, layout: sniff.Layout) -> list[str]:
    with utf8_stream(path, layout) as stream:
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(stream.read(1 << 20))
    return sniff.first_row(text.split("\n", layout.skip)[layout.skip], layout)


def read_lines(path: Path, layout: sniff.Layout) -> tuple[pa.Table, dict[str, str]]:
    """One text a line, or a label and a text with a blank between; lines end with \\n alone."""
    with utf8_stream(path, layout) as stream:
        lines = [line.rstrip("\r") for line in stream.read().decode().split("\n")]
    lines = [line for line in lines if line.strip()]
    reading = {"format": "lines of text", **layout.described()}
    if layout.separator == " ":
        halves = [line.split(" ", 1) for line in lines]
        table, told = typed(pa.table({"column_1": [a for a, _ in halves], "column_2": [b for _, b in halves]}))
        return table, {**reading, **told}
    if layout.header:
        return pa.table({lines[0].strip().strip('"'): lines[1:]}), reading
    return pa.table({"text": lines}), reading


def typed(table: pa.Table, separator: str = " ") -> tuple[pa.Table, dict[str, str]]:
    """Columns that are wholly numeric as numbers, however they are written, and what is to be told of that."""
    trimmed = {str(position): pc.utf8_trim_whitespace(table.column(position)) for position in range(table.num_columns)}
    numbers, notes = read_numbers(trimmed, separator)
    for position, name in enumerate(table.column_names):
        column = table.column(position)
        if str(position) in numbers:
            table = table.set_column(position, name, numbers[str(position)])
        elif column.null_count < len(column) and _padded(column):
            table = table.set_column(position, name, trimmed[str(position)])
    named = {key: [table.column_names[int(position)] for position in places] for key, places in vars(notes).items()}
    return table, Notes(**named).as_reading()


def _padded(column: pa.ChunkedArray) -> bool:
    """A blank after every separator, as some programs write: the first hundred values all begin with one."""
    values = [value for value in column.slice(0, 100).to_pylist() if value]
    return bool(values) and all(value.startswith(" ") for value in values)
