"""The time limit of a run: what does not fit into what is left of it is not begun, and says how long it would take."""

from __future__ import annotations

from honed.wording import duration


class OutOfTimeError(Exception):
    """A method does not fit into the time that is left; the message says what would take how long."""


def too_long(what: str, seconds: float, left: float) -> OutOfTimeError:
    """ "reading 100,000 texts takes about 4 min 10 s, and the time limit leaves 45 s"."""
    return OutOfTimeError(
        f"{what} takes about {duration(seconds)}, and the time limit leaves {duration(max(0.0, left))}"
    )
