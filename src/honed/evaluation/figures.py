"""The plain figures of an evaluation: metrics with intervals, classes, confusion, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from honed.evaluation.results import CalibrationBin, CalibrationResult, ClassResult, Estimate, MetricResult
from honed.metrics.calibration import error_by_chance, expected_calibration_error, reliability_bins
from honed.metrics.classification import by_label, confusion_matrix
from honed.metrics.intervals import Interval, bootstrap_interval, wilson
from honed.model import Model
from honed.tasks.contract import Array, Decision, Predictions
from honed.tasks.judging import Counts

CLASS_RESAMPLES = 300


def estimate(found: Interval) -> Estimate:
    """An interval as a line of the report."""
    return Estimate(found.value, found.low, found.high)


def metric_results(
    model: Model,
    targets: Array,
    predicted: Array,
    baselines: Mapping[str, Array],
    validation: Estimate | None,
    seed: int,
) -> list[MetricResult]:
    """Every metric of the task for the model and the baselines on the same rows; the deciding one first."""
    found = []
    for position, metric in enumerate(model.task.metrics(model.problem)):
        beside = {
            name: estimate(bootstrap_interval(metric.score, targets, answers, seed=seed))
            for name, answers in baselines.items()
        }
        own = estimate(bootstrap_interval(metric.score, targets, predicted, seed=seed))
        on_validation = validation if position == 0 else None
        found.append(
            MetricResult(metric.name, metric.title, metric.unit, metric.higher_is_better, own, beside, on_validation)
        )
    return found


def class_results(model: Model, targets: Array, predicted: Array, seed: int) -> list[ClassResult]:
    """Precision, recall and F1 of every label with intervals (Wilson for the shares, bootstrap for F1)."""
    labels = model.problem.labels
    if not labels:
        return []
    counts = model.task.judging.counts(targets, predicted, len(labels))
    hits, n_true, n_given = counts.hits.sum(0), counts.true.sum(0), counts.given.sum(0)
    f1 = _f1_intervals(counts, seed)
    return [
        ClassResult(
            label,
            int(n_true[i]),
            estimate(wilson(float(hits[i]), int(n_given[i]))),
            estimate(wilson(float(hits[i]), int(n_true[i]))),
            f1[i],
        )
        for i, label in enumerate(labels)
    ]


def _f1_intervals(told: Counts, seed: int) -> list[Estimate]:
    """Bootstrap of all labels at once: what is true or given of each label is hit, missed or false, other rows are neither."""
    n = max(len(told.true), int((told.true + told.given - told.hits).sum(0).max(initial=0)))
    rng = np.random.default_rng(seed)
    hits, missed, false = told.hits.sum(0), (told.true - told.hits).sum(0), (told.given - told.hits).sum(0)
    found = []
    for counts in np.stack([hits, missed, false], axis=1):
        value = 2 * counts[0] / max(1, 2 * counts[0] + counts[1] + counts[2])
        shares = np.append(counts, n - counts.sum()) / max(1, n)
        draws = rng.multinomial(n, shares / shares.sum(), size=CLASS_RESAMPLES) if n else np.zeros((1, 4))
        f1 = 2 * draws[:, 0] / np.maximum(1, 2 * draws[:, 0] + draws[:, 1] + draws[:, 2])
        low, high = np.percentile(f1, [2.5, 97.5])
        if counts[1:].sum() == 0 or counts[0] == 0:  # without a mistake, or without a hit, resamples all look alike
            edge = wilson(float(counts[0]), int(counts.sum()))
            low, high = min(low, edge.low), max(high, edge.high)
        found.append(Estimate(float(value), float(min(low, value)), float(max(high, value))))
    return found


def confusion(model: Model, targets: Array, predicted: Array) -> list[list[int]]:
    """Counts by true (rows) and given label (columns); empty for several labels a row and for numbers."""
    if not model.problem.labels or targets.ndim == 2 or targets.dtype.kind == "O":
        return []
    matrix: list[list[int]] = confusion_matrix(targets, predicted, len(model.problem.labels)).tolist()
    return matrix


def calibration(
    model: Model, outputs: Array, answers: Predictions, targets: Array, seed: int
) -> CalibrationResult | None:
    """Expected calibration error with its interval, the same without the temperature, and reliability bins."""
    graded = model.task.judging.graded(targets, answers)
    if graded is None or len(graded[0]) < 20:
        return None
    confidence, right = graded
    value = expected_calibration_error(confidence, right)
    rng = np.random.default_rng(seed)
    rows = (rng.integers(0, len(right), len(right)) for _ in range(200))
    low, high = np.percentile([expected_calibration_error(confidence[r], right[r]) for r in rows], [2.5, 97.5])
    plain = model.task.decode(outputs, model.problem, Decision(thresholds=model.decision.thresholds))
    before = expected_calibration_error(*(model.task.judging.graded(targets, plain) or graded))
    bins = [CalibrationBin(*bin_) for bin_ in reliability_bins(confidence, right)]
    error = Estimate(value, min(value, float(low)), max(value, float(high)))
    return CalibrationResult(error, before, model.decision.temperature, bins, *error_by_chance(confidence, seed))


def support_of(targets: Array, n_labels: int) -> Any:
    """How many rows truly have each label."""
    return targets.sum(axis=0) if targets.ndim == 2 else by_label(targets, targets, n_labels).support
