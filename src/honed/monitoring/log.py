"""The prediction log of a server: a bounded queue and one writer. It never blocks and never fails the caller."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal

from honed.errors import MonitorError
from honed.monitoring import archive
from honed.monitoring.chores import Handle, LateLabel, inode_of, passing, quietly, resolve, size_of, tidy
from honed.monitoring.rows import Entry, TextKept, clean, rows_of
from honed.monitoring.spill import MIB, Spill
from honed.monitoring.store import ClashError, LabelRow, Row, Store, is_url, open_store, to_json
from honed.tasks.contract import Array, Input, Predictions

BATCH_ROWS = 2_000
GATHER_S, GATHER_DURABLE_S = 0.02, 0.002
"""How long the writer gathers after the first entry: many requests share one commit."""
LABEL_WAIT_S = 5.0
RETRY_S, LONGEST_RETRY_S = 0.2, 5.0
PING_S, CHORES_S = 2.0, 3600.0


class PredictionLog:
    """Keeps what a model answered, in SQLite (a path) or PostgreSQL (a URL).

    Parameters
    ----------
    target : path or "postgresql://..." URL
    text : "masked", "none" or "raw"
        Texts are kept with personal data masked, not at all, or as they came.
    durable : bool
        :meth:`record` returns a handle that is done once the rows are on the disk.
    keep_days : float or None
        Older rows are deleted.
    roll_days : float or None
        Whole days older than this move into one Parquet file each (SQLite only).
    subjects : "hashed" or "raw"
        Whether the ids of people are kept as keyed hashes (the key lies in the log) or as they are.
    queue_rows, queue_mib : int, float
        Most that may wait in memory; more is dropped and counted.
    spill_mib : float
        Most that may wait on the disk while a PostgreSQL database is away.
    spill : path or None
        Where; ``honed-log.spill`` in the working folder when left out.

    Raises
    ------
    MonitorError [M005, M007]
        psycopg is missing; roll_days with PostgreSQL. A database that cannot be reached is no error: rows wait for it.
    """

    def __init__(
        self,
        target: str | Path,
        *,
        text: TextKept = "masked",
        durable: bool = False,
        keep_days: float | None = None,
        roll_days: float | None = None,
        subjects: Literal["hashed", "raw"] = "hashed",
        queue_rows: int = 50_000,
        queue_mib: float = 64.0,
        spill_mib: float = 256.0,
        spill: Path | None = None,
    ) -> None:
        self.target, self.text, self.durable = target, text, durable
        self.keep_days, self.roll_days, self.hash_subjects = keep_days, roll_days, subjects == "hashed"
        self.spill: Spill | None = None
        if is_url(target):
            from honed.monitoring.postgres import driver

            driver()
            self.spill = Spill(spill or Path("honed-log.spill"), spill_mib)
            if roll_days is not None:
                seen = "Days are moved into files for SQLite only."
                raise MonitorError("M007", seen, "Leave roll_days away; PostgreSQL has partitions for that.")
        self._most_rows, self._most_bytes = queue_rows, int(queue_mib * MIB)
        self._queue: deque[Entry | LateLabel | threading.Event] = deque()
        self._rows = self._bytes = self._written = self._dropped = self._waiting = 0
        self._ready = threading.Condition()
        self._closing = self._closed = False
        self._trouble, self._stuck = "", False
        self._retry_at = 0.0
        self._store: Store | None = None
        self._salt: str | None = None
        self._inode = 0
        self._last_id = 0
        self._next_chores = 0.0
        self._chores: Iterator[None] | None = None
        self._thread = threading.Thread(target=self._run, name="honed-log", daemon=True)
        self._thread.start()

    # --- the caller's side: never blocks, never fails -----------------------------------------------------------
    def record(
        self,
        model: str,
        version: str,
        inputs: Sequence[Input],
        predictions: Predictions,
        *,
        request_id: str,
        subject: str | None = None,
        shadow: bool = False,
        vectors: Array | None = None,
    ) -> Handle | None:
        """Hand over the rows of one answered request.

        Parameters
        ----------
        request_id : str
            By it labels are attached and records erased.
        subject : str or None
            Whom the rows are about.
        vectors : array (n, d) or None
            What the head read, where the predictor gives it for nothing.

        Returns
        -------
        A handle in durable mode, else None.
        """
        handle: Handle | None = Future() if self.durable else None
        try:
            entry = Entry(int(time.time() * 1000), str(model), str(version), inputs, predictions, str(request_id),
                          None if subject is None else str(subject), bool(shadow), vectors, handle)  # fmt: skip
            n, size = len(inputs), size_of(inputs)
            with self._ready:
                full = self._rows + n > self._most_rows or self._bytes + size > self._most_bytes
                if full or self._closing:
                    self._dropped += n
                    kept = False
                else:
                    self._rows += n
                    self._bytes += size
                    kept = True
                    self._queue.append(entry)
                    self._ready.notify()
            if handle is not None and not (kept and not self._stuck):
                resolve(handle, False)
        except Exception:
            self._dropped += 1
            resolve(handle, False)
        return handle

    def label(self, request_id: str, row: int, label: Any) -> bool:
        """Attach the truth to an answer, days later too. Waits for the writer, so call it outside an event loop.

        Returns
        -------
        True when the answer is known and the label is kept; a later label replaces an earlier one.
        """
        item = LateLabel(LabelRow(clean(str(request_id)), int(row), clean(to_json(label)), int(time.time() * 1000)))
        with self._ready:
            if self._closing:
                return False
            self._queue.append(item)
            self._ready.notify()
        try:
            return item.done.result(LABEL_WAIT_S)
        except TimeoutError:
            return False

    def health(self) -> dict[str, Any]:
        """``ok``, ``written`` and ``dropped`` rows, ``waiting`` rows in memory, ``spilled`` bytes, ``reason`` when not ok."""
        alive = self._thread.is_alive() or self._closed
        reason = self._trouble or ("" if alive else "The writer of the log has stopped.")
        return {
            "ok": not reason,
            "written": self._written,
            "dropped": self._dropped,
            "waiting": self._rows + self._waiting,
            "spilled": self.spill.size if self.spill else 0,
            "reason": reason,
        }

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was handed over is written; False when that took too long."""
        mark = threading.Event()
        with self._ready:
            if self._closed:
                return not self._rows
            self._queue.append(mark)
            self._ready.notify()
        return mark.wait(timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits, then stop; what cannot be written in time is dropped and counted."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join(timeout_s)
        self._closed = True

    # --- the writer's side ----------------------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            taken = self._take()
            if not taken and self._closing:
                break
            entries = [item for item in taken if isinstance(item, Entry)]
            if entries:
                self._write(entries)
            for item in taken:
                if isinstance(item, LateLabel):
                    self._label(item)
                elif isinstance(item, threading.Event):
                    item.set()
            if not entries:
                self._idle()
        if self._store is not None:
            quietly(self._store.close)

    def _take(self) -> list[Any]:
        """What waits, up to a batch; gathered for a moment so that commits are shared; labels and marks end a batch."""
        with self._ready:
            if not self._queue and not self._closing:
                self._ready.wait(PING_S if self._chores is None else 0.001)
            if not self._queue:
                return []
            hurry = self._closing or not isinstance(self._queue[0], Entry)
        if not hurry:
            time.sleep(GATHER_DURABLE_S if self.durable else GATHER_S)
        taken: list[Any] = []
        with self._ready:
            n = 0
            while self._queue and n < BATCH_ROWS:
                if taken and isinstance(self._queue[0], Entry) and not isinstance(taken[-1], Entry):
                    break
                item = self._queue.popleft()
                taken.append(item)
                if isinstance(item, Entry):
                    n += len(item.inputs)
                    self._rows -= len(item.inputs)
                    self._bytes -= size_of(item.inputs)
            self._waiting = n
        return taken

    def _write(self, entries: list[Entry]) -> None:
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
                self._trouble, self._stuck = "", False
                return
            except ClashError:
                rows = None
                continue
            except Exception as error:
                again = True
                self._failed(error)
                if rows and not passing(error):
                    rows = self._without_bad(rows)
                    for handle in handles:
                        resolve(handle, False)
                    continue
            if rows and self._spilled(rows):
                self._settle(rows, handles)
                return
            self._stuck = True
            for handle in handles:
                resolve(handle, False)
            until = time.monotonic() + pause
            while time.monotonic() < until and not self._closing:
                time.sleep(0.02)
            if self._closing:
                self._dropped += self._waiting
                self._waiting = 0
                return
            pause = min(LONGEST_RETRY_S, 2 * pause)

    def _without_bad(self, rows: list[Row]) -> list[Row]:
        """One row that the database refuses must not stop the others: each is tried alone, the refused ones are dropped."""
        good: list[Row] = []
        for row in rows:
            try:
                self._commit(self._connected(), [row], True)
                self._written += 1
            except Exception as error:
                if passing(error):
                    good.append(row)
                else:
                    self._dropped += 1
        return good

    def _commit(self, store: Store, rows: list[Row], again: bool) -> None:
        try:
            if self.spill and self.spill.size:
                for waiting in self.spill.batches():
                    self._transaction(store, waiting, True)
                    self._written += len(waiting)
                self.spill.clear()
            self._transaction(store, rows, again)
        except BaseException:
            quietly(store.rollback)
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
                rows += rows_of(entry, first, self._salt, self.text, self.hash_subjects)
            except Exception as error:
                self._dropped += len(entry.inputs)
                self._waiting -= len(entry.inputs)
                self._trouble = f"Rows could not be prepared for the log: {type(error).__name__}."
        return rows

    def _settle(self, rows: list[Row], handles: list[Handle]) -> None:
        """The rows are on the disk: in the database, or in the spill file until the database is back."""
        self._waiting = 0
        if not (self.spill and self.spill.size):
            self._written += len(rows)
        for handle in handles:
            resolve(handle, True)

    def _spilled(self, rows: list[Row]) -> bool:
        try:
            return self.spill is not None and self.spill.add(rows)
        except OSError:
            return False

    def _failed(self, error: Exception) -> None:
        text = str(error).strip().splitlines()
        self._trouble = f"The log cannot be written: {text[0] if text else type(error).__name__}."
        if self._store is not None:
            quietly(self._store.rollback)
            if is_url(self.target):
                quietly(self._store.close)
                self._store = None

    def _connected(self) -> Store:
        if self._store is not None and not is_url(self.target) and inode_of(self.target) != self._inode:
            quietly(self._store.close)
            self._store = None
        if self._store is None:
            if is_url(self.target):
                if time.monotonic() < self._retry_at:
                    raise ConnectionError("the database was away a moment ago")
                self._retry_at = time.monotonic() + PING_S
            else:
                Path(self.target).absolute().parent.mkdir(parents=True, exist_ok=True)
            self._store = open_store(self.target, durable=self.durable)
            self._salt = self._store.meta("salt")
            self._inode = 0 if is_url(self.target) else inode_of(self.target)
        return self._store

    def _label(self, item: LateLabel) -> None:
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

    def _idle(self) -> None:
        """Nothing to write: see whether the log is there, replay what waits on the disk, tidy up a slice."""
        try:
            store = self._connected()
            if self.spill and self.spill.size:
                self._commit(store, [], False)
            store.ask("SELECT 1")
            self._trouble, self._stuck = "", False
            now = time.monotonic()
            if self._chores is None and now >= self._next_chores and (self.keep_days or self.roll_days):
                self._next_chores = now + CHORES_S
                self._chores = tidy(store, self.target, self.keep_days, self.roll_days)
            if self._chores is not None and next(self._chores, "done") == "done":
                self._chores = None
        except Exception as error:
            self._chores = None
            self._failed(error)
