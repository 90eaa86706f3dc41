"""The same bundle behind BentoML, for comparison: ``BUNDLE=... bentoml serve bentoml_service:Answers`` (needs bentoml)."""

from __future__ import annotations

import os
from typing import Any

import bentoml

from honed.model import Model


@bentoml.service(workers=1, http={"port": 8002, "host": "127.0.0.1"})
class Answers:
    """Gathers up to 64 rows, then asks the model."""

    def __init__(self) -> None:
        self.model = Model.load(os.environ["BUNDLE"])

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=10_000)
    def predict(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Labels and confidence of a batch."""
        found = self.model.predict_full(rows)
        confidence = [None] * len(rows) if found.confidence is None else found.confidence.tolist()
        return [{"prediction": label, "confidence": sure} for label, sure in zip(found.labels, confidence, strict=True)]
