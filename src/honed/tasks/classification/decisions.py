"""From outputs to answers: temperature, thresholds, costs, and the point of doubt."""

from __future__ import annotations

from typing import Any

import numpy as np

from honed.metrics.calibration import fit_temperature, fit_thresholds
from honed.tasks.contract import Array, Decision, Predictions, Problem

DOUBT_SHARE = 0.02
"""Share of right validation answers that may be flagged "I don't know"."""
INTERVAL = 0.9
"""Share of validation rows whose true number lies inside the prediction interval."""


def fit_decision(outputs: Array, targets: Array, problem: Problem, config: Any) -> Decision:
    """Everything between outputs and answers, fitted on validation rows."""
    if problem.kind == "regression":
        misses = np.sort(np.abs(outputs[:, 0] - targets))
        position = min(len(misses) - 1, int(np.ceil((len(misses) + 1) * INTERVAL)) - 1)
        return Decision(half_width=float(misses[position]) if len(misses) else 0.0)
    temperature = float(fit_temperature(outputs, targets, problem.kind))
    if problem.kind == "multilabel":
        thresholds = tuple(float(t) for t in fit_thresholds(_sigmoid(outputs / temperature), targets))
        return Decision(temperature=temperature, thresholds=thresholds)
    plain = Decision(temperature=temperature, costs=costs(problem, config))
    answers = decode(outputs, problem, plain)
    return Decision(
        temperature=temperature, costs=plain.costs, unsure_below=_doubt(answers, targets, len(problem.labels))
    )


def _doubt(answers: Predictions, targets: Array, n_labels: int) -> float:
    """Confidence that all but a small share of the right answers reach; not above a half, nor below chance."""
    assert answers.confidence is not None
    right = answers.confidence[answers.encoded == targets]
    if len(right) < 20:
        return 1.2 / n_labels
    return float(np.clip(np.quantile(right, DOUBT_SHARE), 1.2 / n_labels, 0.6))


def costs(problem: Problem, config: Any) -> tuple[float, ...]:
    """The user's costs in the order of the labels, or nothing when none were named."""
    named = {str(label): float(cost) for label, cost in config.costs.items()}
    return tuple(named.get(label, 1.0) for label in problem.labels) if named else ()


def decode(outputs: Array, problem: Problem, decision: Decision) -> Predictions:
    """Outputs (n, labels) or (n, 1) into answers."""
    outputs = np.asarray(outputs, dtype=np.float32)
    if problem.kind == "regression":
        values = outputs[:, 0].astype(np.float64)
        return Predictions(values, [float(v) for v in values], None, None, ~np.isfinite(values))
    if problem.kind == "multilabel":
        return _decode_several(outputs, problem, decision)
    probabilities = _softmax(outputs / decision.temperature)
    weighted = probabilities * np.array(decision.costs, dtype=np.float32) if decision.costs else probabilities
    encoded = weighted.argmax(axis=1)
    confidence = probabilities[np.arange(len(encoded)), encoded]
    labels = [problem.labels[index] for index in encoded]
    return Predictions(encoded, labels, probabilities, confidence, confidence < decision.unsure_below)


def _decode_several(outputs: Array, problem: Problem, decision: Decision) -> Predictions:
    probabilities = _sigmoid(outputs / decision.temperature)
    thresholds = np.array(decision.thresholds or (0.5,) * len(problem.labels), dtype=np.float32)
    encoded = (probabilities >= thresholds).astype(np.int64)
    labels = [[problem.labels[index] for index in np.flatnonzero(row)] for row in encoded]
    sure = np.where(encoded == 1, probabilities, 1 - probabilities).min(axis=1)
    return Predictions(encoded, labels, probabilities, sure, sure < 0.5)


def _softmax(outputs: Array) -> Array:
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    result: Array = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def _sigmoid(outputs: Array) -> Array:
    result: Array = 1.0 / (1.0 + np.exp(-np.clip(outputs, -60, 60)))
    return result
