"""A model that finds objects as a server sees it: its schemas and its answers are made up, everything else is real."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from honed.media.registry import medium_of
from honed.serving.answers import Answered
from honed.serving.service import Service
from honed.serving.settings import Settings
from honed.serving.shelf import Served
from honed.tasks.contract import Predictions
from honed.tasks.detection.judging import ObjectJudging

LABELS = ("bolt", "nut", "washer")
PICTURE = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}
ONE = {
    "type": "object", "required": ["label", "score", "box"],
    "properties": {
        "label": {"type": "string", "enum": list(LABELS)}, "score": {"type": "number"},
        "box": {"type": "array", "items": {"type": "number"}}, "mask": {"type": "object"},
    },
}  # fmt: skip
OUTPUT = {
    "type": "object", "required": ["prediction", "unsure"],
    "properties": {"prediction": {"type": "array", "items": ONE}, "unsure": {"type": "boolean"}},
    "examples": [{"prediction": [{"label": "bolt", "score": 0.9, "box": [10.0, 20.0, 60.0, 80.0]}], "unsure": False}],
}  # fmt: skip
INPUT = {"type": "object", "required": ["image"], "properties": {"image": PICTURE}, "examples": [{"image": ""}]}


class Lane:
    """Gives every row the same answer."""

    ready, waiting_rows, process, writes = True, 0, None, None
    desk = SimpleNamespace(running=0, waiting=0)
    counts = SimpleNamespace(rows=0, restarts=0, last_error="", batches=0)

    def __init__(self, found: list[dict[str, Any]], unsure: bool) -> None:
        self.found, self.unsure, self.asked = found, unsure, 0

    async def ask(self, rows: Sequence[dict[str, Any]]) -> Answered:
        """The answer, for each row."""
        self.asked += 1
        n = len(rows)
        return Answered(Predictions(np.zeros((n, 7)), [self.found] * n, None, None, np.full(n, self.unsure)))


def service_of(
    found: list[dict[str, Any]], *, unsure: bool = False, output: dict[str, Any] | None = None,
    given: dict[str, Any] | None = None, labels: tuple[str, ...] = LABELS,
) -> Service:  # fmt: skip
    """A service with one model, "parts", that finds the same on every picture."""
    manifest: Any = SimpleNamespace(
        name="parts", task="object-detection", verdict="ship", created="",
        schemas={"input": given or INPUT, "output": output or OUTPUT},
    )  # fmt: skip
    place, lane = Path("parts"), Lane(found, unsure)
    served = Served(
        place, place, manifest, "0123abcd", lane, labels, 0.0, ("image",), medium_of("image"), ObjectJudging()
    )  # type: ignore[arg-type]
    service = Service(Settings())
    service.shelf.versions, service.shelf.default = {"parts": {served.version: served}}, {"parts": served.version}
    return service


def png(picture: np.ndarray[Any, Any], kind: str = "PNG", **options: Any) -> bytes:
    """A picture as a file."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind, **options)
    return stream.getvalue()


def as_text(content: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(content).decode()
