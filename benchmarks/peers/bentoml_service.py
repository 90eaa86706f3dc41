"""The same bundle behind BentoML, for comparison (needs bentoml): ``BUNDLE=... bentoml serve bentoml_service:Answers``.

ENGINE names the engine, BATCH the most rows of a batch, LATENCY_MS the bound that its adaptive batching keeps to.
"""

from __future__ import annotations

import os
from typing import Any

import bentoml

from honed.model import Model


@bentoml.service(
    workers=1, traffic={"timeout": 60, "max_concurrency": 1000}, logging={"access": {"enabled": False}}
)  # fmt: skip
class Answers:
    """Gathers rows, then asks the model."""

    def __init__(self) -> None:
        self.model = Model.load(os.environ["BUNDLE"], engine=os.environ.get("ENGINE", "torch-fp32"))

    @bentoml.api(
        batchable=True,
        max_batch_size=int(os.environ.get("BATCH", "64")),
        max_latency_ms=int(os.environ.get("LATENCY_MS", "10000")),
    )
    def predict(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers to a batch, as Honed's own server gives them."""
        found, labels = self.model.predict_full(rows), self.model.problem.labels
        return [
            {"prediction": label, "confidence": sure, "unsure": unsure, "probabilities": dict(zip(labels, row, strict=True))}
            for label, sure, unsure, row in zip(
                found.labels, found.confidence.tolist(), found.unsure.tolist(), found.probabilities.tolist(), strict=True
            )
        ]  # fmt: skip
