"""Metrics of classification with one label a row. All lie between 0 and 1, higher is better.

``targets`` and ``predicted`` are integer arrays of shape (n,); a target of -2 or any index outside the labels stands
for a label the model does not know and never counts as right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def accuracy(targets: Array, predicted: Array) -> float:
    """Share of rows predicted right; NaN for no rows."""
    return float(np.mean(targets == predicted)) if len(targets) else float("nan")


def confusion_matrix(targets: Array, predicted: Array, n_labels: int) -> Array:
    """Counts (n_labels, n_labels): rows are the truth, columns the prediction; unknown labels are left out."""
    known = (targets >= 0) & (targets < n_labels)
    flat = targets[known] * n_labels + predicted[known]
    return np.bincount(flat, minlength=n_labels * n_labels).reshape(n_labels, n_labels)


@dataclass(frozen=True)
class ByLabel:
    """Precision, recall and F1 (labels,), and how many rows truly have each label; 0 where undefined."""

    precision: Array
    recall: Array
    f1: Array
    support: Array


def by_label(targets: Array, predicted: Array, n_labels: int) -> ByLabel:
    """Precision, recall and F1 of every label."""
    valid = predicted >= 0
    hits = np.bincount(targets[(targets == predicted) & valid], minlength=n_labels)[:n_labels]
    given = np.bincount(predicted[valid], minlength=n_labels)[:n_labels]
    support = np.bincount(targets[(targets >= 0) & (targets < n_labels)], minlength=n_labels)[:n_labels]
    precision, recall = hits / np.maximum(given, 1), hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(given + support, 1)
    return ByLabel(precision, recall, f1, support)


def macro_f1(targets: Array, predicted: Array) -> float:
    """Mean F1 over the labels that occur in targets or predictions, each counting the same."""
    if not len(targets):
        return float("nan")
    n_labels = int(max(targets.max(), predicted.max())) + 1
    found = by_label(targets, predicted, n_labels)
    given = np.bincount(predicted[predicted >= 0], minlength=n_labels)
    present = (found.support > 0) | (given > 0)
    return float(found.f1[present].mean()) if present.any() else 0.0


def balanced_accuracy(targets: Array, predicted: Array) -> float:
    """Mean recall over the labels that occur in the targets."""
    if not len(targets):
        return float("nan")
    n_labels = int(max(targets.max(), predicted.max())) + 1
    found = by_label(targets, predicted, n_labels)
    present = found.support > 0
    return float(found.recall[present].mean()) if present.any() else 0.0
