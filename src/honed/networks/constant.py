"""The baseline that never looks at the input: class frequencies, or the mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from honed.files import read_json, write_json
from honed.tasks.contract import Array, Input, Problem


class Constant:
    """The same outputs for every input."""

    kind = "constant"

    def __init__(self, row: Array) -> None:
        self.row = np.asarray(row, dtype=np.float32)

    @classmethod
    def fit(cls, inputs: Sequence[Input], targets: Array, problem: Problem, seed: int) -> Constant:
        """Log frequencies of classes, log odds of labels (multi-label), or the median (which makes the mean absolute
        error smallest)."""
        if problem.kind == "regression":
            return cls(np.array([np.median(targets)]))
        if problem.kind == "multilabel":
            share = (targets.sum(axis=0) + 0.5) / (len(targets) + 1)
            return cls(np.log(share / (1 - share)))
        counts = np.bincount(targets, minlength=len(problem.labels)) + 0.5
        return cls(np.log(counts / counts.sum()))

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """The same row (n, outputs) for each input."""
        return np.tile(self.row, (len(inputs), 1))

    def save(self, folder: Path) -> None:
        """One small JSON file."""
        write_json(folder / "constant.json", [float(value) for value in self.row])

    @classmethod
    def load(cls, folder: Path, problem: Problem) -> Constant:
        """Read back what :meth:`save` wrote."""
        return cls(np.array(read_json(folder / "constant.json")))
