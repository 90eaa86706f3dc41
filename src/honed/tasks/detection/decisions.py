"""From which score on an object is told, and how far scores can be believed: fitted on validation pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from honed.metrics.detection.calibration import fit_recalibration
from honed.metrics.detection.operating import operating_points
from honed.networks.detection.packing import SCORE, TOLD, unpack
from honed.tasks.answers import Array, Decision, Predictions
from honed.tasks.contract import Problem
from honed.tasks.detection.given import in_words, matched

OBJECTS_FOR_OWN = 40
"""With fewer validation objects a threshold of a label's own would follow chance."""
USUAL, DOUBT = 0.3, 0.5
"""Score from which objects are told before anything was fitted; share of the threshold from which something may be there."""


def fit_decision(outputs: Array, targets: Array, problem: Problem, costs: dict[str, float]) -> Decision:
    """The threshold of each label that costs least, on scores that were made shares that are right."""
    found = matched(targets, outputs, problem.labels, thresholds=(0.5,))
    curve = fit_recalibration(found)
    misses = [float(costs.get(label, 1.0)) for label in problem.labels]
    points = operating_points(found, miss_cost=misses, least=OBJECTS_FOR_OWN)
    thresholds = curve.apply(np.clip([point.threshold for point in points], 1e-6, 1 - 1e-6))
    return Decision(
        temperature=1 / curve.slope if curve.slope > 0 else 1.0, shift=curve.shift,
        thresholds=tuple(float(np.clip(value, 0.02, 0.98)) for value in thresholds),
        costs=tuple(misses) if any(cost != 1.0 for cost in misses) else (),
    )  # fmt: skip


def decode(outputs: Array, problem: Problem, decision: Decision) -> Predictions:
    """Mended scores, what is told, and in words; a picture is in doubt where something may be that is not told."""
    rows = np.array(outputs, dtype=np.float32, copy=True)
    packed = unpack(rows)
    packed.objects[..., SCORE] = np.where(packed.there, mended(packed.scores, decision), 0.0)
    limits = np.array(decision.thresholds or [USUAL] * len(problem.labels), dtype=np.float32)
    limit = limits[np.minimum(packed.labels, len(limits) - 1)]
    packed.objects[..., TOLD] = packed.there & (packed.scores >= limit)
    perhaps = packed.there & ~packed.told & (packed.scores >= DOUBT * limit)
    unsure = perhaps.any(axis=1) & ~packed.told.any(axis=1)
    labels = [in_words(packed, row, problem.labels) for row in range(len(rows))]
    return Predictions(rows, labels, None, None, np.asarray(unsure, dtype=bool))


def mended(scores: Array, decision: Decision) -> Array:
    """Scores as shares that are right: sigmoid(logit(score) / temperature + shift)."""
    inside = np.clip(np.asarray(scores, dtype=np.float64), 1e-6, 1 - 1e-6)
    odds = np.log(inside / (1 - inside)) / decision.temperature + decision.shift
    found: Any = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    return found
