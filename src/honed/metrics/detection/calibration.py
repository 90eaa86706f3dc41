"""Can the score of a detection be believed? Score against the share that is right, and a curve that mends the score."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from honed.errors import DataError
from honed.metrics.calibration import rising_curve, share_right
from honed.metrics.detection.data import Array
from honed.metrics.detection.matching import Matches

EDGE = 1e-6


@dataclass(frozen=True)
class ScoreBin:
    """Detections with scores from ``low`` to ``high``: their mean score, the share that is right, how many."""

    low: float
    high: float
    mean_score: float
    share_right: float
    n: int


@dataclass(frozen=True)
class Recalibration:
    """A rising curve from scores to shares that are right.

    Parameters
    ----------
    kind : "logistic" or "isotonic"
    slope, shift : float
        Of the logistic curve: sigmoid(slope * logit(score) + shift). It never changes the order of scores.
    scores, shares : tuple of float
        Corners of the isotonic curve.
    """

    kind: Literal["logistic", "isotonic"]
    slope: float = 1.0
    shift: float = 0.0
    scores: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()

    def apply(self, scores: Array) -> Array:
        """Mended scores between 0 and 1, of the same shape."""
        if self.kind == "logistic":
            return _sigmoid(self.slope * _logit(scores) + self.shift)
        return share_right(
            np.asarray(scores, dtype=np.float64), (np.array(self.scores), np.array(self.shares), np.zeros(0))
        )

    def as_dict(self) -> dict[str, Any]:
        """The curve as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Recalibration:
        """The inverse of :meth:`as_dict`."""
        return cls(**{**fields, "scores": tuple(fields["scores"]), "shares": tuple(fields["shares"])})


def score_bins(
    matches: Matches, *, label: int | None = None, n_bins: int = 10, at_least: float = 0.0
) -> list[ScoreBin]:
    """Scores against the share of right detections (at the first overlap, 0.5), in bins of equal width; empty ones left out.

    Parameters
    ----------
    label : int, optional
        Only detections of this label.
    at_least : float
        Only detections with this score, for example those that are shown.

    Raises
    ------
    DataError [D083]
        Scores lie outside 0 to 1.
    """
    return _bins(*_scores(matches, label, at_least), n_bins)


def calibration_error(matches: Matches, *, label: int | None = None, n_bins: int = 10, at_least: float = 0.0) -> float:
    """Mean distance between score and share that is right (D-ECE): 0 is perfect, 1 is worst; NaN without detections.

    Detectors give many detections with scores near 0, nearly all wrong, which hide the rest: look at those that are shown
    (``at_least``) too.

    References
    ----------
    Kueppers et al., *Multivariate Confidence Calibration for Object Detection*, 2020 (here by score alone).
    """
    bins = score_bins(matches, label=label, n_bins=n_bins, at_least=at_least)
    n = sum(one.n for one in bins)
    return sum(one.n * abs(one.mean_score - one.share_right) for one in bins) / n if n else float("nan")


def fit_recalibration(matches: Matches, *, kind: Literal["logistic", "isotonic"] = "logistic") -> Recalibration:
    """The curve that makes the scores of these (validation) detections shares that are right; no change for too few.

    ``logistic`` has two numbers and keeps the order of scores, so average precision stays as it is; it needs ten right and
    ten wrong detections. ``isotonic`` follows any rising shape, makes ties, and needs a few thousand detections.

    Raises
    ------
    DataError [D083]
        Scores lie outside 0 to 1.
    """
    score, hit = _scores(matches, None, 0.0)
    if min(hit.sum(), len(hit) - hit.sum()) < 10:
        return Recalibration("logistic")
    return _isotonic(score, hit) if kind == "isotonic" else _logistic(score, hit)


def _scores(matches: Matches, label: int | None, at_least: float) -> tuple[Array, Array]:
    """Score and 0/1 right of the detections that count."""
    rows = matches.of_label(label) if label is not None else slice(None)
    score = matches.score[rows]
    if len(score) and not (score.min() >= 0 and score.max() <= 1):
        seen = f"Scores go from {score.min():.4g} to {score.max():.4g}; calibration needs 0 to 1."
        raise DataError("D083", seen, "Give probabilities.")
    counts = ~matches.ignored[rows, 0] & (score >= at_least)
    return score[counts], matches.hit[rows, 0][counts].astype(np.float64)


def _bins(score: Array, hit: Array, n_bins: int) -> list[ScoreBin]:
    place = np.minimum((score * n_bins).astype(np.int64), n_bins - 1)
    n = np.bincount(place, minlength=n_bins)
    sums, hits = (np.bincount(place, weights=values, minlength=n_bins) for values in (score, hit))
    return [
        ScoreBin(k / n_bins, (k + 1) / n_bins, float(sums[k] / n[k]), float(hits[k] / n[k]), int(n[k]))
        for k in np.flatnonzero(n).tolist()
    ]


def _logistic(score: Array, hit: Array) -> Recalibration:
    from scipy.optimize import minimize

    x = _logit(score)

    def loss(curve: Array) -> tuple[float, Array]:
        z = curve[0] * x + curve[1]
        off = _sigmoid(z) - hit
        return float((np.logaddexp(0, z) - hit * z).mean()), np.array([(off * x).mean(), off.mean()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=[(1e-3, 100.0), (-50.0, 50.0)], method="L-BFGS-B")
    return Recalibration("logistic", float(found.x[0]), float(found.x[1]))


def _isotonic(score: Array, hit: Array) -> Recalibration:
    """Pooled neighbours over at most 500 groups of scores, joined by straight lines."""
    order = np.argsort(score, kind="stable")
    parts = [part for part in np.array_split(order, min(500, len(order))) if len(part)]
    means, hits, n = (
        np.array([f(part) for part in parts]) for f in (lambda p: score[p].mean(), lambda p: hit[p].sum(), len)
    )
    scores, shares, _ = rising_curve(means, hits, n)
    return Recalibration("isotonic", scores=tuple(scores.tolist()), shares=tuple(shares.tolist()))


def _logit(score: Array) -> Array:
    inside = np.clip(np.asarray(score, dtype=np.float64), EDGE, 1 - EDGE)
    logit: Array = np.log(inside) - np.log1p(-inside)
    return logit


def _sigmoid(z: Array) -> Array:
    share: Array = 0.5 * (1 + np.tanh(z / 2))
    return share
