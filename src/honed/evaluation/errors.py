"""The most confident mistakes, each with the words that drove it."""

from __future__ import annotations

import re

import numpy as np

from honed.checks.personal_data import mask_personal, personal_spans
from honed.evaluation.figures import right_rows
from honed.evaluation.results import ErrorExample
from honed.model import Model
from honed.tasks.contract import Array, Input, Predictions

MOST_ERRORS, MOST_WORDS, MOST_CHARACTERS = 8, 40, 400


def worst_errors(model: Model, inputs: list[Input], targets: Array, answers: Predictions) -> list[ErrorExample]:
    """Up to eight wrong answers with the highest confidence (or the largest errors, for numbers)."""
    if answers.confidence is not None:
        wrong = np.flatnonzero(~right_rows(targets, answers.encoded))
        order = wrong[np.argsort(-np.asarray(answers.confidence)[wrong], kind="stable")]
    else:
        order = np.argsort(-np.abs(targets - answers.encoded), kind="stable")
    return [_example(model, inputs[row], row, targets, answers) for row in order[:MOST_ERRORS].tolist()]


def _example(model: Model, given: Input, row: int, targets: Array, answers: Predictions) -> ErrorExample:
    confidence = float(answers.confidence[row]) if answers.confidence is not None else 0.0
    text = " | ".join(str(part) for part in given)
    return ErrorExample(
        row + 1,
        mask_personal(text)[:MOST_CHARACTERS],
        _named(model, targets[row]),
        _named(model, answers.encoded[row]),
        confidence,
        _words(model, given, answers.encoded[row]),
    )


def _named(model: Model, target: Array) -> str:
    labels = model.problem.labels
    if not labels:
        return f"{float(target):.3g}"
    if np.ndim(target) == 1:
        return ", ".join(labels[i] for i in np.flatnonzero(target)) or "(none)"
    return labels[int(target)] if 0 <= int(target) < len(labels) else "(unknown label)"


def _words(model: Model, given: Input, answer: Array) -> list[tuple[str, float]]:
    """How much the output for the given answer falls when one word is left out; personal data is masked."""
    if "text" not in model.task.facts.input_kinds:
        return []
    first = str(given[0])
    spans = list(re.finditer(r"\S+", first))[:MOST_WORDS]
    rows = [given, *((first[: span.start()] + first[span.end() :], *given[1:]) for span in spans)]
    outputs = model.outputs(rows)
    column = int(answer) if model.problem.labels and np.ndim(answer) == 0 else 0
    weights = outputs[0, column] - outputs[1:, column]
    secret = personal_spans(first)
    shown = [
        "***" if any(begin < span.end() and span.start() < end for begin, end in secret) else span.group(0)
        for span in spans
    ]
    return [(word, float(weight)) for word, weight in zip(shown, weights, strict=True)]
