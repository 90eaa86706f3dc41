"""Answers that were paid for, kept on this machine so that an interrupted run does not pay twice."""

from __future__ import annotations

import json
import sqlite3
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

from honed.files import tell_os_error


class Kept:
    """Answers by what was asked; both hold placeholders, no personal data. Only the user can read the file.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / "answers.sqlite"
            path.touch(mode=0o600)
        except OSError as error:
            raise tell_os_error(error, folder) from error
        self._lock = threading.Lock()
        self._store = sqlite3.connect(path, check_same_thread=False, timeout=30, isolation_level=None)
        self._store.execute("PRAGMA journal_mode=WAL")
        self._store.execute("CREATE TABLE IF NOT EXISTS answers (asked TEXT PRIMARY KEY, answer TEXT NOT NULL)")

    def find(self, asked: str) -> Any:
        """The answer to the same request, or None."""
        with self._lock:
            row = self._store.execute("SELECT answer FROM answers WHERE asked = ?", (_name(asked),)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, asked: str, answer: Any) -> None:
        """Keep an answer."""
        with self._lock:
            self._store.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (_name(asked), json.dumps(answer)))


def _name(asked: str) -> str:
    return sha256(asked.encode("utf-8", "replace")).hexdigest()
