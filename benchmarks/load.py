"""Clients that cost little: HTTP/1.1 on plain sockets, many at once in one process of its own.

    python benchmarks/load.py PORT PATH BODIES.json --clients 64 --seconds 5

sends the bodies in turn and prints one line of JSON: how many were answered, how many failed, percentiles in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

WORDS = """laptop printer password network slow invoice account screen keyboard update license mail calendar phone broken reset
cannot login open file folder share drive meeting room monitor cable battery charge please help since yesterday morning
after the my our a new old office is does not work start stop again urgent server database backup vpn wifi"""


def texts(n: int, most_words: int = 40) -> list[str]:
    """Made-up texts, all different, of one to ``most_words`` words."""
    rng, words = random.Random(3), WORDS.split()
    found: dict[str, None] = {}
    while len(found) < n:
        found[" ".join(rng.choices(words, k=rng.randint(1, most_words)))] = None
    return list(found)


class Connection:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, path: str, body: bytes, headers: str = "", *, get: bool = False) -> tuple[int, bytes]:
        """Status and body of one answer. Raises OSError or EOFError when the connection is lost."""
        reader, writer = await self._open()
        writer.write(head(path, len(body), headers, get=get) + body)
        try:
            told = await reader.readuntil(b"\r\n\r\n")
            lines = told.decode("latin-1").lower().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            content = await reader.readexactly(int(fields.get("content-length", 0)))
        except BaseException:
            self.close()
            raise
        if fields.get("connection") == "close":
            self.close()
        return int(lines[0].split()[1]), content

    async def leave(self, path: str, body: bytes, share: float, wait_s: float) -> None:
        """Send a share of a request, wait a moment, and go without reading the answer."""
        _, writer = await self._open()
        whole = head(path, len(body)) + body
        writer.write(whole[: max(1, int(share * len(whole)))])
        await asyncio.sleep(wait_s)
        self.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._writer is None or self._writer.is_closing() or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self._reader, self._writer

    def close(self) -> None:
        """End the connection."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


def head(path: str, n: int, headers: str = "", *, get: bool = False) -> bytes:
    """The head of a request."""
    if get:
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {n}\r\n{headers}"
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n".encode()


async def asked(port: int, path: str, bodies: Sequence[bytes], clients: int, seconds: float) -> dict[str, float]:
    """Let clients ask without pause; what they saw."""
    took: list[float] = []
    failed = 0
    first: list[str] = []
    until = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal failed
        connection, turn = Connection(port), number * 7
        while time.perf_counter() < until:
            begin = time.perf_counter()
            try:
                status, content = await connection.ask(path, bodies[turn % len(bodies)])
            except (OSError, EOFError) as error:
                status, content = 0, repr(error).encode()
            took.append(time.perf_counter() - begin)
            if status != 200:
                failed += 1
                first.append(f"{status}: {content[:300]!r}")
            turn += clients
        connection.close()

    begin = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    wall = time.perf_counter() - begin
    if first:
        print(f"{failed} failed, the first with {first[0]}", file=sys.stderr)
    p50, p99 = (1000 * float(np.percentile(took, share)) for share in (50, 99))
    return {"answered": len(took) - failed, "failed": failed, "seconds": wall, "p50_ms": p50, "p99_ms": p99}


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    bodies = [json.dumps(body).encode() for body in json.loads(given.bodies.read_text(encoding="utf-8"))]
    print(json.dumps(asyncio.run(asked(given.port, given.path, bodies, given.clients, given.seconds))))


if __name__ == "__main__":
    main()
