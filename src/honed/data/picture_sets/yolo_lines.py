"""The lines of YOLO's label files: a class and a box, or a class and an outline, in shares of the picture's size."""

from __future__ import annotations

import math
from pathlib import Path

from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.raw import Box, RawObject

FAR_OUTSIDE = 1.5
"""A share of the width or height above this is no rounding: it was given in pixels."""
MANY = 0.1
"""Share of lines in pixels from which on the whole set is taken to be so."""


class Lines:
    """Reads lines and gathers what only the whole set tells.

    Parameters
    ----------
    names : dict of int to str
        Names by number; empty where there are none.
    count : int
        How many classes are stated, where that is more than there are names.
    has_points : bool
        Boxes are followed by key points, which are not read.
    """

    def __init__(self, names: dict[int, str], ledger: Ledger, count: int = 0, *, has_points: bool = False) -> None:
        self.names = names
        self.last_dropped = False
        self._ledger, self._count, self._has_points = ledger, count, has_points
        self._numbers: dict[int, int] = {}
        self._in_pixels: list[str] = []
        self._unnamed: set[int] = set()
        for name in {name for name in names.values() if list(names.values()).count(name) > 1}:
            ledger.note("name twice", name)

    def read(self, path: Path) -> list[RawObject]:
        """The objects of one file; ``last_dropped`` says whether a line of it was left out."""
        objects = []
        self.last_dropped = False
        for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
            if line.strip():
                found = self._object(line.split(), f"line {number} of {path.name}")
                self.last_dropped |= found is None
                if found is not None:
                    objects.append(found)
        return objects

    def _object(self, words: list[str], where: str) -> RawObject | None:
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        good = len(values) >= 5 and all(map(math.isfinite, values)) and values[0] >= 0 and values[0] == int(values[0])
        if not good:
            self._ledger.note("unreadable line", f"{where}: {' '.join(words)[:60]}")
            return None
        label = self._label(int(values[0]), where)
        if max(values[1:5]) > FAR_OUTSIDE:
            self._in_pixels.append(where)
            return None
        box, polygon = self._shape(values[1:], where)
        return RawObject(label, box, polygons=[polygon] if polygon else None) if label else None

    def _label(self, number: int, where: str) -> str | None:
        self._numbers[number] = self._numbers.get(number, 0) + 1
        if number in self.names:
            return self.names[number]
        if self.names and number >= self._count:
            self._ledger.note("unknown class", f"number {number}, {where}")
            return None
        self._unnamed.add(number)
        return str(number)

    def _shape(self, numbers: list[float], where: str) -> tuple[Box, list[float] | None]:
        """Five numbers and more that pair up are an outline; anything else behind a box is not read."""
        if len(numbers) >= 6 and len(numbers) % 2 == 0 and not self._has_points:
            x, y = numbers[::2], numbers[1::2]
            return (min(x), min(y), max(x), max(y)), numbers
        if len(numbers) > 4:
            self._ledger.note("more numbers", where)
        middle_x, middle_y, width, height = numbers[:4]
        left, top = middle_x - width / 2, middle_y - height / 2
        return (left, top, left + width, top + height), None

    def tell(self) -> None:
        """Put down what only the whole set tells."""
        for number in sorted(self._unnamed):
            self._ledger.note("unnamed class", f"number {number}")
        total = sum(self._numbers.values())
        whole = len(self._in_pixels) > MANY * total
        for where in self._in_pixels:
            self._ledger.note("pixels" if whole else "unreadable line", where)
        top = max(self.names, default=-1)
        if (
            self.names
            and min(self.names) == 0
            and self._numbers
            and min(self._numbers) == 1
            and max(self._numbers) == top + 1
        ):
            example = f"numbers 1 to {top + 1} occur, names stand for 0 to {top}"
            self._ledger.note("counted from one", example, times=len(self.names))
