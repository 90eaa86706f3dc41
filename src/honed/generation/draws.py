"""Numbers that tokens are drawn with."""

from __future__ import annotations

import numpy as np


class Draws:
    """Numbers from 0 to 1 by a seed, fetched many at a time."""

    __slots__ = ("_at", "_block", "_source")

    def __init__(self, seed: int) -> None:
        self._source = np.random.Generator(np.random.Philox(seed))
        self._block: list[float] = []
        self._at = 0

    def next(self) -> float:
        """The next one."""
        if self._at == len(self._block):
            self._block, self._at = self._source.random(64).tolist(), 0
        self._at += 1
        return self._block[self._at - 1]
