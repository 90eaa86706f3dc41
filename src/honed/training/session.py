"""All that the rungs of the ladder share: data, base, settings, clock, progress, and what was computed once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from honed.config import RunConfig
from honed.evaluation.results import Choice
from honed.files import whole_file
from honed.finding import Finding
from honed.networks import engine, precision
from honed.networks.devices import best_device, placed
from honed.progress import Progress, Silent
from honed.tasks.contract import Array, Input, Problem, Task
from honed.training.frozen import read_frozen
from honed.training.time_limit import OutOfTimeError
from honed.zoo.base import Base


@dataclass(frozen=True)
class Part:
    """Inputs with their encoded targets, and each one's row in the session's table of frozen features."""

    inputs: list[Input]
    targets: Array
    rows: Array

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, positions: Array) -> Part:
        """The examples at these positions."""
        return Part([self.inputs[position] for position in positions], self.targets[positions], self.rows[positions])


def joined(first: Part, second: Part) -> Part:
    """Both parts, one after the other."""
    targets, rows = [np.concatenate(pair) for pair in ((first.targets, second.targets), (first.rows, second.rows))]
    return Part(first.inputs + second.inputs, targets, rows)


def make_parts(inputs: list[Input], targets: Array, train: Array, validation: Array) -> tuple[Part, Part]:
    """Training and validation parts of a table, features numbered in that order."""
    first = Part([inputs[row] for row in train], targets[train], np.arange(len(train)))
    numbers = np.arange(len(train), len(train) + len(validation))
    return first, Part([inputs[row] for row in validation], targets[validation], numbers)


@dataclass
class Session:
    """One climb of the ladder.

    ``folds`` is 1 where validation rows are held out; for little data it is the number of cross-validation folds,
    ``validation`` is then empty and every recipe is measured on all training rows, out of fold.
    """

    task: Task
    problem: Problem
    settings: Any
    config: RunConfig
    base: Base | None
    train: Part
    validation: Part
    folder: Path
    folds: int = 1
    progress: Progress = field(default_factory=Silent)
    deadline: float | None = None
    usable: bool = False
    """There is a model already, so that what would take too long can be left out."""
    choices: list[Choice] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    """What training itself noticed."""
    _cache: dict[str, Any] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        return self.config.training.seed

    @property
    def n_fits(self) -> int:
        """Fits of a method: one, or where rows are few one for every fold and one for all rows."""
        return self.folds + 1 if self.folds > 1 else 1

    def fold_rows(self) -> list[tuple[Array, Array]]:
        """Training and held-out positions of every fold, over the training part."""
        from sklearn.model_selection import KFold, StratifiedKFold

        targets, n = self.train.targets, len(self.train)
        whole = targets.ndim == 1 and targets.dtype.kind == "i"
        rarest = int(np.bincount(targets)[np.unique(targets)].min()) if whole else 0
        kind = StratifiedKFold if rarest >= self.folds else KFold
        splitter = kind(min(self.folds, n), shuffle=True, random_state=self.seed)
        return list(splitter.split(np.zeros(n), targets if rarest >= self.folds else None))

    def time_left(self) -> float:
        """Seconds until the deadline, infinite without one."""
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    def room(self) -> float:
        """Seconds that a method has until the deadline, infinite where none is set or there is no model yet."""
        return self.time_left() if self.usable else float("inf")

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """Compute something once in this climb."""
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    def forget(self, key: str) -> None:
        """Free something remembered."""
        self._cache.pop(key, None)

    def choose(self, name: str, value: Any, origin: Any, reason: str = "") -> None:
        """Note a choice for the report, once by name."""
        self.choices = [choice for choice in self.choices if choice.name != name]
        self.choices.append(Choice(name, str(value), origin, reason))

    def fresh_network(self) -> Any:
        """The base with a fresh head, on the device of this run."""
        network = self.task.build(self.base, self.problem, self.settings, self.seed)
        return placed(network)

    def frozen_network(self) -> Any:
        """The base as it came, kept in memory: never train this one."""
        return self.remember("frozen network", self.fresh_network)

    def precision(self) -> str:
        """Number format of training and of frozen features; timed once and kept for resumed runs."""
        kept = self.folder / "precision.txt"
        if kept.exists():
            return kept.read_text(encoding="utf-8").strip()
        found = self._choose_precision()
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(found + "\n", encoding="utf-8")
        return found

    def _choose_precision(self) -> str:
        wanted = self.config.training.precision
        if wanted != "auto":
            self.choose("training.precision", wanted, "yours")
            return wanted
        found, reason = precision.choose(self._timing_work(), best_device())
        self.choose("training.precision", found, "chosen", reason)
        return found

    def _timing_work(self) -> Callable[[], Any]:
        network = self.frozen_network()
        sample = network.encode(self.train.inputs[: 2 * getattr(network, "usual_batch", 32)])
        batch = engine.to_device(network.collate(sample), engine.device_of(network))

        def work() -> None:
            network.features(batch).float().square().mean().backward()
            network.zero_grad(set_to_none=True)

        return work

    def frozen_features(self, part: Part) -> Array:
        """Features of the base for the inputs of a part; computed once, and kept on disk for resumed runs.

        Rows to learn from that the time limit left no room for are NaN; see :meth:`read_rows`.

        Raises
        ------
        OutOfTimeError
            There is no time for reading enough of them.
        """
        found: Array = self._all_features()[part.rows]
        return found

    def read_rows(self, part: Part) -> Array:
        """Positions in a part of the inputs whose frozen features are known. Raises OutOfTimeError as :meth:`frozen_features`."""
        found: Array = np.flatnonzero(~np.isnan(self._all_features()[part.rows, 0]))
        return found

    def _all_features(self) -> Array:
        if why := self._cache.get("no features"):
            raise OutOfTimeError(why)
        try:
            found: Array = self.remember("frozen features", self._frozen_features)
        except OutOfTimeError as error:
            self._cache["no features"] = str(error)
            raise
        return found

    def _frozen_features(self) -> Array:
        kept = self.folder / "features.npy"
        known: Array | None = np.load(kept, allow_pickle=False) if kept.exists() else None
        if known is not None and not np.isnan(known).any():
            return known
        network, number_format = self.frozen_network(), self.precision()
        found = read_frozen(
            network, self.train.inputs + self.validation.inputs, self.train.targets, len(self.train), known=known, seconds=self.room(),
            all_or_none=self.folds > 1, precision=number_format, seed=self.seed, progress=self.progress, many=self.task.medium.many,
        )  # fmt: skip
        with whole_file(kept) as temporary, temporary.open("wb") as stream:
            np.save(stream, found)
        return found
