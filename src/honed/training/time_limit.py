"""The time limit of a run: what does not fit into what is left of it is not begun, and says how long it would take."""

from __future__ import annotations

import time
from collections.abc import Callable

from honed.wording import duration


class OutOfTimeError(Exception):
    """A method does not fit into the time that is left; the message says what would take how long."""


def too_long(what: str, seconds: float, left: float) -> OutOfTimeError:
    """ "reading 100,000 texts takes about 4 min 10 s, and the time limit leaves 45 s"."""
    return OutOfTimeError(
        f"{what} takes about {duration(seconds)}, and the time limit leaves {duration(max(0.0, left))}"
    )


class Watch:
    """Watches work on many things, and ends it when it cannot be done in time.

    Parameters
    ----------
    what : str
        The work, for the message.
    n : int
        Things to be done.
    time_left : callable
        Seconds that are left.
    every : int
        It is judged after so many things, as their cost differs; at the end of the time, at any thing.
    advance : callable
        Called on with the number of things done.
    """

    def __init__(
        self, what: str, n: int, time_left: Callable[[], float], every: int, advance: Callable[[int], None]
    ) -> None:
        self.what, self.n, self.time_left, self.every, self._advance = what, n, time_left, every, advance
        self.begun, self.done = time.monotonic(), 0

    def advance(self, n: int = 1) -> None:
        """So many more are done.

        Raises
        ------
        OutOfTimeError
        """
        self._advance(n)
        before, self.done = self.done, self.done + n
        left, spent = self.time_left(), time.monotonic() - self.begun
        needed = spent / self.done * self.n
        judged = self.done // self.every > before // self.every
        if self.done < self.n and (left <= 0 or (judged and needed - spent > left)):
            raise too_long(self.what, needed, left)
