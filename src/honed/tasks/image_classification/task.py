"""Image classification, as the contract of a task asks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from honed.data.table import Roles, Table
from honed.errors import DataError
from honed.finding import Finding
from honed.tasks.classification.base import Classification
from honed.tasks.classification.validate import MIN_ROWS
from honed.tasks.contract import Array, Baseline, Facts, Input, Problem, Sample
from honed.tasks.image_classification.sample import EXAMPLE, sample
from honed.tasks.image_classification.settings import ImageClassificationConfig
from honed.tasks.image_classification.validate import check_one_label, check_pictures

if TYPE_CHECKING:
    from honed.zoo.base import Base

LOOKED_AT, STEP, SMALLEST, LARGEST = 200, 32, 32, 160
MANY_ROWS = 2000
"""From so many training rows on pictures are changed lightly only."""


class ImageClassification(Classification):
    """A label, several labels, or a number for a picture."""

    name: ClassVar[str] = "image-classification"
    version: ClassVar[int] = 1
    facts: ClassVar[Facts] = Facts(
        ("image",), "class", True, MIN_ROWS, linear_head=True, zero_shot=True, automatic=True
    )  # fmt: skip
    config: ClassVar[type] = ImageClassificationConfig
    zero_shot_title: ClassVar[str] = "what the base was trained to tell, nothing learnt"

    def read(self, roles: Roles) -> tuple[str, ...]:
        return (roles.image,) if roles.image else roles.text[:1]

    def check_inputs(self, table: Table, roles: Roles) -> list[Finding]:
        return [*check_one_label(table), *check_pictures(table, self.read(roles))]

    def frame(self, table: Table, roles: Roles, config: Any) -> Problem:
        """As for every classifier; the size of the pictures decides at which size they are read, where the base allows it."""
        problem = super().frame(table, roles, config)
        extra = {"image_size": config.image_size or _size(table, problem.inputs[0]), "n_rows": table.n_rows}
        return dataclasses.replace(problem, extra={**problem.extra, **extra})

    def inputs(self, table: Table, problem: Problem) -> list[Input]:
        (name,) = self.columns(table, problem)
        return [(value if value is not None else "",) for value in table.column(name)]

    def baselines(self, problem: Problem, config: Any) -> list[Baseline]:
        from honed.networks.constant import Constant
        from honed.networks.pictures.colours import ColourLinear

        most = "always the average" if problem.kind == "regression" else "always the most frequent label"
        return [
            Baseline("constant", most, Constant.fit),
            Baseline("colours-linear", "colours and coarse shapes (a linear model of tiny pictures)", ColourLinear.fit),
        ]

    def predictors(self) -> Mapping[str, Any]:
        from honed.networks.constant import Constant
        from honed.networks.pictures.colours import ColourLinear

        return {Constant.kind: Constant, ColourLinear.kind: ColourLinear}

    def build(self, base: Base | None, problem: Problem, config: Any, seed: int) -> Any:
        from honed.networks.pictures.classifier import PictureClassifier
        from honed.networks.pictures.variation import STRENGTHS

        assert base is not None
        chosen = config.variation
        if chosen == "auto":
            chosen = "light" if problem.extra.get("n_rows", 0) >= MANY_ROWS else "strong"
        how = STRENGTHS[chosen]
        return PictureClassifier.from_base(
            base,
            n_outputs=max(1, len(problem.labels)),
            labels=problem.labels,
            size=problem.extra["image_size"],
            variation=how and dataclasses.replace(how, mirror=config.mirror),
            seed=seed,
        )

    def load_network(self, folder: Path) -> Any:
        from honed.networks.pictures.classifier import load_classifier

        return load_classifier(folder)

    def zero_shot(self, network: Any, problem: Problem, config: Any) -> dict[str, Array] | None:
        """The rows of the base's own classifier, where it knows classes of the same names."""
        if network.own_head is None or problem.kind not in ("binary", "multiclass"):
            return None
        known = {label.strip().lower(): row for row, label in enumerate(network.own_labels)}
        rows = [known.get(label.strip().lower().replace("_", " ")) for label in problem.labels]
        if any(row is None for row in rows):
            return None
        weight, bias = (part.detach().float().cpu().numpy() for part in network.own_head)
        return {"weight": weight[rows], "bias": bias[rows]}

    def input_schema(self, problem: Problem) -> dict[str, Any]:
        picture = {
            "type": "string", "contentEncoding": "base64", "contentMediaType": "image/*", "maxLength": 100_000_000,
            "description": "The bytes of a JPEG, PNG, WebP, GIF, BMP or TIFF in base64, or a data URI.",
        }  # fmt: skip
        return {
            "type": "object",
            "properties": dict.fromkeys(problem.inputs, picture),
            "required": list(problem.inputs),
            "examples": [dict.fromkeys(problem.inputs, EXAMPLE)],
        }

    def sample(self) -> Sample:
        return sample()


def _size(table: Table, name: str) -> int:
    """The short side of the middle picture in steps of 32 pixels, between 32 and 160."""
    from honed.data.pictures import picture_facts

    sides = []
    values = [value for value in table.column(name) if value]
    for value in values[:: max(1, len(values) // LOOKED_AT)][:LOOKED_AT]:
        try:
            facts = picture_facts(value)
        except DataError:
            continue
        sides.append(min(facts.width, facts.height))
    middle = float(np.median(sides)) if sides else SMALLEST
    return int(np.clip(round(middle / STEP) * STEP, SMALLEST, LARGEST))
