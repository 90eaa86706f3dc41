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
    """Answers by what was asked; both hold placeholders, no personal data. Only the user can read the file, which is made when
    the first answer is looked for.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def find(self, asked: str) -> Any:
        """The answer to the same request, or None. Raises RunError where nothing can be kept."""
        with self._lock:
            row = self._store().execute("SELECT answer FROM answers WHERE asked = ?", (_name(asked),)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, asked: str, answer: Any) -> None:
        """Keep an answer. Raises RunError where nothing can be kept."""
        with self._lock:
            self._store().execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (_name(asked), json.dumps(answer)))

    def _store(self) -> sqlite3.Connection:
        if self._opened is None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                path = self._folder / "answers.sqlite"
                path.touch(mode=0o600)
            except OSError as error:
                raise tell_os_error(error, self._folder) from error
            self._opened = sqlite3.connect(path, check_same_thread=False, timeout=30, isolation_level=None)
            self._opened.execute("PRAGMA journal_mode=WAL")
            self._opened.execute("CREATE TABLE IF NOT EXISTS answers (asked TEXT PRIMARY KEY, answer TEXT NOT NULL)")
        return self._opened


def _name(asked: str) -> str:
    return sha256(asked.encode("utf-8", "replace")).hexdigest()
