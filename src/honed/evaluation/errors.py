"""The most confident mistakes, each with what drove it."""

from __future__ import annotations

from typing import Any

import numpy as np

from honed.evaluation.results import ErrorExample
from honed.model import Model
from honed.tasks.contract import Array, Input, Predictions

MOST_ERRORS, MOST_CHARACTERS = 8, 400


def worst_errors(model: Model, inputs: list[Input], targets: Array, answers: Predictions) -> list[ErrorExample]:
    """Up to eight wrong answers, the worst first."""
    order = model.task.judging.worst(targets, answers)
    return [_example(model, inputs[row], row, targets[row], answers) for row in order[:MOST_ERRORS].tolist()]


def _example(model: Model, given: Input, row: int, target: Any, answers: Predictions) -> ErrorExample:
    judging, labels, answer = model.task.judging, model.problem.labels, answers.encoded[row]
    picture, weights = judging.picture(given, target, answer, labels), []
    drawn = bool(picture)
    if not drawn:
        weights = _pieces(model, given, answer)
        picture = model.task.medium.picture(given, [weight for _, weight in weights])
    return ErrorExample(
        row + 1,
        model.task.medium.shown(given)[:MOST_CHARACTERS],
        judging.named(target, labels),
        judging.named(answer, labels),
        float(answers.confidence[row]) if answers.confidence is not None else 0.0,
        [] if picture else weights,
        picture,
        drawn,
    )


def _pieces(model: Model, given: Input, answer: Array) -> list[tuple[str, float]]:
    """How much the output for the given answer falls when one piece of the input (a word) is left out."""
    pieces = model.task.medium.pieces(given)
    if not pieces:
        return []
    outputs = model.outputs([given, *(without for _, without in pieces)])
    column = int(answer) if model.problem.labels and np.ndim(answer) == 0 else 0
    weights = outputs[0, column] - outputs[1:, column]
    return [(piece, float(weight)) for (piece, _), weight in zip(pieces, weights, strict=True)]
