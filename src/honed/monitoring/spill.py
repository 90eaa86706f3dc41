"""Rows that wait on the disk while the database is away: JSON lines of a bounded size, already masked and hashed."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from honed.monitoring.store import REQUEST, SUBJECT, Row

MIB = 1024 * 1024


class Spill:
    """A file of rows; ``full`` once it has reached its size."""

    def __init__(self, path: Path, most_mib: float) -> None:
        self.path, self.most = path, int(most_mib * MIB)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self.path.stat().st_size if self.path.exists() else 0

    def add(self, rows: Sequence[Row]) -> bool:
        """Append rows and see them onto the disk; False when the file is full."""
        lines = "".join(
            json.dumps([_plain(value) for value in row], ensure_ascii=False) + "\n" for row in rows
        ).encode()
        if self.size + len(lines) > self.most:
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            stream.write(lines)
            stream.flush()
            os.fsync(stream.fileno())
        return True

    def batches(self, n: int = 2000) -> Iterator[list[Row]]:
        """The rows that wait, in the order they came; a last line cut short by a crash is left out."""
        if not self.path.exists():
            return
        rows: list[Row] = []
        with self.path.open("rb") as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    rows.append(tuple(_back(value) for value in json.loads(line)))
                if len(rows) >= n:
                    yield rows
                    rows = []
        if rows:
            yield rows

    def erase(self, *, subject: str | None = None, request: str | None = None) -> int:
        """Write the file anew without the rows of a subject or request; how many there were."""
        kept, n = [], 0
        for rows in self.batches():
            for row in rows:
                gone = (subject is not None and row[SUBJECT] == subject) or (
                    request is not None and row[REQUEST] == request
                )
                n += gone
                kept += [] if gone else [row]
        if n:
            self.clear()
            if kept:
                self.add(kept)
        return n

    def clear(self) -> None:
        """All rows are in the database."""
        self.path.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    return {"b": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _back(value: Any) -> Any:
    return base64.b64decode(value["b"]) if isinstance(value, dict) else value
