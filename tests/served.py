"""``honed serve`` as a real process, for tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

TEXTS = ["my laptop does not start", "the printer is jammed", "reset my password", "wifi is slow", "paper is out"]
PLANT = '''
import os, sys, time
if "honed.serving.worker" in sys.orig_argv:
    from honed.model import Model
    whole = Model.answers

    def answers(self, inputs):
        texts = " ".join(text for row in inputs for text in row if isinstance(text, str))
        if "kills" in texts:
            os.kill(os.getpid(), 9)
        if "computes" in texts:
            begin = time.process_time()
            sum(range(2_000_000))
            sum(range(int(2_000_000 * 2.1 / (time.process_time() - begin))))  # one call that lets no other thread run
        return whole(self, inputs)

    Model.answers = answers
'''  # fmt: skip
"""Put before a worker's own code: a text with "kills" kills it, one with "computes" keeps it so busy that it cannot speak."""


@dataclass
class Server:
    """A server process and where it answers."""

    process: subprocess.Popen[str]
    url: str

    def workers(self) -> list[psutil.Process]:
        """Its worker processes that are alive."""
        found = []
        for process in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "honed.serving.worker" in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def ready(self) -> bool:
        """What /readyz says."""
        return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200

    def ask(self, text: str = TEXTS[0], **named: Any) -> httpx.Response:
        """One prediction."""
        return httpx.post(f"{self.url}/predict", json={"text": text}, timeout=60, **named)

    def state(self) -> dict[str, Any]:
        """What /api/models says of the first version of the first model."""
        return dict(httpx.get(f"{self.url}/api/models").json()["models"][0]["versions"][0])

    def log(self) -> dict[str, Any]:
        """What /healthz says of the log."""
        return dict(httpx.get(f"{self.url}/healthz").json()["log"])


def started(*arguments: str | Path, planted: Path | None = None, cwd: Path | None = None) -> Server:
    """A server that answers; ``planted`` is a folder for the code of PLANT, ``cwd`` its working folder."""
    command = [sys.executable, "-m", "honed", "serve", *map(str, arguments), "--port", "0", "--allow-unfit", "a test"]
    env = dict(os.environ)
    if planted is not None:
        (planted / "sitecustomize.py").write_text(PLANT, encoding="utf-8")
        env["PYTHONPATH"] = os.pathsep.join([str(planted), *filter(None, [env.get("PYTHONPATH")])])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, cwd=cwd)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Page: "):
            return Server(process, line.split()[1].rstrip("/"))
    raise AssertionError(f"the server ended with {process.wait()}")


def ended(server: Server) -> None:
    """Kill the server."""
    if server.process.poll() is None:
        server.process.kill()
    server.process.wait()
    assert server.process.stdout is not None
    server.process.stdout.close()


def until(condition: Callable[[], Any], limit_s: float) -> float:
    """Seconds until the condition holds; fails when it takes too long."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < limit_s, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - begin
