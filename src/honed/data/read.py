"""``read_table``: whatever users have, as one table in memory (Arrow, no Python object for each cell)."""

from __future__ import annotations

import contextlib
import difflib
import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from honed.data import sniff
from honed.data.chats import with_chats
from honed.data.delimited import read_delimited
from honed.data.frames import array, digest_of, from_memory
from honed.data.picture_paths import with_pictures
from honed.data.pictures.kinds import is_picture_name
from honed.data.table import Table
from honed.errors import DataError
from honed.files import sha256

HEAD_OF_ANNOTATIONS, COCO_KEYS = 65_536, (b'"images"', b'"annotations"', b'"categories"')
"""Bytes at either end of a JSON file, in which two of these keys must stand."""


def read_table(source: Any, *, name: str = "data") -> Table:
    """Read a file or take a frame, whole.

    Parameters
    ----------
    source : path, list, dict, pandas / polars / Arrow frame, or Table
        Files may be CSV, TSV, any other separator, JSON lines, JSON, Parquet or Excel, also gzipped; what a file is
        is read from its bytes. A folder of pictures is a table of their paths, its sub-folders their labels.
    name : str
        Used in messages for tables from memory.

    Raises
    ------
    DataError [D001..D008]
        Missing, empty, binary, damaged, not permitted; one sentence says which.
    """
    if isinstance(source, Table):
        return source
    if not isinstance(source, str | Path):
        arrow, kind = from_memory(source)
        arrow = with_chats(unique_names(arrow))
        return _checked(Table(arrow, kind if name == "data" else name, digest_of(arrow), {"format": kind}))
    path = Path(source).expanduser()
    if path.is_dir() or _is_annotations(path):
        return _picture_set(path)
    if path.is_file() and is_picture_name(path.name):
        return Table(one_picture(path), path.name, sha256(path), {"format": "one picture"})
    with readable(path), plain_file(path) as plain:
        arrow, reading = _read_file(plain, path.name)
        table = _checked(Table(with_chats(unique_names(arrow)), path.name, sha256(path), reading))
        return with_pictures(table, path.parent)


def no_pictures(folder: Path) -> DataError:
    """D001 for a folder in which nothing can be read."""
    return DataError("D001", f"{folder} is a folder without pictures.", "Name a file, or a folder of pictures.")


def one_picture(path: Path) -> pa.Table:
    """A single picture as a table of one row."""
    return pa.table({"image": pa.array([str(path.absolute())], pa.string())})


def _is_annotations(path: Path) -> bool:
    """True for a file that says where objects are on the pictures beside it: COCO's JSON, YOLO's YAML."""
    kind = path.suffix.lower()
    if kind not in (".json", ".yaml", ".yml") or not path.is_file():
        return False
    with path.open("rb") as stream:
        head = stream.read(HEAD_OF_ANNOTATIONS)
        stream.seek(max(0, path.stat().st_size - HEAD_OF_ANNOTATIONS))
        both = head + stream.read()
    return kind != ".json" or (head.lstrip()[:1] == b"{" and sum(key in both for key in COCO_KEYS) >= 2)


def _picture_set(folder: Path) -> Table:
    from honed.data.picture_sets import read_picture_set

    found = read_picture_set(folder)
    if found is None:
        raise no_pictures(folder)
    # sizes serve boxes alone, and pictures under two labels are found by every check of labels
    if "label" in found.names:
        told = tuple(finding for finding in found.findings if finding.details.get("kind") != "several labels")
        found = replace(found, arrow=found.arrow.drop_columns(["width", "height"]), findings=told)
    return _checked(found)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals and damaged files into coded sentences."""
    try:
        if not path.exists():
            raise DataError("D001", f"There is no file {path}.", _near(path))
        yield
    except PermissionError:
        raise DataError("D004", f"Reading {path} is not permitted.", "Ask for the right to read it.") from None
    except UnicodeDecodeError as error:
        seen = f"{path.name} begins like text in {error.encoding}, but is none."
        raise DataError("D005", seen, "Get an undamaged copy, or save it as UTF-8.") from None
    except (pa.ArrowInvalid, EOFError, gzip.BadGzipFile, OSError) as error:
        seen = f"{path.name} is damaged: {str(error).splitlines()[0][:120]}."
        raise DataError("D005", seen, "Get an undamaged copy.") from None


def _near(path: Path) -> str:
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=2)
    return f"Did you mean {' or '.join(close)}?" if close else "Check the path."


@contextlib.contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """The file itself, or a temporary unpacked copy of a gzipped one."""
    with path.open("rb") as stream:
        head = stream.read(2)
    if head != b"\x1f\x8b":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="honed-") as folder:
        unpacked = Path(folder) / path.stem
        with gzip.open(path, "rb") as packed, unpacked.open("wb") as stream:
            shutil.copyfileobj(packed, stream, 1 << 20)
        yield unpacked


def _read_file(path: Path, name: str) -> tuple[pa.Table, dict[str, str]]:
    with path.open("rb") as stream:
        head = stream.read(sniff.SAMPLE_BYTES)
    kind = sniff.sniff_format(head, name)
    if kind == "gzip":
        raise DataError("D003", f"{name} is packed twice (gzip).", "Unpack it and pass the table in it.")
    if kind == "parquet":
        from pyarrow import parquet

        return parquet.read_table(path), {"format": "parquet"}
    if kind == "xlsx":
        return _read_excel(path, name)
    if kind in ("json", "jsonl"):
        return _read_json(path, head, name)
    return read_delimited(path, head, name)


def _read_excel(path: Path, name: str) -> tuple[pa.Table, dict[str, str]]:
    import zipfile

    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError("D005", f"{name} is damaged or no Excel file.", "Save it again, or as CSV.") from error
    sheets = {sheet.title: _table_in(sheet) for sheet in book.worksheets}
    title = max(sheets, key=lambda sheet: sum(len(row) for row in sheets[sheet]), default="")
    rows = sheets.get(title)
    if not rows:
        raise DataError("D002", f"{name} has no cells with values.", "Check the file.")
    header = all(isinstance(cell, str) or cell is None for cell in rows[0]) and len(rows) > 1
    names = [str(cell) if header and cell is not None else f"column_{i + 1}" for i, cell in enumerate(rows[0])]
    body = rows[1:] if header else rows
    arrays = [array([row[i] for row in body]) for i in range(len(names))]
    which = title if len(sheets) == 1 else f"{title} (the largest of {len(sheets)})"
    reading = {"format": "Excel", "sheet": which, "header": "yes" if header else "no"}
    return pa.Table.from_arrays(arrays, names=made_unique(names)), reading


def _table_in(sheet: Any) -> list[list[Any]]:
    """The filled part of a sheet: no empty rows, no empty columns on the right, no title above the table."""
    rows = [list(row) for row in sheet.iter_rows(values_only=True) if any(cell is not None for cell in row)]
    filled = [max(i for i, cell in enumerate(row) if cell is not None) + 1 for row in rows]
    several = [position for position, width in enumerate(filled) if width > 1]
    begin = several[0] if several and several[0] <= 20 else 0
    width = max(filled[begin:], default=0)
    return [[*row[:width], *[None] * (width - len(row))] for row in rows[begin:]]


def _read_json(path: Path, head: bytes, name: str) -> tuple[pa.Table, dict[str, str]]:
    encoding = sniff.sniff_encoding(path, head)
    text = path.read_text(encoding=encoding)
    with contextlib.suppress(ValueError):
        whole = json.loads(text)
        return from_memory(_rows_of(whole))[0], {"format": "JSON", "encoding": encoding}
    return from_memory(json_lines(text.split("\n"), name))[0], {"format": "JSON lines", "encoding": encoding}


def _rows_of(whole: Any) -> Any:
    """Where a JSON document keeps its rows: it is a list, holds columns of one length, or holds one list."""
    if isinstance(whole, list):
        return whole
    if not isinstance(whole, dict):
        return [whole]
    lists = [value for value in whole.values() if isinstance(value, list)]
    if len(lists) > 1 and len(lists) == len(whole) and len({len(value) for value in lists}) == 1:
        return whole
    return max(lists, key=len, default=[whole])


def json_lines(lines: list[str], name: str, first: int = 1) -> list[dict[str, Any]]:
    """One object a line; blank lines are passed over.

    Raises
    ------
    DataError [D006]
        A line is no JSON object; its number is named.
    """
    rows = []
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError("D006", f"Line {number} of {name} is not JSON: {error}.", "Correct that line.") from None
        if not isinstance(row, dict):
            raise DataError(
                "D006", f"Line {number} of {name} is no JSON object.", 'Write lines such as {"text": "..."}.'
            )
        rows.append(row)
    return rows


def unique_names(table: pa.Table) -> pa.Table:
    """The table with unique column names (a second "a" becomes "a_2") and plain string columns."""
    table = table.rename_columns(made_unique(table.column_names))
    for position, field in enumerate(table.schema):
        if (
            pa.types.is_dictionary(field.type)
            or pa.types.is_large_string(field.type)
            or pa.types.is_string_view(field.type)
        ):
            table = table.set_column(position, field.name, pc.cast(table.column(position), pa.string()))
        elif pa.types.is_null(field.type):
            table = table.set_column(position, field.name, pa.nulls(table.num_rows, pa.string()))
    return table


def made_unique(names: list[str]) -> list[str]:
    """Names without blanks around them, each once: a second "a" becomes "a_2"."""
    seen: dict[str, int] = {}
    unique = []
    for position, name in enumerate(names):
        name = str(name).strip() or f"column_{position + 1}"
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique


def _checked(table: Table) -> Table:
    if table.n_rows == 0:
        raise DataError("D002", f"{table.source} has no rows of data.", "Check the file: it has a header at most.")
    return table
