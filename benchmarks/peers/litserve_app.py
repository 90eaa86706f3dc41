"""The same bundle behind LitServe, for comparison: ``python benchmarks/peers/litserve_app.py BUNDLE`` (needs litserve)."""

from __future__ import annotations

import sys
from typing import Any

import litserve

from honed.model import Model


class Answers(litserve.LitAPI):
    """Gathers up to 64 requests for at most 5 ms, then asks the model."""

    def setup(self, device: str) -> None:
        """Open the bundle."""
        self.model = Model.load(sys.argv[1])

    def decode_request(self, request: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """One row."""
        return request

    def predict(self, rows: list[dict[str, Any]], **kwargs: Any) -> list[Any]:
        """Labels and confidence of a batch."""
        found = self.model.predict_full(rows)
        confidence = [None] * len(rows) if found.confidence is None else found.confidence.tolist()
        return list(zip(found.labels, confidence, strict=True))

    def encode_response(self, output: Any, **kwargs: Any) -> dict[str, Any]:
        """One answer."""
        return {"prediction": output[0], "confidence": output[1]}


if __name__ == "__main__":
    api = Answers(max_batch_size=64, batch_timeout=0.005)
    litserve.LitServer(api, accelerator="cpu", workers_per_device=1).run(port=8001, host="127.0.0.1")
