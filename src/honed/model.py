"""A fitted model in hand: it predicts, it can be saved and loaded, and it does not train."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from honed.data.table import Roles, Table
from honed.tasks.contract import Array, Decision, Input, Predictions, Predictor, Problem, Task

_one_at_a_time = threading.Lock()


@dataclass
class Model:
    """What ``finetune`` gives and a bundle holds. Prediction is safe from several threads (one runs at a time).

    Parameters
    ----------
    provenance : dict
        The base (id, digest, licence) and how the model was trained, plain JSON types.
    folder : Path or None
        The bundle it was opened from.
    """

    task: Task
    problem: Problem
    predictor: Predictor
    decision: Decision
    provenance: dict[str, Any]
    roles: Roles
    name: str = "model"
    folder: Path | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def predict(self, data: Any) -> list[Any]:
        """The answer for each row: a label, a list of labels (multi-label), a number, a list of objects, or a text.

        Parameters
        ----------
        data : str, list of str, list of tuples (pairs) or dicts, pandas / polars / Arrow frame, Table
        """
        return self.predict_full(data).labels

    def predict_proba(self, data: Any) -> Array:
        """Calibrated probabilities, (n, labels) float32, in the order of ``model.problem.labels``.

        Raises
        ------
        TypeError
            The model predicts numbers, which have no probabilities.
        """
        found = self.predict_full(data).probabilities
        if found is None:
            raise TypeError("A model that predicts numbers has no probabilities.")
        return found

    def predict_full(self, data: Any) -> Predictions:
        """Answers with probabilities, confidence and the "I don't know" flag."""
        return self.answers(self.inputs(data))

    def inputs(self, data: Any) -> list[Input]:
        """Rows of any kind as the task's inputs. Raises DataError [D022] when a column is missing."""
        return self.task.inputs(self._table(data), self.problem)

    def outputs(self, inputs: Sequence[Input], advance: Any = None) -> Array:
        """Raw outputs (n, outputs) float32."""
        with _one_at_a_time:
            return self.predictor.outputs(inputs, advance)

    def answers(self, inputs: Sequence[Input], advance: Any = None) -> Predictions:
        """Decoded answers for inputs."""
        return self.task.decode(self.outputs(inputs, advance), self.problem, self.decision)

    def save(self, folder: str | Path) -> None:
        """Write a bundle of this model; see :mod:`honed.bundle`."""
        from honed.bundle.write import write_model

        write_model(Path(folder), self)

    @classmethod
    def load(cls, folder: str | Path, engine: str = "torch-fp32") -> Model:
        """Open a bundle, every digest verified.

        Parameters
        ----------
        engine : str
            What computes the answers: "torch-fp32", another one that ``honed engines`` lists, or "auto" for the
            fastest on this machine that agrees. Models that are no neural network run on their own engine.

        Raises
        ------
        BundleError
        """
        from honed.bundle.open import open_bundle

        model = open_bundle(Path(folder))
        if engine == "torch-fp32":
            return model
        from honed.engines.choose import with_chosen
        from honed.engines.prepare import with_engine

        return with_chosen(model)[0] if engine == "auto" else with_engine(model, engine)

    def __repr__(self) -> str:
        base = self.provenance.get("base", {}).get("id", "no base")
        what = self.problem.answer
        return (
            f"<honed.Model {self.name}: {self.task.name}, {what}, from {base}, by {self.provenance.get('rung', '?')}>"
        )

    def _table(self, data: Any) -> Table:
        from honed.data.read import read_table

        names = self.problem.inputs
        if isinstance(data, str | bytes):
            data = [data]
        if isinstance(data, Sequence) and data and not isinstance(data[0], Mapping):
            alone = (str, bytes)  # a path, a text, the bytes of a picture
            rows = [(row,) if isinstance(row, alone) or not isinstance(row, Sequence) else tuple(row) for row in data]
            if len(rows[0]) == len(names):
                return Table(pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)}), "list", "")
        if isinstance(data, Sequence) and not isinstance(data, str | bytes) and not data:
            return Table(pa.table({name: pa.array([], pa.string()) for name in names}), "list", "")
        return read_table(data)
