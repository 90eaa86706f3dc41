"""Tables from memory: lists, dictionaries, pandas, polars and Arrow frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from honed.errors import DataError


def from_memory(source: Any) -> tuple[pa.Table, str]:
    """An Arrow table and a word for what it came from.

    Raises
    ------
    DataError [D008]
        The object is no table.
    """
    if isinstance(source, pa.Table):
        return source, "Arrow table"
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source]), "Arrow batch"
    kind = type(source).__module__.split(".")[0]
    if kind == "polars" and hasattr(source, "collect"):
        source = source.collect()
    if hasattr(source, "tolist") or hasattr(source, "to_list"):  # an array, or one column of a frame
        source = source.tolist() if hasattr(source, "tolist") else source.to_list()
    if kind == "pandas" and hasattr(source, "columns"):
        return _from_pandas(source), "pandas frame"
    if hasattr(source, "__arrow_c_stream__"):
        return pa.table(source), f"{kind} frame"
    if isinstance(source, Mapping):
        return _columns({str(name): list(values) for name, values in source.items()}), "dictionary of columns"
    if isinstance(source, Sequence | Iterator) and not isinstance(source, str | bytes):
        return _from_list(list(source)), "Python list"
    raise DataError(
        "D008", f"A {type(source).__name__} is no table.", "Pass a path, a list of rows, or a pandas or polars frame."
    )


def _from_pandas(frame: Any) -> pa.Table:
    columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    arrays = [array(column.astype(object).where(column.notna(), None).tolist()) for column in columns]
    return pa.Table.from_arrays(arrays, names=[_name(name) for name in frame.columns])


def _name(name: Any) -> str:
    return " ".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)


def _from_list(rows: list[Any]) -> pa.Table:
    if not rows:
        raise DataError("D002", "The list is empty.", "Pass at least one row.")
    if isinstance(rows[0], Mapping):
        names = list(dict.fromkeys(str(name) for row in rows for name in row))
        return _columns({name: [row.get(name) for row in rows] for name in names})
    if isinstance(rows[0], Sequence) and not isinstance(rows[0], str):
        width = max(len(row) for row in rows)
        return _columns({f"column_{i + 1}": [row[i] if i < len(row) else None for row in rows] for i in range(width)})
    return _columns({"text": rows})


def _columns(columns: dict[str, list[Any]]) -> pa.Table:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise DataError("D008", f"The columns have different lengths: {sorted(lengths)}.", "Make them equally long.")
    return pa.table({name: array(values) for name, values in columns.items()})


def array(values: list[Any]) -> pa.Array:
    """An Arrow column; values of mixed types become text."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError):
        return pa.array([None if value is None or value != value else _clean(value) for value in values], pa.string())


def _clean(value: Any) -> str:
    """The value as text; halves of characters, as broken exports hold them, become question marks."""
    return str(value).encode("utf-8", "replace").decode()


def digest_of(table: pa.Table) -> str:
    """SHA-256 over the contents, column by column."""
    digest = hashlib.sha256()
    for name in table.column_names:
        digest.update(name.encode())
        for chunk in (
            table.column(name).combine_chunks().chunks
            if hasattr(table.column(name).combine_chunks(), "chunks")
            else [table.column(name).combine_chunks()]
        ):
            for buffer in chunk.buffers():
                if buffer is not None:
                    digest.update(memoryview(buffer))
    return digest.hexdigest()
