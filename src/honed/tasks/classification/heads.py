"""Linear heads on frozen features: fitted by regression, or made from the names of the labels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from honed.tasks.contract import Array, Problem

STRENGTHS = (1.0, 10.0, 30.0, 100.0)
"""Inverse regularisation strengths tried on unit-length features, weakest first; the first that does not gain is the last."""
COARSE, FINE = 2e-4, 1e-4
"""Tolerances of the gradient, for choosing a strength and for the fit that is kept. Features of unit length have small
gradients: the library's default of 1e-4 is needed, 1e-3 stops before half of the gain."""


def fit_linear_head(features: Array, targets: Array, problem: Problem, seed: int) -> dict[str, Array]:
    """Weight (outputs, d) and bias (outputs,) fitted on features (n, d); the strength is chosen on held-out rows."""
    scale = float(np.sqrt((features**2).sum(axis=1).mean())) or 1.0
    scaled = np.asarray(features, dtype=np.float32) / np.float32(scale)
    fit = {"regression": _ridge, "multilabel": _one_for_each}.get(problem.kind, _logistic)
    weight, bias = fit(scaled, targets, len(problem.labels), seed)
    return {"weight": (weight / scale).astype(np.float32), "bias": bias.astype(np.float32)}


def _logistic(features: Array, targets: Array, n_labels: int, seed: int) -> tuple[Array, Array]:
    strength = _best_strength(features, targets, seed)
    return _spread(_logistic_model(strength).fit(features, targets), n_labels)


def _logistic_model(strength: float, tolerance: float = FINE) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=300, tol=tolerance)


def _best_strength(features: Array, targets: Array, seed: int) -> float:
    """Compare strengths by log loss on held-out rows: 4 folds for little data, one part for much."""
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

    rarest = int(np.bincount(targets)[np.unique(targets)].min())
    if rarest < 2:
        return 10.0
    if len(targets) > 2000:
        chooser: Any = StratifiedShuffleSplit(
            1, test_size=max(0.15, len(np.unique(targets)) / len(targets)), random_state=seed
        )
    else:
        chooser = StratifiedKFold(min(4, rarest), shuffle=True, random_state=seed)
    parts = list(chooser.split(features, targets))

    def loss(strength: float) -> float:
        total = 0.0
        for train, held_out in parts:
            model = _logistic_model(strength, COARSE).fit(features[train], targets[train])
            total += log_loss(targets[held_out], model.predict_proba(features[held_out]), labels=model.classes_)
        return total

    best, lowest = STRENGTHS[0], float("inf")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for strength in STRENGTHS:
            found = loss(strength)
            if found >= lowest:
                break
            best, lowest = strength, found
    return best


def _spread(model: Any, n_labels: int) -> tuple[Array, Array]:
    """Coefficients in the order of all labels; a label without examples gets a bias it cannot win with."""
    coef, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coef, intercept = np.vstack([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    weight = np.zeros((n_labels, coef.shape[1]))
    bias = np.full(n_labels, -20.0)
    weight[model.classes_], bias[model.classes_] = coef, intercept
    return weight, bias


def _one_for_each(features: Array, targets: Array, n_labels: int, seed: int) -> tuple[Array, Array]:
    weight, bias = np.zeros((n_labels, features.shape[1])), np.zeros(n_labels)
    for label in range(n_labels):
        column = targets[:, label]
        if column.min() == column.max():
            bias[label] = 10.0 if column[0] else -10.0
            continue
        model = _logistic_model(10.0).fit(features, column)
        weight[label], bias[label] = model.coef_[0], model.intercept_[0]
    return weight, bias


def _ridge(features: Array, targets: Array, n_labels: int, seed: int) -> tuple[Array, Array]:
    from sklearn.linear_model import RidgeCV

    model = RidgeCV(alphas=np.logspace(-3, 2, 11)).fit(features, targets)
    return np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)


def head_from_names(name_features: Array) -> dict[str, Array]:
    """A head that prefers the label whose name's features (labels, d) point the way the text's do.

    The logits are 20 times the cosine for features of length sqrt(d), the length that normalised features have.
    """
    size = name_features.shape[1]
    unit = name_features / np.maximum(np.linalg.norm(name_features, axis=1, keepdims=True), 1e-9)
    return {"weight": (20.0 * unit / np.sqrt(size)).astype(np.float32), "bias": np.zeros(len(unit), dtype=np.float32)}
