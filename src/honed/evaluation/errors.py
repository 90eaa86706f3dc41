"""The most confident mistakes, each with what drove it."""

from __future__ import annotations

import numpy as np

from honed.evaluation.figures import right_rows
from honed.evaluation.results import ErrorExample
from honed.model import Model
from honed.tasks.contract import Array, Input, Predictions

MOST_ERRORS, MOST_CHARACTERS = 8, 400


def worst_errors(model: Model, inputs: list[Input], targets: Array, answers: Predictions) -> list[ErrorExample]:
    """Up to eight wrong answers with the highest confidence (or the largest errors, for numbers)."""
    if answers.confidence is not None:
        wrong = np.flatnonzero(~right_rows(targets, answers.encoded))
        order = wrong[np.argsort(-np.asarray(answers.confidence)[wrong], kind="stable")]
    else:
        order = np.argsort(-np.abs(targets - answers.encoded), kind="stable")
    return [_example(model, inputs[row], row, targets, answers) for row in order[:MOST_ERRORS].tolist()]


def _example(model: Model, given: Input, row: int, targets: Array, answers: Predictions) -> ErrorExample:
    weights = _pieces(model, given, answers.encoded[row])
    picture = model.task.medium.picture(given, [weight for _, weight in weights])
    confidence = float(answers.confidence[row]) if answers.confidence is not None else 0.0
    return ErrorExample(
        row + 1,
        model.task.medium.shown(given)[:MOST_CHARACTERS],
        _named(model, targets[row]),
        _named(model, answers.encoded[row]),
        confidence,
        [] if picture else weights,
        picture,
    )


def _named(model: Model, target: Array) -> str:
    labels = model.problem.labels
    if not labels:
        return f"{float(target):.3g}"
    if np.ndim(target) == 1:
        return ", ".join(labels[i] for i in np.flatnonzero(target)) or "(none)"
    return labels[int(target)] if 0 <= int(target) < len(labels) else "(unknown label)"


def _pieces(model: Model, given: Input, answer: Array) -> list[tuple[str, float]]:
    """How much the output for the given answer falls when one piece of the input (a word) is left out."""
    pieces = model.task.medium.pieces(given)
    if not pieces:
        return []
    outputs = model.outputs([given, *(without for _, without in pieces)])
    column = int(answer) if model.problem.labels and np.ndim(answer) == 0 else 0
    weights = outputs[0, column] - outputs[1:, column]
    return [(piece, float(weight)) for (piece, _), weight in zip(pieces, weights, strict=True)]
