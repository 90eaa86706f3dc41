"""The tables of a prediction log, and what is asked of them; SQLite and PostgreSQL speak the same words."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = ("id", "at", "model", "version", "request", "line", "subject", "inputs", "prediction", "confidence", "top",
           "unsure", "shadow", "layout", "traits", "vector")  # fmt: skip
Row = tuple[Any, ...]
"""One logged answer, in the order of COLUMNS."""
AT, MODEL, REQUEST, SUBJECT = (
    COLUMNS.index("at"),
    COLUMNS.index("model"),
    COLUMNS.index("request"),
    COLUMNS.index("subject"),
)
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS predictions (id BIGINT PRIMARY KEY, at BIGINT NOT NULL, model TEXT NOT NULL, "
    "version TEXT NOT NULL, request TEXT NOT NULL, line INTEGER NOT NULL, subject TEXT, inputs TEXT, prediction TEXT, "
    "confidence REAL, top TEXT, unsure SMALLINT, shadow SMALLINT, layout TEXT, traits {blob}, vector {blob})",
    "CREATE INDEX IF NOT EXISTS predictions_by_request ON predictions (request)",
    "CREATE INDEX IF NOT EXISTS predictions_by_subject ON predictions (subject) WHERE subject IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS labels (request TEXT NOT NULL, line INTEGER NOT NULL, label TEXT, at BIGINT NOT NULL, "
    "PRIMARY KEY (request, line))",
    "CREATE TABLE IF NOT EXISTS retired (model TEXT NOT NULL, version TEXT NOT NULL, rows BIGINT NOT NULL, "
    "first_at BIGINT NOT NULL, PRIMARY KEY (model, version))",
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)
SLICE = 5_000
"""Rows deleted in one go, so that writing never waits long."""


class ClashError(Exception):
    """Another process used the same row numbers; take new ones."""


@dataclass(frozen=True)
class LabelRow:
    """A label that arrived late."""

    request: str
    line: int
    label: str
    at: int


class Store:
    """A prediction log in a database; one object serves one thread. Errors of the database pass through."""

    mark = "?"
    blob = "BLOB"

    def execute(self, text: str, values: Sequence[Any] = ()) -> Any:
        """Run one statement; a cursor."""
        raise NotImplementedError

    def many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for many rows."""
        raise NotImplementedError

    def begin(self) -> None:
        """Start a transaction."""
        self.execute("BEGIN")

    def commit(self) -> None:
        """End a transaction; what was written is kept."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Give a transaction up, whatever state it is in."""

    def stream(self, text: str, values: Sequence[Any], n: int) -> Iterator[list[Row]]:
        """Rows of a query in lists of up to ``n``."""
        cursor = self.execute(text, values)
        while rows := cursor.fetchmany(n):
            yield rows

    def wipe(self) -> bool:
        """Make deleted rows leave the disk; False when others who use the log stand in the way."""
        return True

    def close(self) -> None:
        """Close the connection."""

    # --- what every database does alike ----------------------------------------------------------------------
    def prepare(self) -> None:
        """Make the tables where they are missing."""
        for statement in SCHEMA:
            self.execute(statement.format(blob=self.blob))
        self._put(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", ("salt", secrets.token_hex(16))
        )

    def _put(self, text: str, values: Sequence[Any]) -> Any:
        return self.execute(text.replace("?", self.mark), values)

    def ask(self, text: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query, written with ? for values."""
        found: list[Row] = self._put(text, values).fetchall()
        return found

    def meta(self, name: str) -> str | None:
        """A named fact kept in the log."""
        found = self.ask("SELECT value FROM meta WHERE name = ?", (name,))
        return str(found[0][0]) if found else None

    def remember(self, name: str, value: str) -> None:
        """Keep a named fact in the log."""
        self._put(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    def insert(self, rows: Sequence[Row], *, again: bool = False) -> None:
        """Add rows in the open transaction; ``again`` leaves out those that are there from an earlier attempt."""
        marks = ", ".join([self.mark] * len(COLUMNS))
        rest = " ON CONFLICT (id) DO NOTHING" if again else ""
        self.many(f"INSERT INTO predictions ({', '.join(COLUMNS)}) VALUES ({marks}){rest}", rows)

    def knows(self, request: str, line: int) -> bool:
        """True when an answer of this request and row stands in the tables."""
        return bool(self.ask("SELECT 1 FROM predictions WHERE request = ? AND line = ? LIMIT 1", (request, line)))

    def label(self, row: LabelRow) -> None:
        """Add a label, or replace an earlier one."""
        text = (
            "INSERT INTO labels (request, line, label, at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (request, line) DO UPDATE SET label = excluded.label, at = excluded.at"
        )
        self._put(text, (row.request, row.line, row.label, row.at))

    def retire(self, before: int) -> int:
        """Delete up to 5,000 rows from before a time, and remember that they were there; how many."""
        some = "SELECT id FROM predictions WHERE at < ? ORDER BY id LIMIT ?"
        values = (before, SLICE)
        self.begin()
        try:
            counts = f"SELECT model, version, COUNT(*), MIN(at) FROM predictions WHERE id IN ({some}) AND shadow = 0"
            for model, version, n, first in self.ask(f"{counts} GROUP BY model, version", values):
                self.retired(model, version, n, first)
            keys = f"SELECT request, line FROM predictions WHERE id IN ({some})"
            self._put(f"DELETE FROM labels WHERE (request, line) IN ({keys})", values)
            n = int(self._put(f"DELETE FROM predictions WHERE id IN ({some})", values).rowcount)
            self.commit()
        except BaseException:
            self.rollback()
            raise
        return n

    def retired(self, model: str, version: str, n: int, first: int) -> None:
        """Remember rows that are deleted for their age, so that the numbering of windows goes on."""
        text = (
            "INSERT INTO retired (model, version, rows, first_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (model, version) DO UPDATE SET rows = retired.rows + excluded.rows"
        )
        self._put(text, (model, version, n, first))

    def erase(self, *, subject: str | None = None, request: str | None = None) -> tuple[list[tuple[str, int]], int]:
        """Delete all rows of a subject or of a request, with their labels; the (request, row) pairs and labels deleted."""
        column, value = ("subject", subject) if subject is not None else ("request", request)
        keys = [
            (str(a), int(b)) for a, b in self.ask(f"SELECT request, line FROM predictions WHERE {column} = ?", (value,))
        ]
        self._put(f"DELETE FROM predictions WHERE {column} = ?", (value,))
        return keys, self.erase_labels(keys, request)

    def erase_labels(self, keys: Sequence[tuple[str, int]], request: str | None = None) -> int:
        """Delete the labels of these rows, or all of a request."""
        n = 0
        for key in set(keys):
            n += self._put("DELETE FROM labels WHERE request = ? AND line = ?", key).rowcount
        if request is not None:
            n += self._put("DELETE FROM labels WHERE request = ?", (request,)).rowcount
        return n


def to_json(value: Any) -> str:
    """A value as compact JSON text; numbers of numpy become plain ones."""
    return json.dumps(
        value,
        ensure_ascii=False,
        separators=(",", ":"),
        default=lambda one: one.item() if hasattr(one, "item") else str(one),
    )
