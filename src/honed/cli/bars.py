"""Progress on a terminal: bars with the time left; on anything else one plain line for each finished step."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from honed.wording import duration

QUIET_S = 2.0
"""Steps shorter than this leave no line behind."""
TELL_EVERY_S = 15.0


class Bars:
    """Implements :class:`honed.progress.Progress` on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._live: Any = None

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text, style="dim", markup=False)

    @contextmanager
    def step(self, title: str, total: float | None = None) -> Iterator[Any]:
        """A bar while the block runs."""
        if not self.console.is_terminal:
            step = _Lines(self.console, title, total)
            yield step
            step.finish()
            return
        if self._live is None:
            with self._progress() as live:
                self._live = live
                try:
                    yield self._task(title, total)
                finally:
                    self._live = None
        else:
            task = self._task(title, total)
            yield task
            self._live.remove_task(task.number)

    def _progress(self) -> Any:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
        )
        return Progress(*columns, console=self.console, transient=True)

    def _task(self, title: str, total: float | None) -> _Task:
        return _Task(self._live, self._live.add_task(title, total=total, note=""))


class _Task:
    def __init__(self, live: Any, number: Any) -> None:
        self.live, self.number = live, number

    def advance(self, amount: float = 1.0) -> None:
        self.live.advance(self.number, amount)

    def note(self, text: str) -> None:
        self.live.update(self.number, note=text)


class _Lines:
    """A step where nobody sees a bar: a line now and then, with the time left."""

    def __init__(self, console: Console, title: str, total: float | None) -> None:
        self.console, self.title, self.total = console, title, total
        self.done, self.text = 0.0, ""
        self.begin = self.told = time.monotonic()
        self._first: tuple[float, float] | None = None
        """When the first part was done, and how much it was: what comes before it, such as opening a model, tells nothing of the pace."""

    def advance(self, amount: float = 1.0) -> None:
        self.done += amount
        now = time.monotonic()
        if self._first is None:
            self._first = (now, self.done)
        elif self.total and now - self.told > TELL_EVERY_S:
            self.told, (begin, before) = now, self._first
            left = (now - begin) * (self.total - self.done) / max(self.done - before, 1e-9)
            self._print(f"{self.title}: {100 * self.done / self.total:.0f} %, about {duration(left)} left {self.text}")

    def note(self, text: str) -> None:
        self.text = text

    def finish(self) -> None:
        seconds = time.monotonic() - self.begin
        if seconds >= QUIET_S:
            self._print(f"{self.title}: done in {seconds:.0f} s {self.text}")

    def _print(self, text: str) -> None:
        self.console.print(text.rstrip(), style="dim", markup=False, soft_wrap=True)
        sys.stderr.flush()
