"""Labels by likelihood: how likely each label is as the answer, set against a row that says nothing.

Zhao et al., *Calibrate Before Use*, 2021: what a model answers to a row without content is its prejudice, from the examples shown
and from what it has read before; each label's probability is divided by it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from honed.networks.decoders.layout import Layout
from honed.shots.base import Asked, Base
from honed.tasks.answers import Array

NOTHING = ("N/A", "[MASK]", "")
"""What stands in every column of a row without content, as in the paper."""
MOST_KEPT = 1024


class LabelScores:
    """Logarithms of the probabilities of labels, up to a constant for each row.

    Parameters
    ----------
    base : Base
    layout : Layout
    labels : sequence of str
        As they are written.
    calibrate : bool
    """

    def __init__(self, base: Base, layout: Layout, labels: Sequence[str], calibrate: bool = True) -> None:
        self.base, self.layout, self.labels, self.calibrate = base, layout, list(labels), calibrate
        self._kept: OrderedDict[object, Array] = OrderedDict()

    def of(self, asked: Sequence[Asked]) -> Array:
        """Scores (n, labels); softmax gives probabilities."""
        found = []
        for one in asked:
            given = self._mean(self.base.chances(self.layout, [one], self.labels))[0]
            found.append(given - self._prejudice(one) if self.calibrate else given)
        return np.array(found).reshape(-1, len(self.labels))

    def _prejudice(self, asked: Asked) -> Array:
        """Logarithm of the mean probability of the labels after rows without content, with the same examples."""
        key = asked.shots
        if key not in self._kept:
            rows = [(nothing,) * len(asked.row) for nothing in NOTHING]
            empty = [self.base.again(self.layout, asked, row) for row in rows]
            logs = self._mean(self.base.chances(self.layout, empty, self.labels))
            shares = np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))
            self._kept[key] = np.log(np.maximum(shares.mean(axis=0), 1e-9))
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    @staticmethod
    def _mean(chances: Array) -> Array:
        """Mean over the tokens of a label, so that long labels are not behind."""
        found: Array = chances[..., 0] / chances[..., 1]
        return found
