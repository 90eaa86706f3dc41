"""What can be had without a model: always one answer, or the model's own answers dealt to the rows by lot."""

from __future__ import annotations

import numpy as np

from honed.tasks.contract import Array, Metric

SHUFFLES = 200
MOST_ROWS = 20_000
MOST_LABELS = 30


def best_constant(metric: Metric, truth: Array) -> Array | None:
    """The single answer that scores best on these very rows, once for every row; None for targets of another shape.

    A baseline that was fitted on training rows is weak where the test has another mix of labels; this one never is.
    """
    if not len(truth):
        return None
    sign = 1.0 if metric.higher_is_better else -1.0
    answers = _single_answers(truth)
    if not answers:
        return None
    full = [np.broadcast_to(answer, truth.shape) for answer in answers]
    return max(full, key=lambda given: sign * metric.score(truth, given))


def _single_answers(truth: Array) -> list[Array]:
    if truth.ndim == 1 and truth.dtype.kind == "i":
        labels, counts = np.unique(truth[truth >= 0], return_counts=True)
        return [np.asarray(label) for label in labels[np.argsort(-counts, kind="stable")][:MOST_LABELS]]
    if truth.ndim == 1 and truth.dtype.kind == "f":
        return [np.asarray(np.median(truth)), np.asarray(truth.mean())]
    if truth.ndim == 2 and truth.dtype.kind == "i":
        order = np.argsort(-truth.sum(axis=0), kind="stable")[:MOST_LABELS]
        sets = [np.isin(np.arange(truth.shape[1]), order[:n]).astype(truth.dtype) for n in range(len(order) + 1)]
        return [np.asarray(one) for one in sets]
    return []


def by_lot(metric: Metric, truth: Array, predicted: Array, seed: int) -> float:
    """Share of shuffles of the model's answers among the rows that score as well as the answers do in their places.

    Where a model has learnt nothing this is anywhere between 0 and 1, and 1 where it gives every row the same answer; a
    model that has learnt something stays below 0.025. Guessing beats a constant answer in some metrics (macro F1), but
    never this.
    """
    rows = min(len(truth), MOST_ROWS)
    truth, predicted = truth[:rows], predicted[:rows]
    sign, rng = (1.0 if metric.higher_is_better else -1.0), np.random.default_rng(seed)
    own = sign * metric.score(truth, predicted)
    deal = getattr(metric.score, "dealt", None)
    dealt = deal(truth, predicted) if deal else lambda order: metric.score(truth, predicted[order])
    lots = [sign * dealt(rng.permutation(rows)) for _ in range(SHUFFLES)]
    return float(np.mean([lot >= own - 1e-12 for lot in lots])) if rows else 1.0
