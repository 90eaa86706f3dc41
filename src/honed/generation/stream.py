"""The answer to one request, token by token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

from honed.generation.row import Row
from honed.generation.settings import Completion, Token


class Stepping(Protocol):
    """What a stream needs of the engine that answers it."""

    driver: int | None

    def step(self) -> bool:
        """One step of all running texts; False where nothing is left to do."""

    def cancel(self, row: Row) -> None:
        """End a request."""


class Stream:
    """The answer to one request, token by token.

    Iterating steps the engine where no other thread drives it.
    """

    def __init__(self, engine: Stepping, row: Row) -> None:
        self._engine, self._row = engine, row

    def __iter__(self) -> Iterator[Token]:
        """Tokens as they come, each once; one with the id -1 shows text that was held back until the end.

        Raises
        ------
        Exception
            What went wrong while the answer was written, or in its callback.
        """
        while True:
            self._until_ready()
            if self._row.finish is not None and self._row.ready.empty():
                return
            token = self._row.ready.get()
            if token is None:
                if self._row.error is not None:
                    raise self._row.error
                return
            yield token

    def _until_ready(self) -> None:
        row, engine = self._row, self._engine
        while row.ready.empty() and row.finish is None and engine.driver in (None, threading.get_ident()):
            engine.step()

    @property
    def finished(self) -> bool:
        """True once no more tokens come."""
        return self._row.finish is not None

    def result(self) -> Completion:
        """Wait for the end and give the whole answer."""
        if self._row.finish is None:
            for _ in self:
                pass
        if self._row.error is not None:
            raise self._row.error
        return self._row.completion()

    def cancel(self) -> None:
        """End it; its slot is freed at once."""
        self._engine.cancel(self._row)
