"""The parent's hold on one worker process: start, ask, notice silence, end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from honed.serving import wire
from honed.serving.problems import error_from
from honed.serving.pulse import Pulse
from honed.serving.settings import Limits
from honed.tasks.contract import Array
from honed.threads import surroundings

Message = tuple[dict[str, Any], dict[str, Array]]
Hear = Callable[[dict[str, Any]], None]


class WorkerGoneError(Exception):
    """The worker died or fell silent before it answered."""


@dataclass(frozen=True)
class Opening:
    """What a worker opens.

    Parameters
    ----------
    folder : Path
        A bundle; or, for a base, its folder or file.
    slots, weights : int, str
        How texts are written, where the model writes any.
    """

    folder: Path
    engine: str
    version: str
    example: dict[str, Any]
    base: bool = False
    slots: int = 16
    weights: str = "float32"


class Process:
    """One running worker. ``gone`` is set when it is no more."""

    def __init__(self, process: asyncio.subprocess.Process, reader: Any, writer: Any, limits: Limits) -> None:
        self.pid = process.pid
        self.engine = ""
        self.writes: dict[str, Any] | None = None
        self.running = self.waiting = 0
        self.gone = asyncio.Event()
        self.why = ""
        self._process, self._reader, self._writer, self._limits = process, reader, writer, limits
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._hearing: dict[int, Hear] = {}
        self._heard = time.monotonic()
        self._tasks = [asyncio.create_task(self._listen())]

    @classmethod
    async def start(cls, opening: Opening, limits: Limits) -> Process:
        """Start a worker and wait until its model is loaded and warm.

        Raises
        ------
        HonedError
            The bundle cannot be opened.
        WorkerGoneError
            The worker died, or was not ready in time.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "honed.serving.worker", str(theirs.fileno()), pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL, start_new_session=True, env=surroundings(os.environ),
            )  # fmt: skip
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        self = cls(process, reader, writer, limits)
        try:
            facts = {**asdict(opening), "folder": str(opening.folder)}
            head, _ = await self.ask({"do": "load", **facts}, limits.start_s)
            if "error" in head:
                raise error_from(head["error"])
        except BaseException:
            await self.end(0)
            raise
        self.engine, self.writes = head["engine"], head["writes"]
        self._heard = time.monotonic()
        self._tasks.append(asyncio.create_task(self._beat()))
        return self

    @property
    def silent_s(self) -> float:
        """Seconds since the worker was last heard."""
        return time.monotonic() - self._heard

    async def ask(self, message: dict[str, Any], limit_s: float) -> Message:
        """Send a message and wait for its answer. Raises WorkerGoneError; a worker that takes too long is killed."""
        if self.gone.is_set():
            raise WorkerGoneError(self.why)
        number = next(self._numbers)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._writer.write(wire.packed({**message, "id": number}))
            return await asyncio.wait_for(future, limit_s)
        except TimeoutError:
            self.kill(f"it did not answer within {limit_s:g} s")
            raise WorkerGoneError(self.why) from None
        finally:
            self._waiting.pop(number, None)

    def write(self, message: dict[str, Any], hear: Hear) -> int:
        """Ask for a text; ``hear`` gets its parts as :mod:`honed.serving.scribe` tells them, or ``{"gone": why}``.

        Returns
        -------
        Its number, by which it can be forgotten.
        """
        if self.gone.is_set():
            raise WorkerGoneError(self.why)
        number = next(self._numbers)
        self._hearing[number] = hear
        self._writer.write(wire.packed({**message, "do": "write", "id": number}))
        return number

    def forget(self, number: int, *, cancel: bool) -> None:
        """Hear no more of a text; with ``cancel`` its slot is freed."""
        if self._hearing.pop(number, None) is not None and cancel and not self.gone.is_set():
            self._writer.write(wire.packed({"do": "cancel", "id": number}))

    def kill(self, why: str) -> None:
        """End the worker at once; whoever waits for it gets WorkerGoneError."""
        self.why = self.why or why
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._lost()

    async def end(self, drain_s: float) -> None:
        """Let the worker finish what it has, then end it."""
        if drain_s and not self.gone.is_set():
            self._writer.write(wire.packed({"do": "stop", "id": -1}))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), drain_s)
        self.kill("it was told to end")
        await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()

    async def _listen(self) -> None:
        try:
            while True:
                head, arrays = await wire.read(self._reader)
                self._heard = time.monotonic()
                if "written" in head:
                    self._tell(head)
                    continue
                future = self._waiting.get(head["id"])
                if future is not None and not future.done():
                    future.set_result((head, arrays))
        except (asyncio.IncompleteReadError, OSError, ValueError):
            self.kill("it died")

    def _tell(self, head: dict[str, Any]) -> None:
        self.running, self.waiting = head["running"], head["waiting"]
        for number, part in head["written"]:
            hear = self._hearing.get(number)
            if hear is not None:
                hear(part)

    def _lost(self) -> None:
        self.gone.set()
        self.running = self.waiting = 0
        for hear in list(self._hearing.values()):
            hear({"gone": self.why})
        self._hearing.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(WorkerGoneError(self.why))

    async def _beat(self) -> None:
        pause, pulse, still = self._limits.silence_s / 3, Pulse(self.pid), 0
        while not self.gone.is_set():
            self._writer.write(wire.packed({"do": "ping", "id": -1}))
            before = time.monotonic()
            await asyncio.sleep(pause)
            late = time.monotonic() - before - pause
            if late > pause:
                self._heard = time.monotonic()  # it was this process that slept
            # A parent that is behind with its own work hears late, so that silence proves nothing.
            looks = self.silent_s > pause and late < pause / 4
            still = still + 1 if looks and pulse.stuck() else 0
            if self.silent_s > self._limits.hang_s or (still > 1 and self.silent_s > self._limits.silence_s):
                self.kill(f"it was silent for {self.silent_s:.1f} s")
