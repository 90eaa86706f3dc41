"""The same bundle behind LitServe, for comparison (needs litserve): ``BUNDLE=... PORT=... python litserve_app.py``.

ENGINE names the engine, BATCH the most rows of a batch, WAIT_MS how long a batch waits for more.
"""

from __future__ import annotations

import os
from typing import Any

import litserve

from honed.model import Model


class Answers(litserve.LitAPI):
    """Gathers requests, then asks the model."""

    def setup(self, device: str) -> None:
        """Open the bundle."""
        self.model = Model.load(os.environ["BUNDLE"], engine=os.environ.get("ENGINE", "torch-fp32"))

    def decode_request(self, request, **kwargs):  # type: ignore[no-untyped-def]
        """One row; without annotations LitServe hands over the parsed body as it is."""
        return request

    def predict(self, rows: list[dict[str, Any]], **kwargs: Any) -> list[Any]:
        """The answers to a batch, as Honed's own server gives them."""
        found, labels = self.model.predict_full(rows), self.model.problem.labels
        return [
            {"prediction": label, "confidence": sure, "unsure": unsure, "probabilities": dict(zip(labels, row, strict=True))}
            for label, sure, unsure, row in zip(
                found.labels, found.confidence.tolist(), found.unsure.tolist(), found.probabilities.tolist(), strict=True
            )
        ]  # fmt: skip

    def encode_response(self, output, **kwargs):  # type: ignore[no-untyped-def]
        """One answer."""
        return output


if __name__ == "__main__":
    api = Answers(
        max_batch_size=int(os.environ.get("BATCH", "64")), batch_timeout=float(os.environ.get("WAIT_MS", "1")) / 1000
    )
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        port=int(os.environ.get("PORT", "8001")), host="127.0.0.1", generate_client_file=False, log_level="warning"
    )
