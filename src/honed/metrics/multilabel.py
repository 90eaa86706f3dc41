"""Metrics of classification with several labels a row: 0/1 matrices (n, labels). Between 0 and 1, higher is better."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def micro_f1(targets: Array, predicted: Array) -> float:
    """F1 over all (row, label) pairs at once; 1 when there is nothing to find and nothing was given."""
    hits = int((targets & predicted).sum())
    total = int(targets.sum() + predicted.sum())
    return 2 * hits / total if total else 1.0


def macro_f1(targets: Array, predicted: Array) -> float:
    """Mean F1 over the labels that occur in targets or predictions."""
    hits, total = (targets & predicted).sum(axis=0), targets.sum(axis=0) + predicted.sum(axis=0)
    present = total > 0
    return float((2 * hits[present] / total[present]).mean()) if present.any() else 1.0


def exact_match(targets: Array, predicted: Array) -> float:
    """Share of rows whose whole set of labels is right; NaN for no rows."""
    return float((targets == predicted).all(axis=1).mean()) if len(targets) else float("nan")
