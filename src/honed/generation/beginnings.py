"""Beginnings of texts that were read before: kept within a bounded memory, the longest unused go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from honed.generation.row import shared

FEWEST = 8
"""Tokens in common from which copying is better than reading again."""
MOST_ENTRIES = 256


class Beginnings:
    """Keys and values of texts by their tokens.

    Parameters
    ----------
    most_bytes : int
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes, self.n_bytes = most_bytes, 0
        self._kept: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, ids: Sequence[int]) -> tuple[int, Any]:
        """Tokens in common with the kept text that has most of them, and what was kept of it; (0, None) for too few."""
        best, most = None, FEWEST - 1
        wanted = tuple(ids)
        for key in self._kept:
            if key[0] == wanted[0] and (n := shared(key, wanted)) > most:
                best, most = key, n
        if best is None:
            return 0, None
        self._kept.move_to_end(best)
        return most, self._kept[best]

    def wants(self, ids: Sequence[int]) -> bool:
        """True where nothing that is kept holds these tokens."""
        wanted = tuple(ids)
        return len(wanted) >= FEWEST and not any(key[: len(wanted)] == wanted for key in self._kept)

    def keep(self, ids: Sequence[int], kept: Any) -> None:
        """Keep what was read of a text, and drop what that makes needless or pushes out."""
        if kept.nbytes > self.most_bytes:
            return
        wanted = tuple(ids)
        for key in [key for key in self._kept if key == wanted[: len(key)]]:
            self.n_bytes -= self._kept.pop(key).nbytes
        self._kept[wanted] = kept
        self.n_bytes += kept.nbytes
        while self.n_bytes > self.most_bytes or len(self._kept) > MOST_ENTRIES:
            _, old = self._kept.popitem(last=False)
            self.n_bytes -= old.nbytes
