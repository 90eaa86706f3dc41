"""Text classification, as the contract of a task asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from honed.data.split import SplitHint
from honed.data.table import Roles, Table
from honed.errors import DataError
from honed.finding import Finding
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
from honed.tasks.text_classification import decisions, framing, heads, judging, schemas, standalone, validate
from honed.tasks.text_classification.sample import sample
from honed.tasks.text_classification.settings import TextClassificationConfig

if TYPE_CHECKING:
    import torch

    from honed.zoo.base import Base

DEFAULT_MAX_LENGTH = 256


class TextClassification(Task):
    """A label, several labels, or a number for a text or a pair of texts."""

    name: ClassVar[str] = "text-classification"
    version: ClassVar[int] = 1
    facts: ClassVar[Facts] = Facts(("text",), "class", True, validate.MIN_ROWS, linear_head=True, zero_shot=True)
    config: ClassVar[type] = TextClassificationConfig

    def frame(self, table: Table, roles: Roles, config: Any) -> Problem:
        """Kind, labels and columns; the first blocker of :meth:`validate` is raised as DataError."""
        for finding in self.validate(table, roles, config):
            if finding.level == "blocker":
                raise DataError(
                    finding.code, finding.message, finding.remedy, details={"columns": list(finding.columns)}
                )
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
        return Problem(self.name, kind, roles.text, roles.target, labels, judging.deciding(targets, kind), extra)

    def validate(self, table: Table, roles: Roles, config: Any) -> list[Finding]:
        return validate.validate(table, roles, config)

    def split_hint(self, table: Table, roles: Roles, problem: Problem) -> SplitHint:
        if roles.time and "time" in roles.yours:
            return SplitHint(
                "time", roles.time, f'you named "{roles.time}" as the time, so the newest rows are the test'
            )
        if roles.entity:
            return SplitHint("group", roles.entity, f'rows of one "{roles.entity}" stay on one side')
        newest = f" (--time {roles.time} tests on the newest rows instead)" if roles.time else ""
        return SplitHint("stratify", problem.target, f'every part has the same mix of "{problem.target}"{newest}')

    def inputs(self, table: Table, problem: Problem) -> list[Input]:
        absent = [name for name in problem.inputs if name not in table.names]
        if absent:
            seen = f'Column "{absent[0]}", which the model reads, is absent from {table.source}.'
            raise DataError("D022", seen, f"Columns there: {', '.join(table.names[:12])}.", details={"columns": absent})
        return list(zip(*(table.texts(name) for name in problem.inputs), strict=True))

    def targets(self, table: Table, problem: Problem) -> Array:
        if problem.target not in table.names:
            seen = f'Column "{problem.target}", which holds the truth, is absent from {table.source}.'
            raise DataError("D022", seen, f"Columns there: {', '.join(table.names[:12])}.")
        values = table.column(problem.target)
        return framing.encode_targets(values, problem.kind, problem.labels, problem.extra["separator"])

    def baselines(self, problem: Problem, config: Any) -> list[Baseline]:
        from honed.networks.constant import Constant
        from honed.networks.linear_text import LinearText

        most = "always the average" if problem.kind == "regression" else "always the most frequent label"
        return [
            Baseline("constant", most, Constant.fit),
            Baseline("tfidf-linear", "counting words (TF-IDF with a linear model)", LinearText.fit),
        ]

    def build(self, base: Base | None, problem: Problem, config: Any, seed: int) -> Any:
        from honed.networks.encoder import EncoderClassifier

        assert base is not None
        length = config.max_length or min(DEFAULT_MAX_LENGTH, base.max_length)
        return EncoderClassifier.from_base(
            base,
            n_outputs=max(1, len(problem.labels)),
            kind=problem.kind,
            labels=problem.labels,
            max_length=min(length, base.max_length),
            pooling=None if config.pooling == "auto" else config.pooling,
            dropout=config.dropout,
            seed=seed,
        )

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

    def zero_shot(self, network: Any, problem: Problem, config: Any) -> dict[str, Array] | None:
        if problem.kind not in ("binary", "multiclass") or framing.numbers(list(problem.labels)) is not None:
            return None
        from honed.networks.engine import features_of

        names = [(label.replace("_", " ").replace("-", " "),) for label in problem.labels]
        return heads.head_from_names(features_of(network, names))

    def load_predictor(self, kind: str, folder: Path, problem: Problem) -> Predictor:
        from honed.networks.constant import Constant
        from honed.networks.engine import NetworkPredictor
        from honed.networks.linear_text import LinearText

        if kind == NetworkPredictor.kind:
            from honed.networks.encoder import load_encoder

            return NetworkPredictor(load_encoder(folder))
        kinds: dict[str, Any] = {Constant.kind: Constant, LinearText.kind: LinearText}
        predictor: Predictor = kinds[kind].load(folder, problem)
        return predictor

    def fit_decision(self, outputs: Array, targets: Array, problem: Problem, config: Any) -> Decision:
        return decisions.fit_decision(outputs, targets, problem, config)

    def decode(self, outputs: Array, problem: Problem, decision: Decision) -> Predictions:
        return decisions.decode(outputs, problem, decision)

    def answer_code(self, problem: Problem) -> str:
        return standalone.answer_code(problem)

    def metrics(self, problem: Problem) -> list[Metric]:
        return judging.metrics_of(problem)

    def schemas(self, problem: Problem) -> Schemas:
        return schemas.schemas_of(problem)

    def sample(self) -> Sample:
        return sample()
