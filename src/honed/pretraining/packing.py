"""Rows of one context cut from a stream of documents, in an order told by seed and number alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from honed.pretraining.shards import BOUNDARY, Stream


@dataclass
class Rows:
    """Rows of a stream, each once an epoch, in an order by lot; every epoch cuts the stream at other places.

    Which tokens a step sees follows from the seed and the number of the row, so a run that goes on sees what it would
    have seen.
    """

    stream: Stream
    context: int
    seed: int
    _epoch: int = -1
    _order: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0))
    _offset: int = 0

    @property
    def in_epoch(self) -> int:
        """Rows of one pass over the text."""
        return max(1, (len(self.stream) - self.context) // self.context)

    def take(self, first: int, count: int) -> Tensor:
        """Rows number ``first`` and on of the whole training, (count, context + 1), int64."""
        return torch.from_numpy(np.stack([self._row(number) for number in range(first, first + count)]))

    def _row(self, number: int) -> npt.NDArray[np.int64]:
        epoch, place = divmod(number, self.in_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng((self.seed, epoch))
            spare = len(self.stream) - self.in_epoch * self.context - 1
            self._offset = int(rng.integers(max(1, min(self.context, spare + 1))))
            self._order, self._epoch = rng.permutation(self.in_epoch), epoch
        return self.stream.piece(self._offset + int(self._order[place]) * self.context, self.context + 1)


def arrangement(tokens: Tensor, boundary: int = BOUNDARY) -> tuple[Tensor | None, Tensor | None]:
    """Places of tokens (n, t) within their documents and the mask (n, 1, t, t) that keeps documents apart.

    Both None where no document begins within a row, which then costs nothing.
    """
    starts = tokens == boundary
    starts[:, 0] = False
    if not bool(starts.any()):
        return None, None
    length = tokens.shape[1]
    document = starts.cumsum(1)
    place = torch.arange(length, device=tokens.device)
    begin = torch.where(starts, place, torch.zeros_like(place)).cummax(1).values
    same = document[:, :, None] == document[:, None]
    return place - begin, (same & (place[:, None] >= place))[:, None]
