"""Text generation, as the contract of a task asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from honed.data.chats import CHOSEN, begins_with_role
from honed.data.split import SplitHint
from honed.data.table import Roles, Table, need_columns
from honed.finding import Finding, stop_at_blockers
from honed.tasks.contract import (
    Array,
    Asked,
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
from honed.tasks.judging import Look
from honed.tasks.text_generation import decisions, validate
from honed.tasks.text_generation.judging import TextJudging
from honed.tasks.text_generation.preferred import LIKE_PREFERRED, PREFERRED, REJECTED, with_rejected
from honed.tasks.text_generation.sample import sample
from honed.tasks.text_generation.scores import deciding, metrics_of
from honed.tasks.text_generation.settings import TextGenerationConfig

if TYPE_CHECKING:
    from honed.generation.asking import Asking
    from honed.zoo.base import Base

SPARE, LOOKED_AT = 1.25, 200
MAX_CHARACTERS = 1_000_000


class TextGeneration(Task):
    """A text written for each row; targets are texts (None where there is none), outputs packed rows."""

    name: ClassVar[str] = "text-generation"
    version: ClassVar[int] = 1
    facts: ClassVar[Facts] = Facts(
        ("text",), "text", False, validate.MIN_ROWS, zero_shot=True, automatic=True, bases="decoder", whole=True, few_shot=True
    )  # fmt: skip
    config: ClassVar[type] = TextGenerationConfig
    zero_shot_title: ClassVar[str] = "what the base writes by itself, nothing learnt"

    @property
    def judging(self) -> TextJudging:
        return TextJudging()

    # --- data -----------------------------------------------------------------------------------------------------
    def frame(self, table: Table, roles: Roles, config: Any) -> Problem:
        stop_at_blockers(self.validate(table, roles, config))
        assert roles.target is not None
        texts = [text for text in table.texts(roles.target) if text.strip()]
        longest = max(len(text.encode()) for text in texts)
        metric = deciding(texts) if config.metric == "auto" else config.metric
        extra = {"most_bytes": min(validate.LONG, int(SPARE * longest) + 8), "instruction": config.instruction}
        extra["messages"] = _are_chats(table, roles)
        if _prefers(table, roles):
            extra[REJECTED], metric = REJECTED, LIKE_PREFERRED.name if config.metric == "auto" else metric
            others = [text for text in table.texts(REJECTED) if text]
            extra["most_bytes"] = max(
                extra["most_bytes"], min(validate.LONG, max(len(text.encode()) for text in others))
            )
        return Problem(self.name, "text", roles.text, roles.target, (), metric, extra)

    def validate(self, table: Table, roles: Roles, config: Any) -> list[Finding]:
        return validate.check_all(table, roles)

    def split_hint(self, table: Table, roles: Roles, problem: Problem) -> SplitHint:
        if roles.time and "time" in roles.yours:
            return SplitHint("time", roles.time, f'you named "{roles.time}" as the time: the newest rows are the test')
        if roles.entity:
            return SplitHint("group", roles.entity, f'rows of one "{roles.entity}" stay on one side')
        return SplitHint("random", None, "rows were drawn by lot")

    def inputs(self, table: Table, problem: Problem) -> list[Input]:
        need_columns(table, problem.inputs, "which the model reads")
        return list(zip(*(table.texts(name) for name in problem.inputs), strict=True))

    def targets(self, table: Table, problem: Problem) -> Array:
        need_columns(table, [problem.target], "which holds the truth")
        found = np.empty(table.n_rows, dtype=object)
        for row, (there, text) in enumerate(
            zip(table.column(problem.target), table.texts(problem.target), strict=True)
        ):
            found[row] = text if there is not None and text.strip() else None
        other = problem.extra.get(REJECTED)
        if other is None:
            return found
        need_columns(table, [other], "which holds the texts that were preferred less")
        return with_rejected(found, table.texts(other))

    def prefers(self, problem: Problem) -> bool:
        return REJECTED in problem.extra

    def pairs(self, network: Any) -> Any:
        from honed.tasks.text_generation.pairs import Pairs

        return Pairs(network)

    # --- models ---------------------------------------------------------------------------------------------------
    def baselines(self, problem: Problem, config: Any) -> list[Baseline]:
        from honed.tasks.text_generation.baselines import NearestText, UsualText

        return [
            Baseline(UsualText.kind, "always the text that came most often", UsualText.fit),
            Baseline(NearestText.kind, "the text of the row most alike", NearestText.fit),
        ]

    def build(self, base: Base | None, problem: Problem, config: Any, seed: int) -> Any:
        from honed.networks.decoders.layout import Layout
        from honed.tasks.text_generation.writer import Writer

        assert base is not None
        layout = Layout(problem.inputs, problem.extra["instruction"], messages=problem.extra["messages"])
        most = {"most_bytes": int(problem.extra["most_bytes"]), "most_tokens": config.max_new_tokens}
        return Writer.from_base(base.folder, layout, **most)

    def loss(self, outputs: Any, targets: Any, problem: Problem, config: Any) -> dict[str, Any]:
        """Cross-entropy of the tokens of the texts; nothing is learnt of the rows themselves."""
        from torch.nn import functional

        return {"loss": functional.cross_entropy(outputs.float(), targets)}

    def goodness(self, outputs: Array, targets: Array, problem: Problem, config: Any) -> float:
        """Likeness of letters."""
        return float(1 - self.judging.errors(targets, outputs).mean()) if len(targets) else 0.0

    def zero_shot(self, network: Any, problem: Problem, config: Any) -> dict[str, Array] | None:
        """Nothing is changed: the base writes as it came."""
        return {}

    def shown(
        self, network: Any, inputs: Sequence[Input], targets: Array, problem: Problem, n: int = 0
    ) -> Predictor | None:
        """The rows most alike are shown in the prompt, as GPT-3 made it known (Brown et al., 2020)."""
        from honed.tasks.text_generation.baselines import NearestText
        from honed.tasks.text_generation.shown import MOST_SHOTS, ShownPredictor

        return ShownPredictor(network, NearestText.fit(inputs, targets, problem, 0), n or MOST_SHOTS)

    def load_predictor(self, kind: str, folder: Path, problem: Problem) -> Predictor:
        from honed.networks.engine import NetworkPredictor
        from honed.tasks.text_generation.baselines import NearestText, UsualText
        from honed.tasks.text_generation.shown import ShownPredictor
        from honed.tasks.text_generation.writer import load_writer

        if kind == NetworkPredictor.kind:
            return NetworkPredictor(load_writer(folder))
        known: dict[str, Any] = {
            UsualText.kind: UsualText, NearestText.kind: NearestText, ShownPredictor.kind: ShownPredictor,
        }  # fmt: skip
        predictor: Predictor = known[kind].load(folder, problem)
        return predictor

    def asking(self, predictor: Predictor, problem: Problem) -> Asking | None:
        """Networks write, with or without rows to show them; the cheap methods only look up."""
        network = getattr(predictor, "network", None)
        if network is None:
            return None
        from honed.tasks.text_generation.asking import RowAsking

        return RowAsking(network, getattr(predictor, "shots_of", None))

    # --- answers --------------------------------------------------------------------------------------------------
    def fit_decision(self, outputs: Array, targets: Array, problem: Problem, config: Any) -> Decision:
        return decisions.fit_decision(outputs, targets)

    def decode(self, outputs: Array, problem: Problem, decision: Decision) -> Predictions:
        return decisions.decode(outputs, decision)

    def answer_type(self, problem: Problem) -> Any:
        import pyarrow as pa

        return pa.string()

    def answer_code(self, problem: Problem) -> str:
        from honed.tasks.text_generation.recipe import ANSWERS

        return ANSWERS.strip()

    def metrics(self, problem: Problem) -> list[Metric]:
        found = metrics_of(problem.metric)
        if not self.prefers(problem):
            return found
        return sorted([LIKE_PREFERRED, PREFERRED, *found], key=lambda metric: metric.name != problem.metric)

    def weighing(self, predictor: Predictor, problem: Problem) -> tuple[Any, Any] | None:
        from honed.tasks.text_generation.further import weighing

        return weighing(predictor, problem)

    def further(self, asked: Asked) -> Look:
        from honed.tasks.text_generation.further import look

        return look(asked, self.medium)

    def schemas(self, problem: Problem) -> Schemas:
        text = {"type": "string", "maxLength": MAX_CHARACTERS}
        asked = {
            "type": "object", "properties": dict.fromkeys(problem.inputs, text), "required": list(problem.inputs),
            "examples": [dict.fromkeys(problem.inputs, "My laptop does not start.")],
        }  # fmt: skip
        parts = {
            "prediction": {"type": "string"},
            "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            "unsure": {"type": "boolean"},
        }
        example = {"prediction": "Please hold the power button for ten seconds.", "unsure": False}
        return Schemas(asked, {"type": "object", "properties": parts, "examples": [example]})

    def sample(self) -> Sample:
        return sample()


def _prefers(table: Table, roles: Roles) -> bool:
    """True where a column says which texts were preferred less than those of the target."""
    named = REJECTED in table.names and roles.target == CHOSEN
    return named and any(text.strip() for text in table.texts(REJECTED))


def _are_chats(table: Table, roles: Roles) -> bool:
    """True where every row begins with the role of who speaks."""
    if len(roles.text) != 1:
        return False
    texts = [text for text in table.texts(roles.text[0])[:LOOKED_AT] if text.strip()]
    return bool(texts) and all(begins_with_role(text) for text in texts)
