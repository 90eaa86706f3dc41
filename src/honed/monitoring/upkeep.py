"""Erasing people and requests from a log, handing out labelled rows, acknowledging alerts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from honed.data.write import open_writer
from honed.errors import MonitorError
from honed.monitoring import archive
from honed.monitoring.logread import opened, reading, shown
from honed.monitoring.opening import is_url
from honed.monitoring.reference import Watched
from honed.monitoring.rows import hashed_subject
from honed.monitoring.spill import Spill
from honed.monitoring.store import Store
from honed.wording import counted

ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True)
class Erasure:
    """What was erased: rows, the labels attached to them, and files rewritten."""

    rows: int
    labels: int


def erase(
    target: str | Path, *, subject: str | None = None, request: str | None = None, spill: Path | None = None
) -> Erasure:
    """Erase all rows of a person or of a request, their labels, and their bytes on the disk.

    Raises
    ------
    MonitorError [M001, M002, M006, M009]
        No such log; or it is in use, so that traces may be left: try again.
    """
    with opened(target, read_only=False) as store:
        salt = store.meta("salt") or ""
        names: list[dict[str, str | None]] = [{"request": request, "subject": None}]
        if subject is not None:
            names = [{"subject": name, "request": None} for name in (hashed_subject(subject, salt), subject)]
        rows = labels = 0
        for name in names:
            n, m = _erase_one(store, target, spill, **name)
            rows, labels = rows + n, labels + m
        if (rows or labels) and not store.wipe():
            seen = f"{counted(rows, 'row')} were deleted, but the log {shown(target)} is in use, so traces may be left in its files."
            raise MonitorError("M009", seen, "Run the same command again in a moment.")
    return Erasure(rows, labels)


def _erase_one(
    store: Store, target: str | Path, spill: Path | None, *, subject: str | None, request: str | None
) -> tuple[int, int]:
    store.begin()
    try:
        keys, labels = store.erase(subject=subject, request=request)
        store.commit()
    except BaseException:
        store.rollback()
        raise
    old = [] if is_url(target) else archive.erase(Path(target), subject=subject, request=request)
    labels += store.erase_labels(old)
    waiting = Spill(spill, 0).path if spill else None
    spilled = Spill(waiting, 1 << 30).erase(subject=subject, request=request) if waiting else 0
    return len(keys) + len(old) + spilled, labels


def acknowledge(target: str | Path, watched: Watched, why: str) -> None:
    """Alerts until now are dealt with: they are history, with the reason on record."""
    facts = {"at": int(time.time() * 1000), "why": why}
    with opened(target, read_only=False) as store:
        store.remember(f"{ACKNOWLEDGED}:{watched.name}", json.dumps(facts))


def acknowledged_at(store: Store, watched: Watched) -> int:
    """Until when alerts are history (UTC milliseconds)."""
    found = store.meta(f"{ACKNOWLEDGED}:{watched.name}")
    return int(json.loads(found)["at"]) if found else 0


def export_labelled(target: str | Path, watched: Watched, path: Path) -> int:
    """Write rows whose truth is known, with the columns the model reads and its target; how many.

    Raises
    ------
    MonitorError [M004]
        No row has both its text and its truth.
    """
    n = 0
    with opened(target) as store:
        read = reading(store, target, watched)
        tables = _labelled(store, target, watched, set(read.versions))
        first = next(tables, None)
        if first is None:
            seen = f"The log {shown(target)} has no row with both its text and its label."
            raise MonitorError(
                "M004", seen, "Send labels (POST /labels), and keep texts in the log: --log-text masked."
            )
        with open_writer(path) as writer:
            for table in [first, *tables]:
                writer.write(table)
                n += table.num_rows
    return n


def _labelled(store: Store, target: str | Path, watched: Watched, versions: set[str]) -> Iterator[pa.Table]:
    query = (
        "SELECT p.inputs, l.label, p.version FROM labels l JOIN predictions p ON p.request = l.request AND p.line = l.line "
        "WHERE p.model = ? AND p.shadow = 0 AND p.inputs IS NOT NULL ORDER BY l.at"
    )
    rows = [(row[0], row[1]) for row in store.ask(query, (watched.name,)) if row[2] in versions]
    if not is_url(target) and archive.days(Path(target)):
        labels = {(row[0], row[1]): row[2] for row in store.ask("SELECT request, line, label FROM labels")}
        for batch in archive.read(Path(target), ["inputs", "request", "line", "version", "shadow"], watched.name):
            rows += [
                (b[0], labels[b[1], b[2]])
                for b in batch
                if (b[1], b[2]) in labels and b[0] and b[3] in versions and not b[4]
            ]
    if rows:
        yield _table(watched, rows)


def _table(watched: Watched, rows: list[tuple[str, str]]) -> pa.Table:
    inputs = [json.loads(given) for given, _ in rows]
    columns: dict[str, Any] = {name: [row[i] for row in inputs] for i, name in enumerate(watched.problem.inputs)}
    labels = [json.loads(label) for _, label in rows]
    plain = labels if all(isinstance(one, int | float) for one in labels) else [_words(one, watched) for one in labels]
    return pa.table({**columns, watched.problem.target: plain})


def _words(label: Any, watched: Watched) -> str:
    separator = watched.problem.extra.get("separator") or ";"
    return (
        separator.join(map(str, label))
        if isinstance(label, list) and separator != "json"
        else json.dumps(label)
        if isinstance(label, list)
        else str(label)
    )
