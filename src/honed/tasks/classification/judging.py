"""The metrics text classification is judged by; the first decides."""

from __future__ import annotations

import numpy as np

from honed.metrics import classification, multilabel, regression
from honed.tasks.contract import Array, Metric, Problem

UNBALANCED = 0.7
"""Above this share of the largest class, accuracy flatters and macro F1 decides."""

ACCURACY = Metric("accuracy", "accuracy", classification.accuracy)
MACRO_F1 = Metric("macro_f1", "macro F1", classification.macro_f1)
BALANCED = Metric("balanced_accuracy", "balanced accuracy", classification.balanced_accuracy)
MICRO_F1_SEVERAL = Metric("micro_f1", "micro F1", multilabel.micro_f1)
MACRO_F1_SEVERAL = Metric("macro_f1", "macro F1", multilabel.macro_f1)
EXACT = Metric("exact_match", "all labels right", multilabel.exact_match)
SPEARMAN = Metric("spearman", "rank correlation (Spearman)", regression.spearman, unit="", range=(-1.0, 1.0))
R2 = Metric("r2", "explained variance (R²)", regression.r2, unit="", range=(-np.inf, 1.0))
MAE = Metric("mae", "mean absolute error", regression.mae, higher_is_better=False, unit="target", range=(0.0, np.inf))
RMSE = Metric("rmse", "root mean squared error", regression.rmse, False, "target", (0.0, np.inf))


def metrics_of(problem: Problem) -> list[Metric]:
    """Metrics of the problem's kind, the deciding one first."""
    if problem.kind == "regression":
        return [MAE, RMSE, R2, SPEARMAN]
    if problem.kind == "multilabel":
        return [MICRO_F1_SEVERAL, MACRO_F1_SEVERAL, EXACT]
    known = [ACCURACY, MACRO_F1, BALANCED]
    return sorted(known, key=lambda metric: metric.name != problem.metric)


def deciding(targets: Array, kind: str) -> str:
    """Name of the metric that decides for these targets."""
    if kind in ("regression", "multilabel"):
        return "mae" if kind == "regression" else "micro_f1"
    shares = np.bincount(targets[targets >= 0]) / max(1, int((targets >= 0).sum()))
    return "macro_f1" if shares.max(initial=0.0) > UNBALANCED else "accuracy"
