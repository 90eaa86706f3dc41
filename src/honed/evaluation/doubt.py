"""Saying "I don't know", and forgetting: what the model does beyond its own problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from honed.evaluation.figures import estimate
from honed.evaluation.results import AbstentionResult, Estimate, ForgettingResult
from honed.metrics.intervals import bootstrap_interval, wilson
from honed.model import Model
from honed.networks.engine import NetworkPredictor
from honed.tasks.contract import Array, Predictions


def abstention(model: Model, answers: Predictions, targets: Array, seed: int) -> AbstentionResult | None:
    """Coverage and the deciding metric with and without doubtful answers, a curve, and inputs out of scope."""
    if answers.confidence is None or not len(targets):
        return None
    metric = model.task.metrics(model.problem)[0]
    sure = ~answers.unsure
    whole = bootstrap_interval(metric.score, targets, answers.encoded, n=300, seed=seed)
    part = (
        bootstrap_interval(metric.score, targets[sure], answers.encoded[sure], n=300, seed=seed)
        if sure.any()
        else whole
    )
    flagged, tried = None, 0
    rows = model.task.medium.out_of_scope(len(model.problem.inputs))
    if rows:
        flagged, tried = _share(model.answers(rows).unsure), len(rows)
    order = np.argsort(-answers.confidence, kind="stable")
    curve = [
        (share, metric.score(targets[kept], answers.encoded[kept]))
        for share in np.linspace(0.1, 1.0, 19).round(2).tolist()
        if len(kept := order[: max(1, int(share * len(order)))])
    ]
    return AbstentionResult(
        model.decision.unsure_below, _share(sure), estimate(part), estimate(whole), flagged, tried, curve
    )


def _share(marked: Array) -> Estimate:
    return estimate(wilson(int(marked.sum()), len(marked)))


def forgetting(model: Model, base: Callable[[], Any] | None) -> ForgettingResult | None:
    """How alike the model finds ordinary inputs, against its base: linear CKA (Kornblith et al., 2019).

    ``base`` gives a network like the model's on the base as it came; None where there is none.
    """
    embed = getattr(model.predictor, "embed", None)
    rows = model.task.medium.general(len(model.problem.inputs))
    if embed is None or base is None or not rows:
        return None
    similarity = linear_cka(np.asarray(embed(rows)), np.asarray(NetworkPredictor(base()).embed(rows)))
    word = "kept nearly all" if similarity > 0.9 else "kept most" if similarity > 0.6 else "lost much"
    return ForgettingResult(
        similarity, None, None, f"The encoder {word} of what it knew about {model.task.medium.general_words}."
    )


def linear_cka(first: Array, second: Array) -> float:
    """Likeness of two sets of vectors for the same rows, 0 (unrelated) to 1 (the same up to rotation and scale)."""
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    cross = np.linalg.norm(a.T @ b) ** 2
    scale = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(cross / scale) if scale > 0 else 1.0
