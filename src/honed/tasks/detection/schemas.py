"""JSON Schemas of tasks that find objects."""

from __future__ import annotations

from typing import Any

from honed.tasks.contract import Problem, Schemas
from honed.tasks.image_classification.sample import EXAMPLE

PICTURE = {
    "type": "string", "contentEncoding": "base64", "contentMediaType": "image/*", "maxLength": 100_000_000,
    "description": "The bytes of a JPEG, PNG, WebP, GIF, BMP or TIFF in base64, or a data URI.",
}  # fmt: skip


def schemas_of(problem: Problem) -> Schemas:
    """A picture, and the objects on it."""
    given = {
        "type": "object",
        "properties": dict.fromkeys(problem.inputs, PICTURE),
        "required": list(problem.inputs),
        "examples": [dict.fromkeys(problem.inputs, EXAMPLE)],
    }
    return Schemas(given, _answer(problem))


def _answer(problem: Problem) -> dict[str, Any]:
    box = {
        "type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4,
        "description": "Left, top, right, bottom in pixels of the upright picture.",
    }  # fmt: skip
    parts: dict[str, Any] = {
        "label": {"type": "string", "enum": list(problem.labels)},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "box": box,
    }
    example: dict[str, Any] = {"label": problem.labels[0], "score": 0.9, "box": [10.0, 20.0, 60.0, 80.0]}
    if problem.extra.get("masks"):
        size = {"type": "array", "items": {"type": "integer"}}
        parts["mask"] = {
            "type": "object", "description": "Run lengths as COCO writes them.",
            "properties": {"size": size, "counts": {"type": "string"}},
        }  # fmt: skip
        example["mask"] = {"size": [100, 100], "counts": "PPYo0"}
    one = {"type": "object", "properties": parts, "required": list(parts)}
    properties = {"prediction": {"type": "array", "items": one}, "unsure": {"type": "boolean"}}
    return {
        "type": "object", "properties": properties, "required": list(properties),
        "examples": [{"prediction": [example], "unsure": False}],
    }  # fmt: skip
