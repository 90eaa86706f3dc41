"""What an engine costs in answers: the loss of the deciding metric, or the share of answers that change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from honed.engines.rows import Rows
from honed.model import Model
from honed.tasks.contract import Array, Predictions


@dataclass(frozen=True)
class Agreement:
    """An engine's answers beside those of torch in full precision.

    Parameters
    ----------
    loss_points : float or None
        Points of the deciding metric that are lost (negative: gained), where the rows have labels; for metrics without
        a per cent, per cent of the metric. Without labels the changed answers, which no loss of accuracy can exceed.
    measured : bool
        True where the loss comes from labels.
    changed : float
        Share of answers that differ; for numbers the mean difference relative to their spread.
    difference : float
        Largest difference of an output, relative to the largest output.
    """

    loss_points: float | None
    measured: bool
    changed: float
    difference: float


def agreement(model: Model, rows: Rows, reference: Array, outputs: Array) -> Agreement:
    """Compare an engine's outputs with torch's on the same rows."""
    judging = model.task.judging
    difference = judging.differ(outputs, reference)
    first, second = (model.task.decode(found, model.problem, model.decision) for found in (reference, outputs))
    changed = judging.changed(np.asarray(first.encoded), np.asarray(second.encoded))
    if not rows.n:
        return Agreement(None, False, changed, difference)
    if rows.targets is None:
        return Agreement(100 * changed, False, changed, difference)
    return Agreement(_loss(model, rows.targets, first, second), True, changed, difference)


def _loss(model: Model, targets: Array, first: Predictions, second: Predictions) -> float:
    metric = model.task.metrics(model.problem)[0]
    before, after = (metric.score(targets, found.encoded) for found in (first, second))
    lost = (before - after) if metric.higher_is_better else (after - before)
    return float(100 * lost if metric.unit == "%" else 100 * lost / (abs(before) or 1.0))
