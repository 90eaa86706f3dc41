"""A soak of ``honed serve``: every answer compared, bad and cancelled requests among them, memory watched, processes killed.

Clients and the comparison run in the benchmark's process, the server and its worker in processes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from load import Connection, texts
from processes import Started

from honed.model import Model

TOLERANCE = 1e-4
"""Probabilities of one text differ by some millionths with what else is in its batch."""
OVERSIZED = b" " * (9 << 20)


@dataclass
class Known:
    """Texts, and for each the label and the probabilities that the model gives in this process."""

    rows: list[dict[str, str]]
    labels: list[object]
    probabilities: list[dict[str, float]]

    @classmethod
    def of(cls, model: Model, n: int) -> Known:
        """The right answers to ``n`` different made-up texts."""
        rows = [dict.fromkeys(model.problem.inputs, text) for text in texts(n)]
        found = model.predict_full(rows)
        assert found.probabilities is not None
        names = model.problem.labels
        return cls(rows, found.labels, [dict(zip(names, row, strict=True)) for row in found.probabilities.tolist()])

    def right(self, number: int, answer: dict[str, object]) -> bool:
        """Whether an answer has this text's label and probabilities."""
        given, known = answer.get("probabilities"), self.probabilities[number]
        if answer.get("prediction") != self.labels[number] or not isinstance(given, dict):
            return False
        return given.keys() == known.keys() and all(abs(given[name] - known[name]) <= TOLERANCE for name in known)


@dataclass
class Seen:
    """What became of the requests; ``counts`` has right, wrong, lost, refused, bad_as_expected, bad_otherwise, cancelled."""

    counts: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


class Clients:
    """Clients of one server that ask for what is known."""

    def __init__(self, port: int, known: Known) -> None:
        self.port, self.known, self.seen = port, known, Seen()
        self.stop = asyncio.Event()
        self.answered: list[str] = []

    async def good(self, connection: Connection, numbers: list[int], request_id: str = "") -> None:
        """One right request with one or several rows; its answers are compared."""
        rows = [self.known.rows[number] for number in numbers]
        body = json.dumps(rows[0] if len(rows) == 1 else rows).encode()
        begin = time.perf_counter()
        try:
            headers = f"X-Request-ID: {request_id}\r\n" if request_id else ""
            status, content = await asyncio.wait_for(connection.ask("/predict", body, headers), 60)
        except (OSError, EOFError) as error:  # a time that ran out is an OSError too
            self.seen.counts["lost"] += 1
            self.seen.odd.append(f"lost: {type(error).__name__} {error}")
            return
        self.seen.took.append(time.perf_counter() - begin)
        if status == 200:
            answers = json.loads(content)
            told = [answers] if len(rows) == 1 else answers
            fits = len(told) == len(rows) and all(map(self.known.right, numbers, told))
            self.seen.counts["right" if fits else "wrong"] += 1
            if request_id:
                self.answered.append(request_id)
            return
        self.seen.counts["refused" if status == 429 else "lost"] += 1
        if status != 429:
            self.seen.odd.append(f"{status}: {content[:200]!r}")

    async def bad(self, connection: Connection, rng: random.Random) -> None:
        """A request that must be refused with the right status."""
        row = self.known.rows[0]
        body, expected = rng.choice(
            [
                (b'{"text": ', 400), (b'{"text": "\xff\xfe"}', 400), (b"[" * 5_000, 400),
                (json.dumps({**row, "no_such_field": 1}).encode(), 422), (json.dumps(dict.fromkeys(row, 7)).encode(), 422),
                (OVERSIZED if rng.random() < 0.1 else json.dumps([row] * 1001).encode(), 413),
            ]
        )  # fmt: skip
        try:
            status, content = await asyncio.wait_for(connection.ask("/predict", body), 60)
        except (OSError, EOFError) as error:
            status, content = 0, repr(error).encode()
        self.seen.counts["bad_as_expected" if status == expected else "bad_otherwise"] += 1
        if status != expected:
            self.seen.odd.append(f"{status} instead of {expected}: {content[:200]!r}")

    async def cancelled(self, connection: Connection, rng: random.Random) -> None:
        """A request whose sender goes away: in the middle of sending it, or before the answer."""
        rows = [self.known.rows[rng.randrange(len(self.known.rows))] for _ in range(20)]
        share = rng.choice([0.02, 0.5, 1.0])
        with contextlib.suppress(OSError):
            await connection.leave("/predict", json.dumps(rows).encode(), share, rng.choice([0.0, 0.005, 0.05]))
        self.seen.counts["cancelled"] += 1

    async def mixed(self, number: int) -> None:
        """One client: of twenty requests fifteen are right ones, three bad, two cancelled."""
        rng, connection = random.Random(number), Connection(self.port)
        while not self.stop.is_set():
            kind = rng.randrange(20)
            if kind < 15:
                n = 5 if kind == 0 else 1
                await self.good(connection, [rng.randrange(len(self.known.rows)) for _ in range(n)])
            elif kind < 18:
                await self.bad(connection, rng)
            else:
                await self.cancelled(connection, rng)
        connection.close()

    async def steady(self, number: int, name: str = "") -> None:
        """One client with right requests only; with a name they carry ids."""
        rng, connection, turn = random.Random(number), Connection(self.port), 0
        while not self.stop.is_set():
            turn += 1
            await self.good(connection, [rng.randrange(len(self.known.rows))], name and f"{name}-{number}-{turn}")
        connection.close()


@contextlib.asynccontextmanager
async def _running(clients: Clients, calls: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        yield
    finally:
        clients.stop.set()
        await asyncio.gather(*tasks)


async def soak(server: Started, known: Known, n: int, seconds: float, warm_s: float) -> dict[str, object]:
    """Many clients of all kinds; memory is watched once the warm-up is over."""
    warm = Clients(server.port, known)
    async with _running(warm, [warm.mixed(1000 + number) for number in range(n)]):
        await asyncio.sleep(warm_s)
    clients = Clients(server.port, known)
    processes = {"server": psutil.Process(server.process.pid), "worker": server.worker()}
    mib: dict[str, list[float]] = {name: [] for name in processes}
    begin = time.monotonic()
    async with _running(clients, [clients.mixed(number) for number in range(n)]):
        while time.monotonic() - begin < seconds:
            for name, process in processes.items():
                mib[name].append(process.memory_info().rss / 2**20)
            await asyncio.sleep(min(0.5, seconds / 30))
    row: dict[str, object] = {"clients": n, "seconds": round(time.monotonic() - begin, 1), "texts": len(known.rows)}
    for name in ("right", "wrong", "lost", "refused", "bad_as_expected", "bad_otherwise", "cancelled"):
        row[name] = clients.seen.counts[name]
    for share in (50, 99):
        row[f"p{share}_ms"] = round(1000 * float(np.percentile(clients.seen.took, share)), 1)
    for name, values in mib.items():
        third = max(1, len(values) // 3)
        row[f"{name}_mib_first_third"] = round(float(np.mean(values[:third])), 1)
        row[f"{name}_mib_last_third"] = round(float(np.mean(values[-third:])), 1)
        row[f"{name}_mib_most"] = round(max(values), 1)
    _tell(clients.seen)
    return row


async def kill_worker(server: Started, known: Known, n: int) -> dict[str, object]:
    """Kill the worker while clients ask; when /readyz says so, when it is replaced, and what the clients saw."""
    clients, watcher = Clients(server.port, known), Connection(server.port)

    async def until(ready: bool) -> float:
        while (await watcher.ask("/readyz", b"", get=True))[0] != (200 if ready else 503):
            await asyncio.sleep(0.005)
        return time.monotonic()

    async with _running(clients, [clients.steady(number) for number in range(n)]):
        await asyncio.sleep(1.0)
        begin = time.monotonic()
        server.worker().kill()
        noticed, replaced = await until(False) - begin, await until(True) - begin
        await asyncio.sleep(1.0)
    watcher.close()
    _tell(clients.seen)
    counts = clients.seen.counts
    return {
        "kill_worker_not_ready_s": round(noticed, 3), "kill_worker_replaced_s": round(replaced, 2),
        "kill_worker_right": counts["right"], "kill_worker_wrong": counts["wrong"], "kill_worker_lost": counts["lost"],
    }  # fmt: skip


async def kill_server(server: Started, known: Known, n: int, log: Path, seconds: float = 3.0) -> dict[str, object]:
    """Kill the server while clients ask; what it had said to be logged must be in the log.

    Said to be logged are the rows that /healthz counts as written and the labels that /labels took.
    """
    clients, connection = Clients(server.port, known), Connection(server.port)
    labelled: list[str] = []
    written = 0
    before = len(clients.answered)
    async with _running(clients, [clients.steady(number, "k") for number in range(n)]):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if len(clients.answered) > before:
                before = len(clients.answered)
                body = json.dumps({"request_id": clients.answered[-1], "label": str(known.labels[0])}).encode()
                if (await connection.ask("/labels", body))[0] == 200:
                    labelled.append(json.loads(body)["request_id"])
            written = json.loads((await connection.ask("/healthz", b"", get=True))[1])["log"]["written"]
            await asyncio.sleep(0.02)
        server.process.kill()
        answered = list(clients.answered)
        clients.stop.set()
    server.process.wait()
    with contextlib.closing(sqlite3.connect(log)) as base:
        rows = base.execute("SELECT COUNT(*) FROM predictions").fetchone()[0]
        there = {request for (request,) in base.execute("SELECT request FROM predictions WHERE request LIKE 'k-%'")}
        kept = {request for (request,) in base.execute("SELECT request FROM labels")}
        sound = base.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    return {
        "kill_server_rows_said_written": written, "kill_server_of_them_lost": max(0, written - rows),
        "kill_server_labels_said_kept": len(labelled),
        "kill_server_of_them_lost_labels": sum(one not in kept or one not in there for one in labelled),
        "kill_server_answered": len(answered), "kill_server_answered_not_yet_logged": sum(one not in there for one in answered),
        "kill_server_log_sound": sound,
    }  # fmt: skip


def _tell(seen: Seen) -> None:
    for line, n in Counter(seen.odd).most_common(5):
        print(f"{n} x {line}", flush=True)
