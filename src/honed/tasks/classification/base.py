"""A classifier but for its inputs: a label, several labels, or a number for each row."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from honed.data.split import SplitHint
from honed.data.table import Roles, Table, need_columns
from honed.finding import Finding, stop_at_blockers
from honed.tasks.classification import decisions, framing, heads, judging, schemas, standalone, validate
from honed.tasks.contract import Array, Decision, Metric, Predictions, Predictor, Problem, Schemas, Task

if TYPE_CHECKING:
    import torch


class Classification(Task):
    """What a task inherits that gives a label, several labels, or a number for what it reads.

    Its settings have ``kind``, ``separator``, ``label_smoothing`` and ``costs``.
    """

    @abstractmethod
    def read(self, roles: Roles) -> tuple[str, ...]:
        """The columns the model reads."""

    @abstractmethod
    def check_inputs(self, table: Table, roles: Roles) -> list[Finding]:
        """What is wrong with these columns."""

    @abstractmethod
    def predictors(self) -> Mapping[str, Any]:
        """How each kind of predictor but the network is loaded: ``load(folder, problem)`` by its kind."""

    @abstractmethod
    def load_network(self, folder: Path) -> Any:
        """Read back a network that was saved."""

    def frame(self, table: Table, roles: Roles, config: Any) -> Problem:
        """Kind, labels and columns; the first blocker of :meth:`validate` is raised as DataError."""
        stop_at_blockers(self.validate(table, roles, config))
        assert roles.target is not None
        values = framing.present(table.column(roles.target))
        kind, separator = framing.infer_kind(values)
        if config.kind not in ("auto", kind):
            kind, separator = config.kind, separator if config.kind == "multilabel" else ""
        if config.separator != "auto" and kind == "multilabel":
            separator = config.separator
        names = {label for value in values for label in framing.split_labels(value, separator)}
        labels = () if kind == "regression" else framing.sorted_labels(names)
        targets = framing.encode_targets(values, kind, labels, separator)
        extra: dict[str, Any] = {"separator": separator}
        if kind == "regression":
            extra["spread"] = float(targets.std()) or 1.0
        return Problem(
            self.name, kind, self.read(roles), roles.target, labels, judging.deciding(targets, kind), extra
        )  # fmt: skip

    def validate(self, table: Table, roles: Roles, config: Any) -> list[Finding]:
        return [*self.check_inputs(table, roles), *validate.check_target(table, roles, config)]

    def split_hint(self, table: Table, roles: Roles, problem: Problem) -> SplitHint:
        if roles.time and "time" in roles.yours:
            return SplitHint(
                "time", roles.time, f'you named "{roles.time}" as the time, so the newest rows are the test'
            )
        if roles.entity:
            return SplitHint("group", roles.entity, f'rows of one "{roles.entity}" stay on one side')
        newest = f" (--time {roles.time} tests on the newest rows instead)" if roles.time else ""
        return SplitHint("stratify", problem.target, f'every part has the same mix of "{problem.target}"{newest}')

    def columns(self, table: Table, problem: Problem) -> Sequence[str]:
        """The columns the model reads. Raises DataError [D022] when one is absent."""
        need_columns(table, problem.inputs, "which the model reads")
        return problem.inputs

    def targets(self, table: Table, problem: Problem) -> Array:
        need_columns(table, [problem.target], "which holds the truth")
        values = table.column(problem.target)
        return framing.encode_targets(values, problem.kind, problem.labels, problem.extra["separator"])

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, problem: Problem, config: Any) -> dict[str, Any]:
        from torch.nn import functional

        if problem.kind == "regression":
            spread = problem.extra.get("spread", 1.0)
            return {"loss": functional.mse_loss(outputs[:, 0].float() / spread, targets.float() / spread)}
        if problem.kind == "multilabel":
            return {"loss": functional.binary_cross_entropy_with_logits(outputs.float(), targets.float())}
        smoothing = config.label_smoothing
        return {"loss": functional.cross_entropy(outputs.float(), targets, label_smoothing=smoothing)}

    def fit_head(self, features: Array, targets: Array, problem: Problem, config: Any, seed: int) -> dict[str, Array]:
        return heads.fit_linear_head(features, targets, problem, seed)

    def load_predictor(self, kind: str, folder: Path, problem: Problem) -> Predictor:
        from honed.networks.engine import NetworkPredictor

        if kind == NetworkPredictor.kind:
            return NetworkPredictor(self.load_network(folder))
        predictor: Predictor = self.predictors()[kind].load(folder, problem)
        return predictor

    def fit_decision(self, outputs: Array, targets: Array, problem: Problem, config: Any) -> Decision:
        return decisions.fit_decision(outputs, targets, problem, config)

    def decode(self, outputs: Array, problem: Problem, decision: Decision) -> Predictions:
        return decisions.decode(outputs, problem, decision)

    def answer_code(self, problem: Problem) -> str:
        return standalone.answer_code(problem)

    def metrics(self, problem: Problem) -> list[Metric]:
        return judging.metrics_of(problem)

    @abstractmethod
    def input_schema(self, problem: Problem) -> dict[str, Any]:
        """JSON Schema of one input, with ``examples``."""

    def schemas(self, problem: Problem) -> Schemas:
        return Schemas(self.input_schema(problem), schemas.output_schema(problem))
