"""Small parts of the prediction log: what is told to the caller, what failed for good, and tidying up slice by slice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from honed.monitoring import archive
from honed.monitoring.store import LabelRow, Store, is_url
from honed.tasks.contract import Input

DAY_MS = 86_400_000

Handle = Future[bool]
"""Done once the row is on the disk (True), or once it is certain that it is not yet there (False)."""


class LateLabel:
    """A true label on its way to the log; ``done`` says whether its row was found."""

    def __init__(self, row: LabelRow) -> None:
        self.row, self.done = row, Future[bool]()


def resolve(handle: Handle | None, written: bool) -> None:
    """Tell the one who waits, once."""
    if handle is not None and not handle.done():
        handle.set_result(written)


def passing(error: Exception) -> bool:
    """True for trouble of the place (disk, network, locks), which may pass; False for rows that are refused themselves."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return not kinds & {"DataError", "UnicodeError", "OverflowError", "TypeError"}


def size_of(inputs: Sequence[Input]) -> int:
    """About how many bytes of memory inputs hold."""
    return sum(
        64 + sum(len(part) if isinstance(part, str) else 16 for part in row) if isinstance(row, tuple | list) else 64
        for row in inputs
    )


def inode_of(target: str | Path) -> int:
    """The number by which the file system knows a file; -1 where there is none."""
    try:
        return Path(target).stat().st_ino
    except OSError:
        return -1


def quietly(work: Callable[[], Any]) -> None:
    """Do something whose failure changes nothing."""
    try:
        work()
    except Exception:
        return


def tidy(store: Store, target: str | Path, keep_days: float | None, roll_days: float | None) -> Iterator[None]:
    """Retention and rolling, one slice at a time, so that rows never wait long."""
    now = int(time.time() * 1000)
    if keep_days is not None:
        before = now - int(keep_days * DAY_MS)
        while store.retire(before):
            yield
        if not is_url(target):
            archive.retire(Path(target), store, before)
    if roll_days is not None:
        yield from archive.roll(Path(target), store, now - int(roll_days * DAY_MS))
