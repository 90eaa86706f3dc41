"""A packaged model on the same rows, so that few-shot, or a model at an address, stands beside one's own that learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from honed.data.table import Table
from honed.model import Model
from honed.tasks.answers import Array


@dataclass(frozen=True)
class Beside:
    """A packaged model and what is known of the rows it learnt from.

    Parameters
    ----------
    model : Model
    seen : set of int
        Hashes of the rows it learnt from; empty where the bundle does not tell.
    """

    model: Model
    seen: frozenset[int]

    @classmethod
    def load(cls, folder: str | Path) -> Beside:
        """Open a bundle. Raises BundleError."""
        model = Model.load(folder)
        path = Path(folder) / "seen.safetensors"
        if not path.is_file():
            return cls(model, frozenset())
        from safetensors.numpy import load_file

        return cls(model, frozenset(load_file(path)["hashes"].tolist()))

    @property
    def title(self) -> str:
        """What it is called beside the others."""
        return f"{self.model.name}, by {self.model.provenance.get('rung', 'its own method')}"

    def answers(self, table: Table, places: Sequence[int]) -> tuple[list[Any], Array]:
        """Its answers to some of the rows, and which of them it learnt from, bool (n,). Raises DataError [D022]."""
        from honed.media.medium import unseen

        inputs = self.model.task.inputs(table.take(list(places)), self.model.problem)
        return self.model.answers(inputs).labels, ~unseen(self.model.task.medium, inputs, self.seen)
