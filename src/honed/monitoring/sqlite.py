"""A prediction log in one SQLite file: write-ahead log, deleted bytes overwritten."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from honed.monitoring.store import ClashError, Row, Store

BUSY_MS = 5_000


class SqliteStore(Store):
    """See :class:`Store`. ``durable`` writes every commit through to the disk, so that it survives a power cut too."""

    def __init__(self, path: Path, *, durable: bool = False, read_only: bool = False) -> None:
        where = f"{path.absolute().as_uri()}?mode=ro" if read_only else str(path)
        self.connection = sqlite3.connect(where, uri=read_only, isolation_level=None, check_same_thread=False)
        try:
            self.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            if not read_only:
                self.execute("PRAGMA journal_mode = WAL")
                self.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self.execute("PRAGMA secure_delete = ON")
                self.prepare()
        except BaseException:
            self.connection.close()
            raise

    def execute(self, text: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.connection.execute(text, values)

    def many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        self.connection.executemany(text, rows)

    def begin(self) -> None:
        self.execute("BEGIN IMMEDIATE")

    def rollback(self) -> None:
        if self.connection.in_transaction:
            self.execute("ROLLBACK")

    def insert(self, rows: Sequence[Row], *, again: bool = False) -> None:
        try:
            super().insert(rows, again=again)
        except sqlite3.IntegrityError as error:
            raise ClashError from error

    def wipe(self) -> bool:
        """Empty the write-ahead log and rebuild the file without its free pages."""
        try:
            self.execute("VACUUM")
            busy = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
        return not busy

    def close(self) -> None:
        self.connection.close()
