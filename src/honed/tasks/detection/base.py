"""A task that finds objects, but for whether it tells their outlines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from honed.data.pictures import picture_facts
from honed.data.split import SplitHint
from honed.data.table import Roles, Table, need_columns
from honed.errors import DataError
from honed.finding import Finding, stop_at_blockers
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
    Schemas,
    ShownLabels,
    Task,
)
from honed.tasks.detection import decisions, standalone, validate
from honed.tasks.detection.judging import ObjectJudging
from honed.tasks.detection.schemas import schemas_of
from honed.tasks.detection.scores import AveragePrecision, metrics_of
from honed.tasks.detection.settings import DetectionConfig
from honed.tasks.detection.shapes import shapes_of

if TYPE_CHECKING:
    from honed.zoo.base import Base

LOOKED_AT, MULTIPLE = 500, 64


def facts_of(output_kind: str) -> Facts:
    """Facts of a task that finds objects and tells "boxes" or "masks"."""
    return Facts(
        ("image",), output_kind, False, validate.MIN_PICTURES, zero_shot=True, automatic=True, frozen_head=True,
        few_rows=40, bases="objects", race=False, one_label=True,
    )  # fmt: skip


class Detection(Task):
    """What tasks inherit that find objects of labels in pictures.

    The target column lists the objects of each picture as :data:`honed.data.picture_sets.raw.OBJECT`; targets are
    :class:`honed.tasks.detection.shapes.Shapes`, outputs packed rows (:mod:`honed.networks.detection.packing`).
    """

    outlines: ClassVar[bool]
    config: ClassVar[type] = DetectionConfig
    zero_shot_title: ClassVar[str] = "what the base was trained to find, nothing learnt"

    @property
    def judging(self) -> ObjectJudging:
        return ObjectJudging()

    @property
    def rows_named(self) -> tuple[str, str]:
        return self.medium.rows_named[0], "ANNOTATED_FOLDER"

    # --- data -----------------------------------------------------------------------------------------------------
    def frame(self, table: Table, roles: Roles, config: Any) -> Problem:
        """Labels, and the canvas on which pictures are read; the first blocker is raised as DataError."""
        stop_at_blockers(self.validate(table, roles, config))
        assert roles.target is not None
        objects = [item for value in table.column(roles.target) for item in value or () if not item.get("crowd")]
        labels = tuple(sorted({str(item["label"]) for item in objects}))
        canvas = self._canvas(table, roles.inputs[0], objects, config.longest_side)
        extra = {"canvas": canvas, "masks": self.outlines, "n_rows": table.n_rows, "costs": dict(config.costs)}
        return Problem(self.name, "objects", roles.inputs[:1], roles.target, labels, config.metric, extra)

    def _canvas(self, table: Table, column: str, objects: list[Any], longest: int) -> list[int]:
        from honed.networks.detection.canvas import canvas_for

        sides: dict[str, list[float]] = {}
        for item in objects:
            left, top, right, bottom = item["box_xyxy"]
            sides.setdefault(str(item["label"]), []).append(min(right - left, bottom - top))
        smallest = min(float(np.median(some)) for some in sides.values())
        sizes = np.array(_sizes(table, column, LOOKED_AT), dtype=np.float64)
        bounds = {"least": longest, "most": longest} if longest else {}
        found = canvas_for(sizes, smallest, MULTIPLE, **bounds)
        return [found.height, found.width]

    def validate(self, table: Table, roles: Roles, config: Any) -> list[Finding]:
        return validate.check_all(table, roles, self.outlines)

    def split_hint(self, table: Table, roles: Roles, problem: Problem) -> SplitHint:
        if roles.entity:
            return SplitHint("group", roles.entity, f'pictures of one "{roles.entity}" stay on one side')
        return SplitHint("random", None, "pictures were drawn by lot")

    def inputs(self, table: Table, problem: Problem) -> list[Input]:
        name = problem.inputs[0]
        need_columns(table, [name], "which the model reads")
        return [(value if value is not None else "",) for value in table.column(name)]

    def targets(self, table: Table, problem: Problem) -> Array:
        """Shapes of every picture, None for a picture without annotation. Objects of unknown labels count as never found."""
        need_columns(table, [problem.target], "which holds the truth")
        index = {label: row for row, label in enumerate(problem.labels)}
        found = np.empty(table.n_rows, dtype=object)
        sizes = _sizes(table, problem.inputs[0], None) if problem.inputs[0] in table.names else [(0, 0)] * table.n_rows
        for row, value in enumerate(table.column(problem.target)):
            if value is not None:
                found[row] = shapes_of(value, sizes[row], index, self.outlines)
        return found

    # --- models ---------------------------------------------------------------------------------------------------
    def baselines(self, problem: Problem, config: Any) -> list[Baseline]:
        from honed.tasks.detection.usual import UsualObjects

        return [Baseline(UsualObjects.kind, "always the same objects, where they lie most often", UsualObjects.fit)]

    def build(self, base: Base | None, problem: Problem, config: Any, seed: int) -> Any:
        from honed.networks.detection.canvas import Canvas
        from honed.networks.detection.families.loading import load_finder
        from honed.networks.detection.picture_finder import PictureFinder
        from honed.networks.detection.variation import STRENGTHS, TRIED

        assert base is not None
        finder: Any = load_finder(base.folder)
        if self.outlines and not finder.has_masks:
            raise DataError(
                "Z033", f"The base {base.id} tells no outlines.", "Choose one that does, or object-detection."
            )
        if not self.outlines:
            finder.without_masks()
        finder.for_labels(problem.labels, seed)
        ways = {
            name: how.for_pictures(mirror=config.mirror, upright=config.upright)
            for name, how in STRENGTHS.items()
            if how
        }
        auto = config.variation == "auto"
        canvas = Canvas(*problem.extra["canvas"]).in_multiples(finder.multiple)
        usual = ways.get("strong" if auto else config.variation)
        return PictureFinder(finder, canvas, self.outlines, usual, {name: ways[name] for name in TRIED} if auto else {})

    def loss(self, outputs: Any, targets: Any, problem: Problem, config: Any) -> dict[str, Any]:
        """The sum of the parts that the network says."""
        import torch

        return {"loss": torch.stack(list(outputs.values())).sum(), **outputs}

    def goodness(self, outputs: Array, targets: Array, problem: Problem, config: Any) -> float:
        """Average precision at an overlap of one half."""
        return AveragePrecision(problem.labels, "ap50")(targets, outputs)

    def head_from(self, network: Any, inputs: Sequence[Input], targets: Array, problem: Problem, config: Any,
                  seed: int, seconds: float = float("inf")) -> dict[str, Array]:  # fmt: skip
        from honed.tasks.detection.head import head_from

        return head_from(network, inputs, targets, seed, seconds)

    def shown_labels(
        self, network: Any, inputs: Sequence[Input], targets: Array, frozen: Callable[[], Array]
    ) -> ShownLabels:
        """Every object cut out of its picture."""
        from honed.tasks.detection.cuttings import cut_out

        return cut_out(network, inputs, targets)

    def zero_shot(self, network: Any, problem: Problem, config: Any) -> dict[str, Array] | None:
        """The rows of a base that knows all of the labels by name."""
        if not set(problem.labels) <= set(network.finder.known):
            return None
        return {name: value.detach().cpu().numpy().copy() for name, value in network.head.state_dict().items()}

    def load_predictor(self, kind: str, folder: Path, problem: Problem) -> Predictor:
        from honed.networks.engine import NetworkPredictor
        from honed.tasks.detection.usual import UsualObjects

        if kind == UsualObjects.kind:
            return UsualObjects.load(folder, problem)
        from honed.networks.detection.picture_finder import load_picture_finder

        return NetworkPredictor(load_picture_finder(folder))

    # --- answers --------------------------------------------------------------------------------------------------
    def fit_decision(self, outputs: Array, targets: Array, problem: Problem, config: Any) -> Decision:
        return decisions.fit_decision(outputs, targets, problem, problem.extra.get("costs", {}))

    def decode(self, outputs: Array, problem: Problem, decision: Decision) -> Predictions:
        return decisions.decode(outputs, problem, decision)

    def answer_code(self, problem: Problem) -> str:
        return standalone.answer_code(problem, decisions.USUAL, decisions.DOUBT)

    def answer_type(self, problem: Problem) -> Any:
        import pyarrow as pa

        parts = {"label": pa.string(), "score": pa.float64(), "box": pa.list_(pa.float64())}
        if self.outlines:
            parts["mask"] = pa.struct({"size": pa.list_(pa.int64()), "counts": pa.string()})
        return pa.list_(pa.struct(parts))

    def metrics(self, problem: Problem) -> list[Metric]:
        return sorted(metrics_of(problem.labels), key=lambda metric: metric.name != problem.metric)

    def schemas(self, problem: Problem) -> Schemas:
        return schemas_of(problem)


def _sizes(table: Table, column: str, most: int | None) -> list[tuple[int, int]]:
    """Height and width of each picture (or of ``most`` of them): from the table where it has them, else from the files."""
    if {"width", "height"} <= set(table.names):
        pairs = zip(table.column("height"), table.column("width"), strict=True)
        return [(int(height or 0), int(width or 0)) for height, width in pairs][:most]
    sizes = []
    for value in table.column(column)[:most]:
        try:
            facts = picture_facts(value)
            sizes.append((facts.height, facts.width))
        except DataError:
            sizes.append((0, 0))
    return sizes
