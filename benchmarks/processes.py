"""Servers as processes of their own, started for a benchmark and ended after it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SHARED = "clients and server share the machine's cores"
START_S = 300.0


@dataclass
class Started:
    """A server that answers."""

    process: subprocess.Popen[bytes]
    port: int

    def worker(self) -> psutil.Process:
        """The one worker process of ``honed serve``."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if "honed.serving.worker" in child.cmdline())


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def answers(port: int, path: str) -> bool:
    """Whether the address gives 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def started(
    command: Sequence[str], port: int, ready: str, env: Mapping[str, str] | None = None, out: Path | None = None
) -> Iterator[Started]:
    """A process, once its address says that it is ready; it and all its children are ended at the end."""
    with (out or Path(os.devnull)).open("wb") as stream:
        process = subprocess.Popen(
            command, env={**os.environ, **(env or {})}, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        begin = time.monotonic()
        while not answers(port, ready):
            if process.poll() is not None or time.monotonic() - begin > START_S:
                sys.exit(f"{' '.join(command)} does not answer (ended with {process.poll()}); its output is in {out}")
            time.sleep(0.1)
        yield Started(process, port)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def honed_command(bundle: Path, port: int, *more: str, python: str = sys.executable) -> list[str]:
    """``honed serve`` for a benchmark."""
    return [
        python, "-m", "honed", "serve", str(bundle), "--port", str(port), "--allow-unfit", "a benchmark", *more
    ]  # fmt: skip
