"""Progress of long work: the library reports steps, the edge decides how they look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Step(Protocol):
    """One piece of long work that is under way."""

    def advance(self, amount: float = 1.0) -> None:
        """``amount`` more of the total is done."""

    def note(self, text: str) -> None:
        """A few words beside the bar: the loss, the score so far."""


class Progress(Protocol):
    """Where long work tells how far it is. The command line draws bars with the time left."""

    @contextmanager
    def step(self, title: str, total: float | None = None) -> Iterator[Step]:
        """Begin a piece of work of ``total`` units (None: unknown); it ends with the block."""

    def say(self, text: str) -> None:
        """One line for the person who watches."""


class _SilentStep:
    def advance(self, amount: float = 1.0) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class Silent:
    """Progress nobody watches: the default of the Python functions."""

    @contextmanager
    def step(self, title: str, total: float | None = None) -> Iterator[Step]:
        yield _SilentStep()

    def say(self, text: str) -> None:
        pass
