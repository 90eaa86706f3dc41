"""Times through HTTP against the engine's own, requests a second, and a soak of 64 clients with memory over time.

    python benchmarks/serving.py BUNDLE [--seconds 20]

One client sends a text at a time, in turns with calls of the same model in this process, on the same machine and run.
"""

from __future__ import annotations

import argparse
import asyncio
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
from common import record

from honed.model import Model
from honed.serving.settings import Admission, Settings
from honed.serving.testing import Running, running

TEXT = "my laptop does not start since the update of yesterday, please help"


def ms(seconds: list[float], share: float) -> float:
    """A percentile in milliseconds."""
    return round(1000 * float(np.percentile(seconds, share)), 2)


def in_turns(model: Model, url: str, n: int) -> tuple[list[float], list[float]]:
    """Seconds of ``n`` calls of the engine and of ``n`` requests, in blocks of ten by turns."""
    own: list[float] = []
    http: list[float] = []
    example = dict.fromkeys(model.problem.inputs, TEXT)
    with httpx.Client() as client:
        for turn in range(-2, n // 10):
            for seconds, call in (
                (own, lambda: model.predict_full([example])),
                (http, lambda: client.post(f"{url}/predict", json=example)),
            ):
                for _ in range(10):
                    begin = time.perf_counter()
                    call()
                    if turn >= 0:
                        seconds.append(time.perf_counter() - begin)
    return own, http


async def soak(url: str, example: dict[str, str], seconds: float, clients: int) -> tuple[list[float], int]:
    """Seconds of every answer of many clients, and how many requests failed."""
    took: list[float] = []
    failed = 0

    async def client() -> None:
        nonlocal failed
        async with httpx.AsyncClient(timeout=60) as session:
            while time.monotonic() < until:
                begin = time.perf_counter()
                response = await session.post(f"{url}/predict", json=example)
                took.append(time.perf_counter() - begin)
                failed += response.status_code != 200

    until = time.monotonic() + seconds
    await asyncio.gather(*(client() for _ in range(clients)))
    return took, failed


def worker_mib(server: Running) -> float:
    """Memory of the worker process."""
    process = server.service.shelf.all[0].lane.process
    assert process is not None
    return round(psutil.Process(process.pid).memory_info().rss / 2**20, 1)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--clients", type=int, default=64)
    given = parser.parse_args()
    model = Model.load(given.bundle)
    example = dict.fromkeys(model.problem.inputs, TEXT)
    with running([given.bundle], settings=Settings(admission=Admission(unfit_because="a benchmark"))) as server:
        own, http = in_turns(model, server.url, given.requests)
        memory = [worker_mib(server)]
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(given.seconds / 8):
                memory.append(worker_mib(server))

        watcher = threading.Thread(target=watch)
        watcher.start()
        took, failed = asyncio.run(soak(server.url, example, given.seconds, given.clients))
        stop.set()
        watcher.join()
    record(
        "serving",
        {
            "model": model.name, "parameters": model.provenance.get("base", {}).get("n_parameters", 0),
            "engine_p50_ms": ms(own, 50), "engine_p99_ms": ms(own, 99), "http_p50_ms": ms(http, 50), "http_p99_ms": ms(http, 99),
            "clients": given.clients, "requests_a_second": round(len(took) / given.seconds, 1), "soak_p50_ms": ms(took, 50),
            "soak_p99_ms": ms(took, 99), "failed": failed, "worker_mib": " ".join(map(str, memory)),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
