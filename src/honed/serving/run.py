"""A server from start to end: bundles opened, port bound, signals heeded, what was accepted answered."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from honed.errors import ServeError
from honed.serving.app import make_app
from honed.serving.guard import guarded
from honed.serving.service import Service
from honed.serving.settings import Limits


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ServeError [H022] when the address is taken or not ours."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named: asyncio then sets TCP_NODELAY
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(2048)
    except (OSError, OverflowError) as error:
        seen = f"Nothing can listen at {host}, port {port}: {getattr(error, 'strerror', None) or error}."
        raise ServeError("H022", seen, "Choose another with --port or --host; port 0 takes a free one.") from error
    return sock


class Quiet(uvicorn.Server):
    """uvicorn without signal handlers of its own: :func:`serve_until_told` has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Nothing is captured here."""
        yield


def server_for(service: Service, limits: Limits) -> Quiet:
    """The HTTP server of a service."""
    config = uvicorn.Config(
        make_app(service), http=guarded(HttpToolsProtocol, limits.header_s), lifespan="off", log_config=None, access_log=False,
        server_header=False, date_header=False, ws="none", limit_concurrency=limits.connections, timeout_keep_alive=30,
        timeout_graceful_shutdown=int(limits.drain_s), proxy_headers=False,
    )  # fmt: skip
    return Quiet(config)


async def serve_until_told(
    service: Service, bundles: list[Path], shadows: dict[str, Path], sock: socket.socket, started: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP looks at the bundles' folders again."""
    loop = asyncio.get_running_loop()
    server = server_for(service, service.settings.limits)
    tasks: set[asyncio.Task[None]] = set()
    opening = asyncio.create_task(service.start(bundles, shadows))

    def stop() -> None:
        server.should_exit = True
        if not opening.done():
            opening.cancel()

    def again() -> None:
        task = asyncio.create_task(service.reload_all())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for number, handler in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, again)):
        loop.add_signal_handler(number, handler)
    try:
        await opening
        started()
        await server.serve(sockets=[sock])
    except asyncio.CancelledError:
        if not server.should_exit:
            raise
    finally:
        await service.stop()
        sock.close()
