"""How surprising a difference is when nothing changed: p-values that hold for any number of rows, and how to spend error.

Every bound here is true for finite samples and for any distribution (none leans on a bell curve), for the many looks of
monitoring work far out in the tails. Each takes the reference as the sample that it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
SUSPECTS = 4
"""Cells whose exact probability is worked out; the others are further from surprising by their z-score."""


def share_p_values(now: Array, n_now: int, then: Array, n_then: int, *, side: str = "both") -> Array:
    """For each cell, the probability of so different a count by chance (exact: hypergeometric, Fisher).

    Parameters
    ----------
    now, then : arrays of counts, one entry a cell
    side : "both", "more" or "less"
        Which change counts.

    Returns
    -------
    array of p-values, not corrected for the number of cells; 1 for cells that are not among the most suspicious.
    """
    from scipy.stats import hypergeom

    now, then = np.asarray(now, dtype=np.int64), np.asarray(then, dtype=np.int64)
    found = np.ones(len(now))
    if not n_now or not n_then:
        return found
    total, good = n_now + n_then, now + then
    pooled = good / total
    spread = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / n_now + 1 / n_then), 1e-12))
    z = (now / n_now - then / n_then) / spread
    z = np.abs(z) if side == "both" else z if side == "more" else -z
    some = np.argsort(-z)[:SUSPECTS]
    some = some[z[some] > 1.0]
    for cell in some.tolist():
        more = hypergeom.sf(now[cell] - 1, total, good[cell], n_now) if side != "less" else 1.0
        less = hypergeom.cdf(now[cell], total, good[cell], n_now) if side != "more" else 1.0
        found[cell] = min(1.0, (2.0 if side == "both" else 1.0) * min(more, less))
    return found


@dataclass(frozen=True)
class Mix:
    """Cells that became more frequent together: which, their share now and then, and the chance of so large a rise."""

    cells: Array
    now: float
    then: float
    p_value: float


def mix_change(now: Array, then: Array) -> Mix:
    """Many small changes of a mix at once, each too small to be told alone.

    Each row belongs to one cell, so counts can be halved at random as if the rows were. One half of both samples names the
    cells that rose; the other half, which had no say in that, is tested on them as one (exact: hypergeometric).
    """
    from scipy.stats import hypergeom

    now, then = np.asarray(now, dtype=np.int64), np.asarray(then, dtype=np.int64)
    n_now, n_then = int(now.sum()), int(then.sum())
    if len(now) < 3 or n_now < 4 or n_then < 4:
        return Mix(np.zeros(len(now), dtype=bool), 0.0, 0.0, 1.0)
    rng = np.random.default_rng(n_now)
    first_now = rng.multivariate_hypergeometric(now, n_now // 2, method="marginals")
    first_then = rng.multivariate_hypergeometric(then, n_then // 2, method="marginals")
    cells = first_now * (n_then // 2) > first_then * (n_now // 2)
    rest_now, rest_then = int((now - first_now)[cells].sum()), int((then - first_then)[cells].sum())
    size_now, size_then = n_now - n_now // 2, n_then - n_then // 2
    p = float(hypergeom.sf(rest_now - 1, size_now + size_then, rest_now + rest_then, size_now))
    return Mix(cells, rest_now / size_now, rest_then / size_then, p)


def histogram_distance(now: Array, then: Array) -> float:
    """Largest difference of the two cumulative shares at the edges (Kolmogorov and Smirnov), between 0 and 1."""
    if len(now) < 2 or not now.sum() or not then.sum():
        return 0.0
    gap = np.cumsum(now)[:-1] / now.sum() - np.cumsum(then)[:-1] / then.sum()
    return float(np.abs(gap).max())


def distance_p_value(distance: float, n_now: int, n_then: int) -> float:
    """Bound on the probability of such a distance by chance (Dvoretzky, Kiefer, Wolfowitz; two samples: Wei and Dudley, 2012).

    Looking at the edges only can make the distance smaller, never larger, so the bound stays true for histograms.
    """
    if not n_now or not n_then:
        return 1.0
    return float(min(1.0, 2.2 * np.exp(-2.0 * distance * distance * n_now * n_then / (n_now + n_then))))


def mean_p_value(now: float, n_now: int, then: float, n_then: int) -> float:
    """Bound on the probability that the mean of values between 0 and 1 fell so far by chance (Chernoff, both samples).

    For any true mean m, n KL(now, m) and n KL(then, m) are each below x but with probability exp(-x); so their sum s
    is exceeded with probability at most (1 + s) exp(-s), and the pooled mean makes that sum smallest.
    """
    if not n_now or not n_then or now >= then:
        return 1.0
    pooled = (now * n_now + then * n_then) / (n_now + n_then)
    s = n_now * _divergence(now, pooled) + n_then * _divergence(then, pooled)
    return float(min(1.0, (1.0 + s) * np.exp(-s)))


def _divergence(p: float, q: float) -> float:
    q = min(max(q, 1e-12), 1 - 1e-12)
    left = p * np.log(p / q) if p > 0 else 0.0
    right = (1 - p) * np.log((1 - p) / (1 - q)) if p < 1 else 0.0
    return float(max(0.0, left + right))


def spend(alpha: float, look: int) -> float:
    """What look 1, 2, 3, ... may spend of ``alpha``: alpha / (look (look + 1)), which adds up to alpha for ever."""
    return alpha / (look * (look + 1))
