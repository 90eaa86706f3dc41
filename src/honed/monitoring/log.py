"""The prediction log of a server: a bounded queue and one writer. It never blocks and never fails the caller."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from honed.errors import MonitorError
from honed.monitoring.opening import is_url
from honed.monitoring.rows import Entry, TextKept, clean
from honed.monitoring.spill import MIB, Spill
from honed.monitoring.store import LabelRow, to_json
from honed.monitoring.writer import PING_S, Handle, Keeping, LabelItem, Tally, Writer, resolve
from honed.tasks.contract import Array, Input, Predictions

BATCH_ROWS = 2_000
GATHER_S, GATHER_DURABLE_S = 0.02, 0.002
"""How long the writer gathers after the first entry: many requests share one commit."""
LABEL_WAIT_S = 5.0


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
        self.target, self.durable = target, durable
        self.spill: Spill | None = None
        if is_url(target):
            from honed.monitoring.postgres import driver

            driver()
            self.spill = Spill(spill or Path("honed-log.spill"), spill_mib)
            if roll_days is not None:
                seen = "Days are moved into files for SQLite only."
                raise MonitorError("M007", seen, "Leave roll_days away; PostgreSQL has partitions for that.")
        self._most_rows, self._most_bytes = queue_rows, int(queue_mib * MIB)
        self._queue: deque[Entry | LabelItem | threading.Event] = deque()
        self._rows = self._bytes = 0
        self._ready = threading.Condition()
        self._closing, self._closed = threading.Event(), False
        self._tally = Tally()
        keeping = Keeping(text, durable, subjects == "hashed", keep_days, roll_days)
        self._writer = Writer(target, keeping, self.spill, self._tally, self._closing)
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
        measured: Callable[[Input], Input] | None = None,
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
        measured : callable or None
            What of an input is kept and watched, such as the brightness of a picture; the input itself when left out.

        Returns
        -------
        A handle in durable mode, else None.
        """
        handle: Handle | None = Handle() if self.durable else None
        try:
            entry = Entry(int(time.time() * 1000), str(model), str(version), inputs, predictions, str(request_id),
                          None if subject is None else str(subject), bool(shadow), vectors, handle, measured)  # fmt: skip
            n, size = len(inputs), _size(inputs)
            with self._ready:
                full = self._rows + n > self._most_rows or self._bytes + size > self._most_bytes
                if full or self._closing.is_set():
                    self._tally.dropped += n
                    kept = False
                else:
                    self._rows += n
                    self._bytes += size
                    kept = True
                    self._queue.append(entry)
                    self._ready.notify()
            if handle is not None and not (kept and not self._tally.stuck):
                resolve(handle, False)
        except Exception:
            self._tally.dropped += 1
            resolve(handle, False)
        return handle

    def label(self, request_id: str, row: int, label: Any) -> bool:
        """Attach the truth to an answer, days later too. Waits for the writer, so call it outside an event loop.

        Returns
        -------
        True when the answer is known and the label is kept; a later label replaces an earlier one.
        """
        item = LabelItem(LabelRow(clean(str(request_id)), int(row), clean(to_json(label)), int(time.time() * 1000)))
        with self._ready:
            if self._closing.is_set():
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
        reason = self._tally.trouble or ("" if alive else "The writer of the log has stopped.")
        return {
            "ok": not reason,
            "written": self._tally.written,
            "dropped": self._tally.dropped,
            "waiting": self._rows + self._tally.waiting,
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
            self._closing.set()
            self._ready.notify()
        self._thread.join(timeout_s)
        self._closed = True

    # --- the writer's side ----------------------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            taken = self._take()
            if not taken and self._closing.is_set():
                break
            entries = [item for item in taken if isinstance(item, Entry)]
            if entries:
                self._writer.write(entries)
            for item in taken:
                if isinstance(item, LabelItem):
                    self._writer.label(item)
                elif isinstance(item, threading.Event):
                    item.set()
            if not entries:
                self._writer.idle()
            self._writer.tidy()
        self._writer.close()

    def _take(self) -> list[Any]:
        """What waits, up to a batch; gathered for a moment so that commits are shared; labels and marks end a batch."""
        with self._ready:
            if not self._queue and not self._closing.is_set():
                self._ready.wait(0.001 if self._writer.busy else PING_S)
            if not self._queue:
                return []
            hurry = self._closing.is_set() or not isinstance(self._queue[0], Entry)
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
                    self._bytes -= _size(item.inputs)
            self._tally.waiting = n
        return taken


def _size(inputs: Sequence[Input]) -> int:
    """About how many bytes of memory inputs hold."""
    return sum(
        64 + sum(len(part) if isinstance(part, str | bytes) else 16 for part in row)
        if isinstance(row, tuple | list)
        else 64
        for row in inputs
    )
