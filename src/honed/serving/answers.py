"""From a worker's message to the answer of one request, in the shape of the task's output schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.serving.problems import error_from
from honed.tasks.contract import Array, Predictions


@dataclass(frozen=True)
class Answered:
    """Predictions for the rows of one request."""

    predictions: Predictions


def answered(head: dict[str, Any], arrays: dict[str, Array], start: int, end: int) -> Answered:
    """The rows ``start`` to ``end`` of a batch. Raises the error of the first row that failed, with its number."""
    for number in range(start, end):
        fields = head["errors"].get(str(number))
        if fields is not None:
            raise error_from({**fields, "details": {**fields["details"], "row": number - start}})
    if not head["errors"]:
        low, high = start, end
    else:
        low = int(np.searchsorted(head["good"], start))
        high = low + end - start

    def part(name: str) -> Any:
        return arrays[name][low:high] if name in arrays else None

    return Answered(
        Predictions(
            part("encoded"), head["labels"][low:high], part("probabilities"), part("confidence"), part("unsure")
        )
    )


def shaped(found: Predictions, output: dict[str, Any], labels: tuple[str, ...], half_width: float) -> list[Any]:
    """One JSON object for each row, with the fields that the output schema names."""
    fields = output.get("properties", {})
    columns: dict[str, list[Any]] = {"prediction": found.labels}
    if found.confidence is not None:
        columns["confidence"] = [float(value) for value in found.confidence]
    if "low" in fields:
        values = np.asarray(found.encoded, dtype=np.float64)
        columns["low"], columns["high"] = (values - half_width).tolist(), (values + half_width).tolist()
    if found.probabilities is not None:
        columns["probabilities"] = [dict(zip(labels, row, strict=True)) for row in found.probabilities.tolist()]
    columns["unsure"] = found.unsure.tolist()
    kept = {name: column for name, column in columns.items() if name in fields}
    return [dict(zip(kept, row, strict=True)) for row in zip(*kept.values(), strict=True)]
