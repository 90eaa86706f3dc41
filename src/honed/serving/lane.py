"""A lane: the queue, the batches and the worker of one version of a model; a dead worker is replaced.

A batch is sent when the worker is free. What arrives while it computes makes the next batch, so a single client never waits
for others and many clients share the work. Clients that were answered together come back one after the other: as many as
the last batch had are waited for, though never longer than a part of the time that batch took.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from honed.errors import HonedError, ServeError
from honed.serving.answers import Answered, answered
from honed.serving.desk import MOST_TRIES, Desk
from honed.serving.problems import away
from honed.serving.process import Opening, Process, WorkerGoneError
from honed.serving.settings import Limits

FIRST_PAUSE_S, LONGEST_PAUSE_S, HEALTHY_S = 0.1, 10.0, 30.0
GATHER_SHARE, GATHER_MOST_S = 0.2, 0.005
"""The longest wait for the companions of the last batch, as a share of its time and in seconds."""


@dataclass
class Asked:
    """Rows of one request that wait for their answer."""

    rows: Sequence[dict[str, Any]]
    future: asyncio.Future[Answered]
    deadline: float
    tries: int = 0


@dataclass
class Counts:
    """What happened in a lane; /metrics and /api/models show it."""

    restarts: int = 0
    batches: int = 0
    rows: int = 0
    last_error: str = ""
    on_batch: Callable[[int, float], None] = field(default=lambda rows, seconds: None, repr=False)


class Lane:
    """Answers rows through one worker."""

    def __init__(self, name: str, opening: Opening, limits: Limits) -> None:
        self.name, self.opening, self.limits = name, opening, limits
        self.counts = Counts()
        self.process: Process | None = None
        self.waiting_rows = 0
        self.stopping = False
        self.writes: dict[str, Any] | None = None
        self.desk = Desk(name, lambda: self.process, limits)
        self._queue: deque[Asked] = deque()
        self._busy = False
        self._last_size, self._last_s = 1, 0.0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the model; raises what the first worker says when it cannot."""
        try:
            self.process = await Process.start(self.opening, self.limits)
        except WorkerGoneError as gone:
            raise away(self.name, f"its worker could not start, {gone}") from gone
        self.writes = self.process.writes
        self._task = asyncio.create_task(self._run())

    @property
    def ready(self) -> bool:
        """The worker is there and was heard a moment ago."""
        process = self.process
        return process is not None and not process.gone.is_set() and process.silent_s <= self.limits.silence_s

    async def ask(self, rows: Sequence[dict[str, Any]]) -> Answered:
        """Answers for the rows of one request.

        Raises
        ------
        ServeError [H007, H008, H009, H010, H015]
        """
        self.check_room(len(rows))
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        asked = Asked(rows, future, time.monotonic() + self.limits.request_s)
        self._queue.append(asked)
        self.waiting_rows += len(rows)
        self._wake.set()
        try:
            return await asyncio.wait_for(future, self.limits.request_s)
        except TimeoutError:
            seen = f"The answer took longer than {self.limits.request_s:g} s."
            raise ServeError("H009", seen, "Send fewer rows at a time, or try when there is less to do.") from None

    def check_room(self, n: int) -> None:
        """Raises ServeError [H008, H010] when no more rows can be taken."""
        if self.stopping:
            raise away(self.name, "it is being stopped")
        if self.waiting_rows and self.waiting_rows + n > self.limits.queue_rows:
            seen = f"{self.waiting_rows:,} rows wait already; the queue takes {self.limits.queue_rows:,}."
            raise ServeError("H008", seen, "Try again in a moment.", details={"retry_after_s": 1})

    async def stop(self) -> None:
        """Take no more, answer what waits, end the worker."""
        self.stopping = self.desk.stopping = True
        until = time.monotonic() + self.limits.drain_s
        while (self._queue or self._busy or self.desk.n_open) and time.monotonic() < until:
            await asyncio.sleep(0.01)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for asked in self._queue:
            if not asked.future.done():
                asked.future.set_exception(away(self.name, "it was stopped"))
        if self.process is not None:
            await self.process.end(2.0)

    # --- the loop -------------------------------------------------------------------------------------------------
    async def _run(self) -> None:
        while True:
            process = self.process
            if process is None or process.gone.is_set():
                await self._replace()
                continue
            if not self._queue:
                await self._sleep(process)
                continue
            await self._gather()
            batch = self._take()
            if batch:
                self._busy = True
                try:
                    await self._answer(process, batch)
                finally:
                    self._busy = False

    async def _sleep(self, process: Process) -> None:
        self._wake.clear()
        waits = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(process.gone.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _gather(self) -> None:
        """Wait a moment for as many requests as the last batch had."""
        until = time.monotonic() + min(GATHER_MOST_S, GATHER_SHARE * self._last_s)
        while len(self._queue) < self._last_size and (left := until - time.monotonic()) > 0:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)

    def _take(self) -> list[Asked]:
        """Requests for one batch. One that was there when a worker died goes alone, so that it harms no other."""
        batch: list[Asked] = []
        n = 0
        while self._queue:
            first = self._queue[0]
            if first.future.done():
                self._forget(self._queue.popleft())
                continue
            if batch and (first.tries or batch[0].tries or n + len(first.rows) > self.limits.batch_rows):
                break
            batch.append(self._queue.popleft())
            n += len(first.rows)
        return batch

    def _forget(self, asked: Asked) -> None:
        self.waiting_rows -= len(asked.rows)

    async def _answer(self, process: Process, batch: list[Asked]) -> None:
        rows = [row for asked in batch for row in asked.rows]
        begin = time.perf_counter()
        try:
            head, arrays = await process.ask({"do": "predict", "rows": rows}, self.limits.request_s)
        except WorkerGoneError as gone:
            self._again(batch, str(gone))
            return
        self.counts.batches += 1
        self.counts.rows += len(rows)
        self._last_size, self._last_s = len(batch), time.perf_counter() - begin
        self.counts.on_batch(len(rows), self._last_s)
        start = 0
        for asked in batch:
            self._forget(asked)
            if not asked.future.done():
                try:
                    asked.future.set_result(answered(head, arrays, start, start + len(asked.rows)))
                except HonedError as error:
                    asked.future.set_exception(error)
            start += len(asked.rows)

    def _again(self, batch: list[Asked], why: str) -> None:
        for asked in reversed(batch):
            asked.tries += 1
            if asked.tries < MOST_TRIES and not asked.future.done():
                self._queue.appendleft(asked)
                continue
            self._forget(asked)
            if not asked.future.done():
                asked.future.set_exception(away(self.name, f"its worker was lost twice on this request, {why}"))

    async def _replace(self) -> None:
        """A new worker in place of the dead one; the pause grows while new ones die too."""
        pause, begin = FIRST_PAUSE_S, time.monotonic()
        old = self.process
        if old is not None:
            self.counts.last_error = old.why
            self.process = None
            await old.end(0)
        while True:
            self.counts.restarts += 1
            print(f"honed: the worker of {self.name} is replaced: {self.counts.last_error}.", flush=True)
            try:
                self.process = await Process.start(self.opening, self.limits)
                return
            except (HonedError, WorkerGoneError, OSError) as error:
                self.counts.last_error = str(error)
            self._expire()
            if self.stopping and time.monotonic() - begin > self.limits.drain_s:
                return
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_S, 2 * pause)

    def _expire(self) -> None:
        """Nobody waits for a worker that does not come: what is due is answered."""
        for asked in list(self._queue):
            if asked.future.done():
                self._queue.remove(asked)
                self._forget(asked)
