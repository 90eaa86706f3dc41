"""Times through HTTP against the engine's own, then a soak with every answer compared and processes killed.

    python benchmarks/serving.py BUNDLE [--seconds 60]

One client sends a text at a time, in turns with calls of the same model in this process, on the same machine and run
(``results/serving.csv``); then many clients ask at once (``results/serving_soak.csv``, see ``serving_soak.py``).
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import record
from load import texts
from processes import SHARED, free_port, honed_command, started
from serving_soak import Known, kill_server, kill_worker, soak

from honed.model import Model
from honed.serving.process import surroundings

EXACT = ("torch-fp32", "onnx-fp32", "openvino-fp32")
"""Engines whose answers do not depend on what else is in the batch, so that each can be compared with one known before."""


def ms(seconds: list[float], share: float) -> float:
    """A percentile in milliseconds."""
    return round(1000 * float(np.percentile(seconds, share)), 2)


def in_turns(model: Model, port: int, n: int) -> tuple[list[float], list[float]]:
    """Seconds of ``n`` calls of the engine and of ``n`` requests, in blocks of ten by turns, each text to both."""
    own: list[float] = []
    through: list[float] = []
    rows = [dict.fromkeys(model.problem.inputs, text) for text in texts(n)]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(row: dict[str, str]) -> None:
        body = json.dumps(row).encode()
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer

    for turn in range(-2, n // 10):
        block = rows[10 * turn : 10 * turn + 10] if turn >= 0 else rows[:10]
        for seconds, call in ((own, lambda row: model.predict_full([row])), (through, ask)):
            time.sleep(0.02)  # until the threads of the other side have gone to sleep
            call(block[0])
            for row in block:
                begin = time.perf_counter()
                call(row)
                if turn >= 0:
                    seconds.append(time.perf_counter() - begin)
    connection.close()
    return own, through


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warm", type=float, default=10.0)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--engine", choices=EXACT, default="torch-fp32")
    given = parser.parse_args()
    if surroundings(os.environ) != dict(os.environ):  # the engine here gets the same setting of threads as the worker's
        os.execve(sys.executable, [sys.executable, *sys.argv], surroundings(os.environ))
    model = Model.load(given.bundle, engine=given.engine)
    facts = {
        "model": model.name,
        "parameters": model.provenance.get("base", {}).get("n_parameters", 0),
        "engine": given.engine,
    }
    with tempfile.TemporaryDirectory() as place:
        log, port = Path(place) / "log.sqlite", free_port()
        command = honed_command(given.bundle, port, "--log", str(log), "--engine", given.engine)
        with started(command, port, "/readyz", out=Path(place) / "server.txt") as server:
            own, through = in_turns(model, port, given.requests)
            record(
                "serving",
                {
                    **facts, "requests": len(own), "engine_p50_ms": ms(own, 50), "engine_p99_ms": ms(own, 99),
                    "http_p50_ms": ms(through, 50), "http_p99_ms": ms(through, 99),
                    "more_p50_ms": round(ms(through, 50) - ms(own, 50), 2), "more_p99_ms": round(ms(through, 99) - ms(own, 99), 2),
                },
            )  # fmt: skip
            known = Known.of(model, given.texts)

            async def all_of_it() -> dict[str, object]:
                row = await soak(server, known, given.clients, given.seconds, given.warm)
                row |= await kill_worker(server, known, given.clients)
                return row | await kill_server(server, known, given.clients, log)

            record("serving_soak", {**facts, **asyncio.run(all_of_it()), "shares": SHARED})


if __name__ == "__main__":
    main()
