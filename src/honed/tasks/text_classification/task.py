"""Text classification, as the contract of a task asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.tasks.classification import framing, heads
from honed.tasks.classification.base import Classification
from honed.tasks.classification.validate import MIN_ROWS
from honed.tasks.contract import Array, Baseline, Facts, Input, Problem, Sample
from honed.tasks.text_classification.sample import sample
from honed.tasks.text_classification.settings import TextClassificationConfig
from honed.tasks.text_classification.validate import check_texts

if TYPE_CHECKING:
    from honed.zoo.base import Base

DEFAULT_MAX_LENGTH = 256
MAX_CHARACTERS = 10_000_000


class TextClassification(Classification):
    """A label, several labels, or a number for a text or a pair of texts."""

    name: ClassVar[str] = "text-classification"
    version: ClassVar[int] = 1
    facts: ClassVar[Facts] = Facts(
        ("text",), "class", True, MIN_ROWS, linear_head=True, zero_shot=True, contrastive=True, automatic=True
    )  # fmt: skip
    config: ClassVar[type] = TextClassificationConfig

    def read(self, roles: Roles) -> tuple[str, ...]:
        return roles.text

    def check_inputs(self, table: Table, roles: Roles) -> list[Finding]:
        return check_texts(table, roles)

    def inputs(self, table: Table, problem: Problem) -> list[Input]:
        return list(zip(*(table.texts(name) for name in self.columns(table, problem)), strict=True))

    def baselines(self, problem: Problem, config: Any) -> list[Baseline]:
        from honed.networks.constant import Constant
        from honed.networks.linear_text import LinearText

        most = "always the average" if problem.kind == "regression" else "always the most frequent label"
        return [
            Baseline("constant", most, Constant.fit),
            Baseline("tfidf-linear", "counting words (TF-IDF with a linear model)", LinearText.fit),
        ]

    def predictors(self) -> Mapping[str, Any]:
        from honed.networks.constant import Constant
        from honed.networks.linear_text import LinearText

        return {Constant.kind: Constant, LinearText.kind: LinearText}

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

    def load_network(self, folder: Path) -> Any:
        from honed.networks.encoder import load_encoder

        return load_encoder(folder)

    def label_inputs(self, problem: Problem) -> list[Input] | None:
        return _names(problem) if len(problem.inputs) == 1 else None

    def zero_shot(self, network: Any, problem: Problem, config: Any) -> dict[str, Array] | None:
        names = _names(problem)
        if names is None:
            return None
        from honed.networks.engine import features_of

        return heads.head_from_names(features_of(network, names))

    def input_schema(self, problem: Problem) -> dict[str, Any]:
        text = {"type": "string", "maxLength": MAX_CHARACTERS}
        return {
            "type": "object",
            "properties": dict.fromkeys(problem.inputs, text),
            "required": list(problem.inputs),
            "examples": [dict.fromkeys(problem.inputs, "My laptop does not start.")],
        }

    def sample(self) -> Sample:
        return sample()


def _names(problem: Problem) -> list[Input] | None:
    """The names of the labels as texts, None where they are numbers or where a row has several or none."""
    if problem.kind not in ("binary", "multiclass") or framing.numbers(list(problem.labels)) is not None:
        return None
    return [(label.replace("_", " ").replace("-", " "),) for label in problem.labels]
