"""Old days of a SQLite log as Parquet files beside it, one a day: written, read, erased from, retired."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from honed.files import whole_file
from honed.monitoring.store import COLUMNS, Row, Store

DAY_MS = 86_400_000
SLICE = 20_000


def folder_of(log: Path) -> Path:
    """Where the days of a log lie."""
    return log.with_name(f"{log.name}.days")


def days(log: Path) -> list[Path]:
    """The files of the days, oldest first."""
    return sorted(folder_of(log).glob("????-??-??.parquet"))


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"id": pa.int64(), "at": pa.int64(), "line": pa.int32(), "confidence": pa.float32(), "unsure": pa.int8(),
             "shadow": pa.int8(), "traits": pa.binary(), "vector": pa.binary()}  # fmt: skip
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


def roll(log: Path, store: Store, before: int) -> Iterator[None]:
    """Move every whole day before a time into a file; a generator that does a slice at a time.

    A day is deleted from the tables only when its file is whole and holds as many rows as the tables do.
    """
    while True:
        oldest = store.ask("SELECT MIN(at) FROM predictions")[0][0]
        if oldest is None or (oldest // DAY_MS + 1) * DAY_MS > before:
            return
        yield from _roll_day(log, store, oldest // DAY_MS)


def _roll_day(log: Path, store: Store, day: int) -> Iterator[None]:
    import pyarrow as pa
    from pyarrow import parquet

    name = datetime.datetime.fromtimestamp(day * DAY_MS / 1000, datetime.UTC).strftime("%Y-%m-%d")
    path, schema, written, last = folder_of(log) / f"{name}.parquet", _schema(), 0, -1
    bounds = (day * DAY_MS, (day + 1) * DAY_MS)
    with whole_file(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        old = _not_in_tables(path, store, bounds, schema)
        writer.write_table(old)
        query = f"SELECT {', '.join(COLUMNS)} FROM predictions WHERE at >= ? AND at < ? AND id > ? ORDER BY id LIMIT ?"
        while rows := store.ask(query, (*bounds, last, SLICE)):
            arrays = [
                pa.array(values, type=field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            written, last = written + len(rows), rows[-1][0]
            yield
    store.begin()
    try:
        gone = store.execute("DELETE FROM predictions WHERE at >= ? AND at < ? AND id <= ?", (*bounds, last)).rowcount
        if gone == written:
            store.commit()
            return
        store.rollback()
    except BaseException:
        store.rollback()
        raise
    _whole(path, old)  # rows were erased meanwhile: the day is moved again without them


def _whole(path: Path, table: Any) -> None:
    from pyarrow import parquet

    with whole_file(path) as temporary:
        parquet.write_table(table, temporary)


def _not_in_tables(path: Path, store: Store, bounds: tuple[int, int], schema: Any) -> Any:
    """Rows of the day that were moved earlier; those still in the tables (a crash came between) are left out."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet

    if not path.exists():
        return schema.empty_table()
    table = parquet.read_table(path, schema=schema)
    there = [row[0] for row in store.ask("SELECT id FROM predictions WHERE at >= ? AND at < ?", bounds)]
    return table.filter(pc.invert(pc.is_in(table["id"], value_set=pa.array(there, type=pa.int64()))))


def read(log: Path, columns: list[str], model: str) -> Iterator[list[Row]]:
    """Rows of a model from all days, oldest first."""
    from pyarrow import parquet

    for path in days(log):
        opened = parquet.ParquetFile(path)
        wanted = list(dict.fromkeys([*columns, "model"]))
        for batch in opened.iter_batches(batch_size=SLICE, columns=wanted):
            values = {name: batch.column(name).to_pylist() for name in wanted}
            rows = zip(*(values[name] for name in columns), strict=True)
            found = [row for row, owner in zip(rows, values["model"], strict=True) if owner == model]
            if found:
                yield found


def knows(log: Path, request: str, line: int) -> bool:
    """True when an answer of this request and row stands in one of the days."""
    import pyarrow.compute as pc
    from pyarrow import parquet

    for path in reversed(days(log)):
        table = parquet.read_table(path, columns=["request", "line"])
        if pc.any(pc.and_(pc.equal(table["request"], request), pc.equal(table["line"], line))).as_py():
            return True
    return False


def erase(log: Path, *, subject: str | None = None, request: str | None = None) -> list[tuple[str, int]]:
    """Write the days anew without the rows of a subject or request; the (request, row) pairs that went."""
    import pyarrow.compute as pc
    from pyarrow import parquet

    gone: list[tuple[str, int]] = []
    column, value = ("subject", subject) if subject is not None else ("request", request)
    for path in days(log):
        table = parquet.read_table(path)
        hit = pc.fill_null(pc.equal(table[column], value), False)
        if not pc.any(hit).as_py():
            continue
        rows = table.filter(hit)
        gone += zip(rows["request"].to_pylist(), rows["line"].to_pylist(), strict=True)
        _whole(path, table.filter(pc.invert(hit)))
    return gone


def retire(log: Path, store: Store, before: int) -> None:
    """Delete days that lie wholly before a time, and remember how many rows they held."""
    from collections import Counter

    from pyarrow import parquet

    for path in days(log):
        day = datetime.datetime.fromisoformat(f"{path.stem}T00:00:00+00:00")
        if int(day.timestamp() * 1000) + DAY_MS > before:
            continue
        table = parquet.read_table(path, columns=["model", "version", "shadow", "at", "request", "line"]).to_pydict()
        owners = Counter(
            (m, v) for m, v, s in zip(table["model"], table["version"], table["shadow"], strict=True) if not s
        )
        store.begin()
        try:
            for (model, version), n in owners.items():
                store.retired(model, version, n, min(table["at"]))
            store.erase_labels(list(zip(table["request"], table["line"], strict=True)))
            store.commit()
        except BaseException:
            store.rollback()
            raise
        path.unlink()
