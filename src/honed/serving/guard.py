"""Slow clients: a connection whose request head does not arrive in time is cut."""

from __future__ import annotations

import asyncio
from typing import Any


def guarded(base: type[Any], header_s: float) -> type[Any]:
    """The HTTP protocol class of uvicorn, with a clock on the head of every request."""

    class Guarded(base):  # type: ignore[misc]
        """Starts the clock when a connection or the first bytes of a request come, stops it when the head is whole."""

        _clock: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._clock = asyncio.get_running_loop().call_later(header_s, transport.close)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            cycle = self.cycle
            if cycle is not None and not cycle.response_complete:
                self._stop_clock()
            elif self._clock is None and not self.transport.is_closing():
                self._clock = asyncio.get_running_loop().call_later(header_s, self.transport.close)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_clock()
            super().connection_lost(exc)

        def _stop_clock(self) -> None:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None

    return Guarded
