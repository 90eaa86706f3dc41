"""A log read back for analysis: rows of one model in the order they came, and the truths that arrived."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from honed.checks.traits import unpacked
from honed.errors import HonedError, MonitorError
from honed.monitoring import archive
from honed.monitoring.opening import is_url, open_store
from honed.monitoring.reference import Watched
from honed.monitoring.store import Row, Store
from honed.monitoring.truth import Truth
from honed.monitoring.windows import Batch

READ = [
    "id",
    "at",
    "version",
    "prediction",
    "confidence",
    "unsure",
    "shadow",
    "layout",
    "traits",
    "vector",
    "request",
    "line",
]
AT_ONCE = 20_000


@contextlib.contextmanager
def opened(target: str | Path, *, read_only: bool = True) -> Iterator[Store]:
    """The log at a path or URL.

    Raises
    ------
    MonitorError [M001, M002, M006]
        No log, no log of ours, or a database that cannot be reached.
    """
    if not is_url(target) and not Path(target).is_file():
        seen = f"There is no prediction log {target}."
        raise MonitorError(
            "M001", seen, "Serve the model with a log first, or name it with --log, or rows with --data."
        )
    try:
        store = open_store(target, read_only=read_only)
    except HonedError:
        raise
    except Exception as error:
        if is_url(target):
            seen = f"The database of the log cannot be reached: {str(error).strip().splitlines()[0][:160]}."
            raise MonitorError("M006", seen, "Check the address, and that the database runs.") from error
        raise MonitorError(
            "M002", f"{target} is no prediction log.", "Name the file that the server writes."
        ) from error
    try:
        yield store
    except sqlite3.Error as error:
        raise MonitorError(
            "M002", f"{target} cannot be read as a prediction log: {error}.", "Name the file that the server writes."
        ) from error
    finally:
        store.close()


@dataclass
class Reading:
    """Which rows of a log are read: those of a model, and of a version where any are; ``skipped`` have another shape."""

    store: Store
    target: str | Path
    watched: Watched
    versions: list[str]
    n: int = 0
    skipped: int = 0

    @property
    def archived(self) -> bool:
        """Some days lie in files."""
        return not is_url(self.target) and bool(archive.days(Path(self.target)))

    def before(self) -> tuple[int, int | None]:
        """Rows deleted for their age, and when the first of them came."""
        rows = self.store.ask("SELECT version, rows, first_at FROM retired WHERE model = ?", (self.watched.name,))
        mine = [row for row in rows if row[0] in self.versions]
        return sum(int(row[1]) for row in mine), min((int(row[2]) for row in mine), default=None)

    def rows(self) -> Iterator[list[Row]]:
        """Rows in the columns READ, days in files first."""
        if self.archived:
            yield from archive.read(Path(self.target), READ, self.watched.name)
        query = f"SELECT {', '.join(READ)} FROM predictions WHERE model = ? ORDER BY id"
        yield from self.store.stream(query, [self.watched.name], AT_ONCE)

    def batches(self) -> Iterator[Batch]:
        """Rows as arrays."""
        layout, wanted, vectors = (
            self.watched.reference.layout,
            set(self.versions),
            bool(self.watched.reference.vectors),
        )
        for rows in self.rows():
            kept = [row for row in rows if row[2] in wanted and not row[6]]
            fit = [row for row in kept if row[7] == layout]
            self.n += len(fit)
            self.skipped += len(kept) - len(fit)
            if fit:
                yield _batch(fit, layout, vectors)

    def truth(self) -> Truth:
        """Answers whose truth is known, in the order in which it became known."""
        query = (
            "SELECT p.at, p.prediction, l.label, l.at, p.version, p.id FROM labels l JOIN predictions p "
            "ON p.request = l.request AND p.line = l.line WHERE p.model = ? AND p.shadow = 0"
        )
        found = [row for row in self.store.ask(query, (self.watched.name,)) if row[4] in self.versions]
        if self.archived:
            found += self._archived_truth()
        found.sort(key=lambda row: (row[3], row[5]))
        at, labelled_at = (np.array([row[i] for row in found], dtype=np.int64) for i in (0, 3))
        return Truth(at, [row[1] for row in found], [row[2] for row in found], labelled_at)

    def _archived_truth(self) -> list[Row]:
        labels = {(row[0], row[1]): row for row in self.store.ask("SELECT request, line, label, at FROM labels")}
        found: list[Row] = []
        if labels:
            for rows in archive.read(Path(self.target), READ, self.watched.name):
                for row in rows:
                    hit = labels.get((row[10], row[11]))
                    if hit is not None and row[2] in self.versions and not row[6]:
                        found.append((row[1], row[3], hit[2], hit[3], row[2], row[0]))
        return found

    def texts(self, start: int, end: int, most: int = 5) -> list[str]:
        """A few rows of a time as they were kept, the least certain first."""
        query = (
            "SELECT inputs, version FROM predictions WHERE model = ? AND at >= ? AND at <= ? AND shadow = 0 AND inputs IS NOT NULL "
            "ORDER BY unsure DESC, confidence LIMIT ?"
        )
        rows = self.store.ask(query, (self.watched.name, start, end, 4 * most))
        return [row[0] for row in rows if row[1] in self.versions][:most]


def reading(store: Store, target: str | Path, watched: Watched) -> Reading:
    """The rows of a bundle in a log: those of its version, or of all versions of its name where none carries its version.

    Raises
    ------
    MonitorError [M008]
        The log has no row of this model.
    """
    found = store.ask("SELECT DISTINCT model, version FROM predictions")
    if not is_url(target):
        for path in archive.days(Path(target)):
            found += _archived_versions(path)
    versions = sorted({row[1] for row in found if row[0] == watched.name})
    if not versions:
        names = ", ".join(sorted({str(row[0]) for row in found})) or "no rows at all"
        seen = f'The log {shown(target)} has no rows of the model "{watched.name}"; it has {names}.'
        raise MonitorError("M008", seen, "Name the log of this model with --log.")
    mine = [one for one in versions if one and (one.startswith(watched.version) or watched.version.startswith(one))]
    return Reading(store, target, watched, mine or versions)


def _archived_versions(path: Path) -> list[Row]:
    from pyarrow import parquet

    table = parquet.read_table(path, columns=["model", "version"]).group_by(["model", "version"]).aggregate([])
    return list(zip(table["model"].to_pylist(), table["version"].to_pylist(), strict=True))


def shown(target: str | Path) -> str:
    """A path, or a URL without its password."""
    text = str(target)
    if not is_url(text):
        return text
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _batch(rows: list[Row], layout: str, vectors: bool) -> Batch:
    columns: list[Any] = list(zip(*rows, strict=True))
    confidence = np.array([np.nan if value is None else value for value in columns[4]], dtype=np.float64)
    return Batch(
        np.array(columns[1], dtype=np.int64),
        unpacked(columns[8], layout),
        list(columns[3]),
        confidence,
        np.array(columns[5], dtype=bool),
        _vectors(columns[9]) if vectors else None,
    )


def _vectors(blobs: tuple[bytes | None, ...]) -> Any:
    if all(blob is None for blob in blobs):
        return None
    missing = np.full(16, np.nan, dtype="<f4").tobytes()
    return np.frombuffer(b"".join(blob or missing for blob in blobs), dtype="<f4").reshape(-1, 16)
