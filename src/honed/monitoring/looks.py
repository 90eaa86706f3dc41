"""Looking again and again without crying wolf: windows, and 4 and 16 of them together, under one budget of error.

The chance that a model to which nothing happens ever sees an alert, over all checks, windows and looks, is at most 5 %.
Each scale has its part of that; look 1, 2, 3, ... at a scale spends 1/(1·2), 1/(2·3), 1/(3·4), ... of it. Of what one look
spends every family of checks has the same part, and within a family every check. The p-values hold for finite samples, so
the sum over everything bounds the chance, however the looks depend on each other or on the one reference they share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from honed.monitoring.evidence import spend
from honed.monitoring.results import Check
from honed.monitoring.windows import Span, added

ALPHA = 0.05
DRIFT_SHARE, LABEL_SHARE = 0.8, 0.2
"""Parts of the budget for what needs no labels and for what does."""
SCALES = ((1, 0.5), (4, 0.25), (16, 0.25))
"""So many windows are looked at together, with this part of the budget."""

Compare = Callable[[Any, float], list[Check]]


@dataclass
class Look:
    """The checks of some windows looked at together: ``first`` to ``last``."""

    scale: int
    first: int
    last: int
    start: int
    end: int
    checks: list[Check]


class Looks:
    """Feeds windows to a comparison, one by one and together."""

    def __init__(self, compare: Compare, alpha: float) -> None:
        self.compare, self.alpha = compare, alpha
        self._groups: dict[int, tuple[Span, bool]] = {}
        self._first: int | None = None

    def add(self, span: Span) -> Iterator[Look]:
        """All looks that a window completes; a window that is not complete, or whose older neighbours are gone, spoils its group."""
        self._first = span.number if self._first is None else self._first
        for scale, part in SCALES:
            group = (span.number - 1) // scale
            held = self._groups.get(scale)
            if held is not None and (held[0].number - 1) // scale != group:
                yield from self._finish(scale, part)
                held = None
            if held is None:
                begun = self._first <= group * scale + 1 or self._first == 1
                joined, sound = Span(span.number, span.counts, span.start, span.end, True), span.complete and begun
            else:
                counts = added(held[0].counts, span.counts)
                joined, sound = Span(span.number, counts, held[0].start, span.end, True), held[1] and span.complete
            self._groups[scale] = (joined, sound)
            if span.number % scale == 0:
                yield from self._finish(scale, part)

    def _finish(self, scale: int, part: float) -> Iterator[Look]:
        span, sound = self._groups.pop(scale)
        if sound:
            look = (span.number - 1) // scale + 1
            checks = self.compare(span.counts, spend(self.alpha * part, look))
            yield Look(scale, (look - 1) * scale + 1, span.number, span.start, span.end, checks)
