"""The toy task: which of two classes do a few numbers belong to? Small enough to send through every verb in seconds.

It exists so that the contract is exercised by a task that has no text, no base and no tokenizer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from honed.config import setting
from honed.data.split import SplitHint
from honed.data.table import Roles, Table
from honed.errors import DataError
from honed.files import read_json, write_json
from honed.finding import Finding, stop_at_blockers
from honed.metrics.classification import accuracy
from honed.tasks.contract import (
    Array,
    Baseline,
    Decision,
    Facts,
    Input,
    Metric,
    Predictions,
    Predictor,
    Problem,
    Sample,
    Schemas,
    Task,
)
from honed.wording import counted

if TYPE_CHECKING:
    from honed.zoo.base import Base


@dataclass
class ToyConfig:
    """Settings of the toy task."""

    width: int = setting(16, "units of the hidden layer", low=1, high=1024)


class Priors:
    """Baseline: how frequent each class was."""

    kind = "priors"

    def __init__(self, logits: Array) -> None:
        self.logits = np.asarray(logits, dtype=np.float32)

    @classmethod
    def fit(cls, inputs: Sequence[Input], targets: Array, problem: Problem, seed: int) -> Priors:
        counts = np.bincount(targets, minlength=len(problem.labels)) + 1.0
        return cls(np.log(counts / counts.sum()))

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        return np.tile(self.logits, (len(inputs), 1))

    def save(self, folder: Path) -> None:
        write_json(folder / "priors.json", self.logits.tolist())

    @classmethod
    def load(cls, folder: Path) -> Priors:
        return cls(np.array(read_json(folder / "priors.json")))


class ToyTask(Task):
    """Two or more classes from a few numbers."""

    name: ClassVar[str] = "toy"
    version: ClassVar[int] = 1
    facts: ClassVar[Facts] = Facts(("number",), "class", True, 8, linear_head=True, contrastive=True, needs_base=False)
    config: ClassVar[type] = ToyConfig

    def frame(self, table: Table, roles: Roles, config: Any) -> Problem:
        stop_at_blockers(self.validate(table, roles, config))
        assert roles.target is not None
        labels = sorted({str(value) for value in table.column(roles.target) if value is not None})
        return Problem(
            self.name, "multiclass", tuple(_number_columns(table, roles)), roles.target, tuple(labels), "accuracy"
        )

    def validate(self, table: Table, roles: Roles, config: Any) -> list[Finding]:
        if roles.target is None or roles.target not in table.names:
            return [
                Finding("D020", "blocker", f'There is no column "{roles.target}" to predict.', "Name it with --target.")
            ]
        there = [str(value) for value in table.column(roles.target) if value is not None]
        if len(there) < self.facts.min_rows:
            return [Finding("D025", "blocker", f"Only {len(there)} rows have a label.", "Label more rows.")]
        if len(set(there)) < 2:
            return [
                Finding(
                    "D021",
                    "blocker",
                    f'Column "{roles.target}" has {len(set(there))} distinct values.',
                    "Check --target.",
                )
            ]
        if not _number_columns(table, roles):
            return [Finding("D024", "blocker", "No column of numbers to learn from.", "Add one.")]
        return []

    def split_hint(self, table: Table, roles: Roles, problem: Problem) -> SplitHint:
        return SplitHint("stratify", problem.target, "every part has the same mix of classes")

    def inputs(self, table: Table, problem: Problem) -> list[Input]:
        absent = [name for name in problem.inputs if name not in table.names]
        if absent:
            raise DataError("D022", f'Column "{absent[0]}" is absent from {table.source}.', "Add it.")
        columns = [table.column(name) for name in problem.inputs]
        return [tuple(_number(value) for value in row) for row in zip(*columns, strict=True)]

    def targets(self, table: Table, problem: Problem) -> Array:
        if problem.target not in table.names:
            raise DataError("D022", f'Column "{problem.target}" is absent from {table.source}.', "Add it.")
        index = {label: position for position, label in enumerate(problem.labels)}
        values = table.column(problem.target)
        unknown = {row: str(value) for row, value in enumerate(values) if value is not None and str(value) not in index}
        if unknown:
            details = {"rows": sorted(unknown), "labels": sorted(set(unknown.values()))}
            seen = f"{counted(len(unknown), 'row')} with labels the model does not know."
            raise DataError("D023", seen, "Correct them, or train again.", details=details)
        return np.array([-1 if value is None else index[str(value)] for value in values], dtype=np.int64)

    def baselines(self, problem: Problem, config: Any) -> list[Baseline]:
        return [Baseline("priors", "always the most frequent class", Priors.fit)]

    def build(self, base: Base | None, problem: Problem, config: Any, seed: int) -> Any:
        from honed.networks.toy_network import ToyNetwork

        return ToyNetwork(len(problem.inputs), config.width, len(problem.labels), seed)

    def loss(self, outputs: Any, targets: Any, problem: Problem, config: Any) -> dict[str, Any]:
        from torch.nn.functional import cross_entropy

        return {"loss": cross_entropy(outputs.float(), targets)}

    def fit_head(self, features: Array, targets: Array, problem: Problem, config: Any, seed: int) -> dict[str, Array]:
        from sklearn.linear_model import RidgeClassifier

        model = RidgeClassifier(alpha=1.0).fit(features, targets)
        coef, intercept = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
        if len(coef) == 1:
            coef, intercept = np.vstack([-coef, coef]), np.concatenate([-intercept, intercept])
        weight = np.zeros((len(problem.labels), coef.shape[1]), dtype=np.float32)
        bias = np.full(len(problem.labels), -10.0, dtype=np.float32)
        weight[model.classes_], bias[model.classes_] = coef, intercept
        return {"weight": weight, "bias": bias}

    def load_predictor(self, kind: str, folder: Path, problem: Problem) -> Predictor:
        if kind == Priors.kind:
            return Priors.load(folder)
        from honed.networks.engine import NetworkPredictor
        from honed.networks.toy_network import ToyNetwork

        return NetworkPredictor(ToyNetwork.load(folder))

    def fit_decision(self, outputs: Array, targets: Array, problem: Problem, config: Any) -> Decision:
        from honed.metrics.calibration import fit_temperature

        return Decision(temperature=float(fit_temperature(outputs, targets, problem.kind)))

    def decode(self, outputs: Array, problem: Problem, decision: Decision) -> Predictions:
        scaled = np.exp((outputs - outputs.max(axis=1, keepdims=True)) / decision.temperature)
        probabilities = (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)
        encoded, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        labels = [problem.labels[index] for index in encoded]
        return Predictions(encoded, labels, probabilities, confidence, confidence < decision.unsure_below)

    def answer_code(self, problem: Problem) -> str:
        return (
            'def answers(rows):\n    return [{"prediction": facts["labels"][i]} for i in outputs(rows).argmax(axis=1)]'
        )

    def metrics(self, problem: Problem) -> list[Metric]:
        return [Metric("accuracy", "accuracy", accuracy)]

    def schemas(self, problem: Problem) -> Schemas:
        example = dict.fromkeys(problem.inputs, 0.5)
        given = {"type": "object", "properties": {name: {"type": "number"} for name in problem.inputs}}
        answer = {"prediction": problem.labels[0], "confidence": 0.9, "unsure": False}
        kinds = {
            "prediction": {"enum": list(problem.labels)},
            "confidence": {"type": "number"},
            "unsure": {"type": "boolean"},
        }
        return Schemas(
            {**given, "required": list(problem.inputs), "examples": [example]},
            {"type": "object", "properties": kinds, "examples": [answer]},
        )

    def sample(self) -> Sample:
        rng = np.random.default_rng(3)
        points = rng.normal(size=(150, 2))
        points = points[np.abs(points[:, 1] - 0.4 * points[:, 0]) > 0.15][:120]
        labels = ["above" if y > 0.4 * x else "below" for x, y in points]
        arrow = pa.table({"x": points[:, 0], "y": points[:, 1], "where": labels})
        return Sample(Table(arrow, "sample", "sample"), "where", None, {})


def _number_columns(table: Table, roles: Roles) -> list[str]:
    kinds = {field.name: field.type for field in table.arrow.schema}
    known = (pa.types.is_floating, pa.types.is_integer)
    return [name for name in table.names if name != roles.target and any(test(kinds[name]) for test in known)]


def _number(value: Any) -> float:
    try:
        return 0.0 if value is None or value != value else float(value)
    except (TypeError, ValueError):
        return 0.0
