"""The texts that one version of a model is writing: how many at a time, to whom each goes, and what becomes of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect

from honed.errors import ServeError
from honed.serving.problems import away, error_from
from honed.serving.process import Process, WorkerGoneError
from honed.serving.settings import Limits

Part = dict[str, Any]
MOST_TRIES = 2
AGAIN, LEFT, LATE = "again", "left", "late"
LOOK_EVERY_S = 0.02


@dataclass
class Tally:
    """What was written; /metrics shows it."""

    texts: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    cancelled: int = 0
    on_first: Callable[[float], None] = field(default=lambda seconds: None, repr=False)
    on_end: Callable[[float], None] = field(default=lambda tokens_per_s: None, repr=False)


class Desk:
    """Takes orders for texts.

    Parameters
    ----------
    name : str
        Of the model.
    process : callable
        The worker of this moment, or None while it is being replaced.
    """

    def __init__(self, name: str, process: Callable[[], Process | None], limits: Limits) -> None:
        self.name, self.limits, self.tally = name, limits, Tally()
        self.stopping = False
        self.n_open = 0
        self._process = process

    @property
    def running(self) -> int:
        """Texts that hold a slot."""
        process = self._process()
        return process.running if process else 0

    @property
    def waiting(self) -> int:
        """Texts that wait for a slot."""
        return max(0, self.n_open - self.running)

    def order(self, wanted: Sequence[dict[str, Any]], *, live: bool) -> Order:
        """Take an order for texts; ``live`` where each part goes to the client at once.

        Raises
        ------
        ServeError [H008, H010]
            No more can be taken; the server is stopping.
        """
        if self.stopping:
            raise away(self.name, "it is being stopped")
        most = self.limits.slots + self.limits.queue_texts
        if self.n_open and self.n_open + len(wanted) > most:
            seen = f"{self.n_open:,} texts are being written or wait; at most {most:,} may."
            raise ServeError("H008", seen, "Try again in a moment.", details={"retry_after_s": 1})
        return Order(self, wanted, live)

    async def worker(self, until: float) -> Process:
        """The worker, waited for while it is being replaced. Raises ServeError [H010]."""
        while (process := self._process()) is None or process.gone.is_set():
            if self.stopping or time.monotonic() > until:
                raise away(self.name, "its worker is being replaced")
            await asyncio.sleep(LOOK_EVERY_S)
        return process


class Order:
    """The texts of one request. Iterate over :meth:`parts`, and close it whatever happens.

    Parameters
    ----------
    desk : Desk
    wanted : sequence of dict
        Messages for :meth:`Process.write`, one for each text.
    live : bool
        What was told cannot be taken back: a worker that dies then ends it.
    """

    def __init__(self, desk: Desk, wanted: Sequence[dict[str, Any]], live: bool) -> None:
        self._desk, self._wanted, self._live = desk, wanted, live
        self._queue: asyncio.Queue[tuple[int, Part]] = asyncio.Queue()
        self._open: dict[int, int] = {}
        self._process: Process | None = None
        self._begun, self._until = time.monotonic(), time.monotonic() + desk.limits.write_s
        self._first: dict[int, float] = {}
        self._told, self._tries, self._closed = False, 0, False
        desk.n_open += len(wanted)
        self._clock = asyncio.get_running_loop().call_later(desk.limits.write_s, self._mark, LATE)

    async def parts(self) -> AsyncIterator[tuple[int, Part]]:
        """(number of the text, part) as they come; (-1, {"again": True}) where all begin anew.

        Raises
        ------
        HonedError
            What the worker says; ServeError [H009] when the time is up, [H010] when the worker was lost.
        ClientDisconnect
            :meth:`leave` was called.
        """
        await self._send()
        while self._open:
            place, part = await self._queue.get()
            if LEFT in part:
                raise ClientDisconnect
            if LATE in part:
                seen = f"The answer took longer than {self._desk.limits.write_s:g} s."
                raise ServeError("H009", seen, "Ask for a shorter answer, or when there is less to do.")
            if "gone" in part:
                if self._told and self._live:
                    raise away(self._desk.name, f"its worker was lost while it wrote, {part['gone']}")
                await self._send()
                yield -1, {AGAIN: True}
                continue
            if "error" in part:
                raise error_from(part["error"])
            self._note(place, part)
            self._told = self._told or "tokens" in part
            yield place, part

    @property
    def left_s(self) -> float:
        """Seconds until its time is up."""
        return self._until - time.monotonic()

    def leave(self) -> None:
        """The client is gone."""
        self._mark(LEFT)

    def close(self) -> None:
        """Free what is left of it."""
        if self._closed:
            return
        self._closed = True
        self._clock.cancel()
        self._desk.n_open -= len(self._wanted)
        self._desk.tally.cancelled += len(self._open)
        self._forget(cancel=True)

    def _mark(self, kind: str) -> None:
        self._queue.put_nowait((-1, {kind: True}))

    async def _send(self) -> None:
        """Hand all texts to the worker; to the next one where it dies on the way."""
        while True:
            self._forget(cancel=False)
            self._tries += 1
            if self._tries > MOST_TRIES:
                raise away(self._desk.name, "its worker was lost twice on this request")
            self._process = process = await self._desk.worker(self._until)
            self._queue, old = asyncio.Queue(), self._queue
            while not old.empty():
                place, part = old.get_nowait()
                if LEFT in part or LATE in part:
                    self._queue.put_nowait((place, part))
            try:
                for place, message in enumerate(self._wanted):
                    self._open[place] = process.write(message, self._hearer(place, self._queue))
                return
            except WorkerGoneError:
                continue

    def _hearer(self, place: int, queue: asyncio.Queue[tuple[int, Part]]) -> Callable[[Part], None]:
        def hear(part: Part) -> None:
            if "tokens" in part and place not in self._first:
                self._first[place] = time.monotonic()
                self._desk.tally.on_first(self._first[place] - self._begun)
            queue.put_nowait((place, part))

        return hear

    def _note(self, place: int, part: Part) -> None:
        tally = self._desk.tally
        if "begun" in part:
            tally.prompt_tokens += part["begun"]["n_prompt"]
        elif "tokens" in part:
            tally.tokens += sum(token[1] >= 0 for token in part["tokens"])
        elif "end" in part:
            if self._process is not None:
                self._process.forget(self._open.pop(place), cancel=False)
            tally.texts += 1
            took = time.monotonic() - self._first.get(place, time.monotonic())
            if part["end"]["n"] > 1 and took > 0:
                tally.on_end((part["end"]["n"] - 1) / took)

    def _forget(self, *, cancel: bool) -> None:
        for number in self._open.values():
            if self._process is not None:
                self._process.forget(number, cancel=cancel)
        self._open.clear()
