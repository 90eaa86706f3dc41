"""JSON Schema of what a classifier gives."""

from __future__ import annotations

from typing import Any

from honed.tasks.contract import Problem


def output_schema(problem: Problem) -> dict[str, Any]:
    """Labels, confidence and doubt; or a number with its interval."""
    if problem.kind == "regression":
        properties: dict[str, Any] = {name: {"type": "number"} for name in ("prediction", "low", "high")}
        example: dict[str, Any] = {"prediction": 3.5, "low": 2.5, "high": 4.5, "unsure": False}
    else:
        label = {"type": "string", "enum": list(problem.labels)}
        several = problem.kind == "multilabel"
        share = {"type": "number", "minimum": 0, "maximum": 1}
        properties = {
            "prediction": {"type": "array", "items": label} if several else label,
            "confidence": share,
            "probabilities": {"type": "object", "additionalProperties": share},
        }
        first = problem.labels[0]
        even = {name: 1 / len(problem.labels) for name in problem.labels}
        example = {
            "prediction": [first] if several else first,
            "confidence": 0.9,
            "probabilities": even,
            "unsure": False,
        }
    properties["unsure"] = {"type": "boolean"}
    return {"type": "object", "properties": properties, "required": list(properties), "examples": [example]}
