"""A prediction log in PostgreSQL, by URL: the same tables and words as in SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from honed.errors import MonitorError
from honed.monitoring.store import ClashError, Row, Store

CONNECT_S, STATEMENT_MS = 3, 15_000


def driver() -> Any:
    """The psycopg package. Raises MonitorError [M005] where it is not installed."""
    try:
        import psycopg
    except ImportError:
        seen = "The log is in PostgreSQL, but the package psycopg is not installed."
        raise MonitorError("M005", seen, "pip install 'honed[postgres]'.") from None
    return psycopg


class PostgresStore(Store):
    """See :class:`Store`. Connecting gives up after three seconds, a statement that writes after fifteen."""

    mark = "%s"
    blob = "BYTEA"

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self.psycopg = driver()
        self.connection = self.psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S)
        if not read_only:
            self.execute(f"SET statement_timeout = {STATEMENT_MS}")
            self.prepare()

    def execute(self, text: str, values: Sequence[Any] = ()) -> Any:
        return self.connection.execute(text, values or None)

    def many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(text, rows)

    def rollback(self) -> None:
        try:
            self.execute("ROLLBACK")
        except self.psycopg.Error:
            self.connection.close()

    def insert(self, rows: Sequence[Row], *, again: bool = False) -> None:
        plain = [tuple(_writable(value) for value in row) for row in rows]
        try:
            super().insert(plain, again=again)
        except self.psycopg.errors.UniqueViolation as error:
            raise ClashError from error

    def stream(self, text: str, values: Sequence[Any], n: int) -> Iterator[list[Row]]:
        with self.connection.transaction(), self.connection.cursor(name="honed", binary=True) as cursor:
            cursor.itersize = n
            cursor.execute(text.replace("?", self.mark), values)
            while rows := cursor.fetchmany(n):
                yield rows

    def wipe(self) -> bool:
        self.execute("SET statement_timeout = 0")
        for table in ("predictions", "labels"):
            self.execute(f"VACUUM FULL {table}")
        return True

    def close(self) -> None:
        self.connection.close()


def _writable(value: Any) -> Any:
    """PostgreSQL keeps no zero characters in text."""
    return value.replace("\x00", "\ufffd") if isinstance(value, str) and "\x00" in value else value
