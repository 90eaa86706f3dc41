"""Can the confidence be believed? Calibration error, reliability bins, temperature and thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
MIN_LOG, MAX_LOG = np.log(0.05), np.log(20.0)


def fit_temperature(outputs: Array, targets: Array, kind: str) -> float:
    """The temperature, between 0.05 and 20, that makes held-out outputs likeliest (Guo et al., 2017); 1 for < 10 rows."""
    from scipy.optimize import minimize_scalar

    if len(targets) < 10:
        return 1.0
    outputs = np.asarray(outputs, dtype=np.float64)
    loss = _sigmoid_loss if kind == "multilabel" else _softmax_loss
    found = minimize_scalar(
        lambda log_t: loss(outputs / np.exp(log_t), targets), bounds=(MIN_LOG, MAX_LOG), method="bounded"
    )
    return float(np.exp(found.x))


def _softmax_loss(logits: Array, targets: Array) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    likelihood = shifted[np.arange(len(targets)), targets] - np.log(np.exp(shifted).sum(axis=1))
    return float(-likelihood.mean())


def _sigmoid_loss(logits: Array, targets: Array) -> float:
    return float((np.logaddexp(0, logits) - targets * logits).mean())


def expected_calibration_error(confidence: Array, right: Array) -> float:
    """Mean distance between confidence and share right, over bins of equal numbers of rows; 0 is perfect, 1 worst.

    There are 15 bins, fewer where they would hold under 30 rows: small bins are off by chance alone.
    """
    n_bins = min(15, max(1, len(confidence) // 30))
    bins = reliability_bins(confidence, right, n_bins)
    total = sum(n for *_, n in bins)
    return float(sum(n * abs(mean - share) for _, _, mean, share, n in bins) / total) if total else 0.0


def error_by_chance(confidence: Array, seed: int = 0) -> tuple[float, float]:
    """Mean and 97.5th percentile of the calibration error that perfectly calibrated confidences show on these rows."""
    rng = np.random.default_rng(seed)
    n = 1000 if len(confidence) <= 5000 else 200
    draws = (rng.random(len(confidence)) < confidence for _ in range(n))
    found = [expected_calibration_error(confidence, draw.astype(float)) for draw in draws]
    return float(np.mean(found)), float(np.percentile(found, 97.5))


def reliability_bins(confidence: Array, right: Array, n_bins: int = 10) -> list[tuple[float, float, float, float, int]]:
    """(lowest, highest, mean confidence, share right, rows) of bins with equal numbers of rows, by confidence."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, min(n_bins, max(1, len(order) // 5))) if len(part)]
    return [
        (
            float(confidence[part[0]]),
            float(confidence[part[-1]]),
            float(confidence[part].mean()),
            float(right[part].mean()),
            len(part),
        )
        for part in parts
    ]


def rising_curve(confidence: Array, hits: Array, n: Array) -> tuple[Array, Array, Array]:
    """Bins of rows by mean confidence, neighbours pooled until the share of hits rises: (confidence, share, rows) of each."""
    pools: list[list[float]] = []
    for mean, right, rows in zip(confidence, hits, n, strict=True):
        pools.append([float(mean * rows), float(right), float(rows)])
        while len(pools) > 1 and pools[-2][1] / pools[-2][2] >= pools[-1][1] / pools[-1][2]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    found = np.array(pools)
    return found[:, 0] / found[:, 2], found[:, 1] / found[:, 2], found[:, 2]


def share_right(confidence: Array, curve: tuple[Array, Array, Array]) -> Array:
    """What a curve of :func:`rising_curve` makes of confidences; below its lowest bin in proportion, for there it saw no rows."""
    means, shares = np.concatenate([[0.0], curve[0]]), np.concatenate([[0.0], curve[1]])
    found: Array = np.interp(confidence, means, shares)
    return found


def fit_thresholds(probabilities: Array, targets: Array) -> Array:
    """For every label the probability (0.1 to 0.9) above which giving it makes the best F1; 0.5 for rare labels."""
    grid = np.linspace(0.1, 0.9, 17)
    thresholds = np.full(targets.shape[1], 0.5)
    for label in np.flatnonzero(targets.sum(axis=0) >= 5):
        given = probabilities[:, label][:, None] >= grid
        truth = targets[:, label][:, None] == 1
        f1 = 2 * (given & truth).sum(axis=0) / np.maximum(1, given.sum(axis=0) + truth.sum())
        best = np.flatnonzero(f1 >= f1.max() - 1e-9)
        thresholds[label] = grid[best[np.abs(grid[best] - 0.5).argmin()]]
    return thresholds
