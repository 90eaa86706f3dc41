"""The writer of a prediction log: one thread's work on one database, through full disks and databases that go away."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from honed.monitoring import archive
from honed.monitoring.opening import is_url, open_store
from honed.monitoring.rows import Entry, TextKept, rows_of
from honed.monitoring.spill import Spill
from honed.monitoring.store import ClashError, LabelRow, Row, Store

RETRY_S, LONGEST_RETRY_S = 0.2, 5.0
PING_S, CHORES_S = 2.0, 3600.0
DAY_MS = 86_400_000

Handle = Future[bool]
"""Done once the row is on the disk (True), or once it is certain that it is not yet there (False)."""


@dataclass
class Tally:
    """What became of the rows; ``trouble`` says what is wrong, ``stuck`` that rows wait because of it."""

    written: int = 0
    dropped: int = 0
    waiting: int = 0
    trouble: str = ""
    stuck: bool = False


@dataclass
class LabelItem:
    """A label on its way, and whether it was kept."""

    row: LabelRow
    done: Future[bool] = field(default_factory=Future)


@dataclass(frozen=True)
class Keeping:
    """What is kept, and for how long."""

    text: TextKept
    durable: bool
    hash_subjects: bool
    keep_days: float | None
    roll_days: float | None


class Writer:
    """Writes entries and labels; only the thread of the log calls it."""

    def __init__(
        self, target: str | Path, keeping: Keeping, spill: Spill | None, tally: Tally, closing: threading.Event
    ) -> None:
        self.target, self.keeping, self.spill, self.tally, self._closing = target, keeping, spill, tally, closing
        self.keep_days, self.roll_days = keeping.keep_days, keeping.roll_days
        self._store: Store | None = None
        self._salt: str | None = None
        self._inode = self._last_id = 0
        self._retry_at = self._next_chores = 0.0
        self._chores: Iterator[None] | None = None

    def close(self) -> None:
        """Close the database."""
        if self._store is not None:
            self._quietly(self._store.close)

    def write(self, entries: list[Entry]) -> None:
        """Write entries, again and again until it works, or the disk takes them meanwhile, or the log is closed."""
        rows: list[Row] | None = None
        handles = [entry.handle for entry in entries if entry.handle is not None]
        pause, again = RETRY_S, False
        while True:
            try:
                if self._salt is None:
                    self._connected()
                rows = self._rows_of(entries) if rows is None else rows
                self._commit(self._connected(), rows, again)
                self._settle(rows, handles)
                self.tally.trouble, self.tally.stuck = "", False
                return
            except ClashError:
                rows = None
                continue
            except Exception as error:
                again = True
                self._failed(error)
                if rows and not _passing(error):
                    rows = self._without_bad(rows)
                    for handle in handles:
                        resolve(handle, False)
                    continue
            if rows and self._spilled(rows):
                self._settle(rows, handles)
                return
            self.tally.stuck = True
            for handle in handles:
                resolve(handle, False)
            until = time.monotonic() + pause
            while time.monotonic() < until and not self._closing.is_set():
                time.sleep(0.02)
            if self._closing.is_set():
                self.tally.dropped += self.tally.waiting
                self.tally.waiting = 0
                return
            pause = min(LONGEST_RETRY_S, 2 * pause)

    def _without_bad(self, rows: list[Row]) -> list[Row]:
        """One row that the database refuses must not stop the others: each is tried alone, the refused ones are dropped."""
        good: list[Row] = []
        for row in rows:
            try:
                self._commit(self._connected(), [row], True)
                self.tally.written += 1
            except Exception as error:
                if _passing(error):
                    good.append(row)
                else:
                    self.tally.dropped += 1
        return good

    def _commit(self, store: Store, rows: list[Row], again: bool) -> None:
        try:
            if self.spill and self.spill.size:
                for waiting in self.spill.batches():
                    self._transaction(store, waiting, True)
                    self.tally.written += len(waiting)
                self.spill.clear()
            self._transaction(store, rows, again)
        except BaseException:
            self._quietly(store.rollback)
            raise

    @staticmethod
    def _transaction(store: Store, rows: list[Row], again: bool) -> None:
        store.begin()
        store.insert(rows, again=again)
        store.commit()

    def _rows_of(self, entries: list[Entry]) -> list[Row]:
        assert self._salt is not None
        rows: list[Row] = []
        for entry in entries:
            first = max(self._last_id + 1, entry.at << 21 | int.from_bytes(os.urandom(2), "big"))
            self._last_id = first + len(entry.inputs)
            try:
                rows += rows_of(entry, first, self._salt, self.keeping.text, self.keeping.hash_subjects)
            except Exception as error:
                self.tally.dropped += len(entry.inputs)
                self.tally.waiting -= len(entry.inputs)
                self.tally.trouble = f"Rows could not be prepared for the log: {type(error).__name__}."
        return rows

    def _settle(self, rows: list[Row], handles: list[Handle]) -> None:
        """The rows are on the disk: in the database, or in the spill file until the database is back."""
        self.tally.waiting = 0
        if not (self.spill and self.spill.size):
            self.tally.written += len(rows)
        for handle in handles:
            resolve(handle, True)

    def _spilled(self, rows: list[Row]) -> bool:
        try:
            return self.spill is not None and self.spill.add(rows)
        except OSError:
            return False

    def _failed(self, error: Exception) -> None:
        text = str(error).strip().splitlines()
        self.tally.trouble = f"The log cannot be written: {text[0] if text else type(error).__name__}."
        if self._store is not None:
            self._quietly(self._store.rollback)
            if is_url(self.target):
                self._quietly(self._store.close)
                self._store = None

    def _connected(self) -> Store:
        if self._store is not None and not is_url(self.target) and _inode(self.target) != self._inode:
            self._quietly(self._store.close)
            self._store = None
        if self._store is None:
            if is_url(self.target):
                if time.monotonic() < self._retry_at:
                    raise ConnectionError("the database was away a moment ago")
                self._retry_at = time.monotonic() + PING_S
            else:
                Path(self.target).absolute().parent.mkdir(parents=True, exist_ok=True)
            self._store = open_store(self.target, durable=self.keeping.durable)
            self._salt = self._store.meta("salt")
            self._inode = 0 if is_url(self.target) else _inode(self.target)
        return self._store

    def label(self, item: LabelItem) -> None:
        kept = False
        try:
            store = self._connected()
            known = store.knows(item.row.request, item.row.line)
            if not known and not is_url(self.target):
                known = archive.knows(Path(self.target), item.row.request, item.row.line)
            if known:
                store.label(item.row)
                kept = True
        except Exception as error:
            self._failed(error)
        item.done.set_result(kept)

    def idle(self) -> None:
        """Nothing to write: see whether the log is there, replay what waits on the disk, tidy up a slice."""
        try:
            store = self._connected()
            if self.spill and self.spill.size:
                self._commit(store, [], False)
            store.ask("SELECT 1")
            self.tally.trouble, self.tally.stuck = "", False
        except Exception as error:
            self._failed(error)

    @property
    def busy(self) -> bool:
        """There is tidying to go on with."""
        return self._chores is not None

    def tidy(self) -> None:
        """Once an hour, retention and rolling: one slice at a time, between batches."""
        if not (self.keep_days or self.roll_days) or (self._chores is None and time.monotonic() < self._next_chores):
            return
        try:
            if self._chores is None:
                self._next_chores = time.monotonic() + CHORES_S
                self._chores = self._slices(self._connected())
            if next(self._chores, "done") == "done":
                self._chores = None
        except Exception as error:
            self._chores = None
            self._failed(error)

    def _slices(self, store: Store) -> Iterator[None]:
        """Retention and rolling, one slice at a time, so that rows never wait long."""
        now = int(time.time() * 1000)
        if self.keep_days is not None:
            before = now - int(self.keep_days * DAY_MS)
            while store.retire(before):
                yield
            if not is_url(self.target):
                archive.retire(Path(self.target), store, before)
        if self.roll_days is not None:
            yield from archive.roll(Path(self.target), store, now - int(self.roll_days * DAY_MS))

    @staticmethod
    def _quietly(work: Any) -> None:
        try:
            work()
        except Exception:
            return


def _passing(error: Exception) -> bool:
    """True for trouble of the place (disk, network, locks), which may pass; False for rows that are refused themselves."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return not kinds & {"DataError", "UnicodeError", "OverflowError", "TypeError"}


def resolve(handle: Handle | None, written: bool) -> None:
    """Tell whoever waits, once."""
    if handle is not None and not handle.done():
        handle.set_result(written)


def _inode(target: str | Path) -> int:
    try:
        return Path(target).stat().st_ino
    except OSError:
        return -1
