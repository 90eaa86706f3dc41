"""A server in a thread of this process, for tests and notebooks; its workers are real processes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from honed.serving.keys import Key
from honed.serving.log import PredictionLog
from honed.serving.run import listening, server_for
from honed.serving.service import Service
from honed.serving.settings import Settings


@dataclass
class Running:
    """A server that runs."""

    url: str
    service: Service
    loop: asyncio.AbstractEventLoop


@contextlib.contextmanager
def running(
    bundles: Sequence[str | Path], *, settings: Settings | None = None, keys: tuple[Key, ...] = (),
    log: PredictionLog | None = None, shadows: dict[str, Path] | None = None,
) -> Iterator[Running]:  # fmt: skip
    """Serve bundles on a free port of this machine until the block ends. Raises what keeps a bundle from being served."""
    sock = listening("127.0.0.1", 0)
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> Service:
        service = Service(settings or Settings(), keys, log)
        await service.start([Path(bundle) for bundle in bundles], shadows or {})
        return service

    try:
        service = asyncio.run_coroutine_threadsafe(begin(), loop).result()
        server = server_for(service, service.settings.limits)
        ended = asyncio.run_coroutine_threadsafe(server.serve(sockets=[sock]), loop)
        try:
            yield Running(f"http://127.0.0.1:{sock.getsockname()[1]}", service, loop)
        finally:
            server.should_exit = True
            ended.result(60)
            asyncio.run_coroutine_threadsafe(service.stop(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        sock.close()
