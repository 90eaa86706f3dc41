"""The database of a prediction log: a file or an address."""

from __future__ import annotations

from pathlib import Path

from honed.monitoring.sqlite import SqliteStore
from honed.monitoring.store import Store


def is_url(target: str | Path) -> bool:
    """True for the address of a PostgreSQL database."""
    return str(target).startswith(("postgresql://", "postgres://"))


def open_store(target: str | Path, *, durable: bool = False, read_only: bool = False) -> Store:
    """The log at a path (SQLite) or URL (PostgreSQL)."""
    if is_url(target):
        from honed.monitoring.postgres import PostgresStore

        return PostgresStore(str(target), read_only=read_only)
    return SqliteStore(Path(target), durable=durable, read_only=read_only)
