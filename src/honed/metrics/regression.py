"""Metrics of predicted numbers, (n,) each. mae and rmse are in the unit of the target, lower is better."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def mae(targets: Array, predicted: Array) -> float:
    """Mean absolute error."""
    return float(np.abs(targets - predicted).mean()) if len(targets) else float("nan")


def rmse(targets: Array, predicted: Array) -> float:
    """Root mean squared error."""
    return float(np.sqrt(((targets - predicted) ** 2).mean())) if len(targets) else float("nan")


def r2(targets: Array, predicted: Array) -> float:
    """Share of variance explained, at most 1; 0 where the targets do not vary."""
    spread = ((targets - targets.mean()) ** 2).sum() if len(targets) else 0.0
    return float(1 - ((targets - predicted) ** 2).sum() / spread) if spread > 0 else 0.0


def pearson(targets: Array, predicted: Array) -> float:
    """Linear correlation, -1 to 1; 0 where either side does not vary."""
    if len(targets) < 2 or np.ptp(targets) == 0 or np.ptp(predicted) == 0:
        return 0.0
    return float(np.corrcoef(targets, predicted)[0, 1])


def spearman(targets: Array, predicted: Array) -> float:
    """Rank correlation, -1 to 1; ties share the mean rank."""
    from scipy.stats import rankdata

    return pearson(rankdata(targets), rankdata(predicted)) if len(targets) else 0.0
