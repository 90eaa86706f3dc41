"""A method that was fitted and measured: what each rung of the ladder gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from honed.evaluation.results import Estimate, RungResult
from honed.files import read_json, write_json
from honed.networks.devices import placed_predictor
from honed.tasks.contract import Array, Input, Predictor, Problem, Task


@dataclass
class Candidate:
    """A fitted method with its raw outputs on validation rows and what they are worth.

    ``score`` is the deciding metric, ``utility`` the same turned so that higher is better, with a tie-break by loss.
    """

    name: str
    title: str
    predictor: Predictor
    outputs: Array
    score: Estimate
    utility: tuple[float, float]
    seconds: float
    peak_mib: float
    note: str = ""

    def rest(self, folder: Path, task: Task, problem: Problem) -> None:
        """Leave the predictor on disk, where :meth:`save` put it."""
        kind = self.predictor.kind
        self.predictor = Resting(kind, lambda: placed_predictor(task.load_predictor(kind, folder, problem)))

    def wake(self) -> None:
        """Have the predictor in memory, for what lies on disk may go."""
        if isinstance(self.predictor, Resting):
            self.predictor = self.predictor.wake()

    def result(self, best: bool) -> RungResult:
        """This rung as a line of the report."""
        return RungResult(self.name, self.title, "done", self.score, self.seconds, self.peak_mib, best, self.note)

    def save(self, folder: Path) -> None:
        """Keep the candidate for a resumed run."""
        folder.mkdir(parents=True, exist_ok=True)
        self.predictor.save(folder)
        np.save(folder / "outputs.npy", self.outputs)
        facts = {name: getattr(self, name) for name in ("name", "title", "seconds", "peak_mib", "note")}
        facts |= {"kind": self.predictor.kind, "score": vars(self.score), "utility": list(self.utility)}
        write_json(folder / "rung.json", facts)

    @classmethod
    def load(cls, folder: Path, task: Task, problem: Problem) -> Candidate:
        """Read back what :meth:`save` kept."""
        facts: dict[str, Any] = read_json(folder / "rung.json")
        predictor = placed_predictor(task.load_predictor(facts.pop("kind"), folder, problem))
        score, utility = Estimate(**facts.pop("score")), facts.pop("utility")
        outputs = np.load(folder / "outputs.npy", allow_pickle=False)
        return cls(predictor=predictor, outputs=outputs, score=score, utility=(utility[0], utility[1]), **facts)


class Resting:
    """A predictor that lies on disk and takes no memory until it is asked; the parameters are its kind and what loads it."""

    def __init__(self, kind: str, load: Callable[[], Predictor]) -> None:
        self.kind, self._load = kind, load
        self._awake: Predictor | None = None

    def wake(self) -> Predictor:
        """Load it for good."""
        self._awake = self._awake or self._load()
        return self._awake

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """As the predictor gives them."""
        return (self._awake or self._load()).outputs(inputs, advance)

    def save(self, folder: Path) -> None:
        """As the predictor does."""
        (self._awake or self._load()).save(folder)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.wake(), name)


def saved(folder: Path) -> bool:
    """True when a candidate was kept here whole (its facts are written last)."""
    return (folder / "rung.json").exists()
