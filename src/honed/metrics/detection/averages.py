"""Average precision from matches, for any weights of the pictures: once each, a slice, or many resamples at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from honed.metrics.detection.data import Array
from honed.metrics.detection.matching import Matches

RECALLS = np.linspace(0.0, 1.0, 101)
"""The shares of objects found at which COCO reads off the precision."""
WIDTH = 128
"""Resamples worked on at a time, so that the arrays stay in the cache."""


def average_precision(matches: Matches, weights: Array | None = None) -> Array:
    """Average precision by threshold, label and weighting, (T, labels, B); NaN where a label has no objects.

    Parameters
    ----------
    matches : Matches
    weights : float array (pictures, B), optional
        How often each picture counts; a column of whole numbers is exactly a data set with repeated pictures.
        Without it every picture counts once and B is 1.

    Notes
    -----
    Precision only rises at a hit, so the envelope is read off at the hits alone; that is what makes resamples cheap.
    """
    if weights is None:
        weights = np.ones((matches.n_pictures, 1))
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    result = np.full((len(matches.thresholds), len(matches.labels), weights.shape[1]), np.nan)
    for label in range(len(matches.labels)):
        there = matches.truth_picture[matches.truth_label == label]
        if len(there):
            for start in range(0, weights.shape[1], WIDTH):
                part = slice(start, start + WIDTH)
                result[:, label, part] = _of_label(matches, label, there, weights[:, part])
    return result


def mean_over_labels(table: Array) -> Array:
    """Mean over axis 1 (labels) and then axis 0 (thresholds) of a table (T, labels, B), labels without objects left out."""
    there = ~np.isnan(table)
    n = there.sum(axis=1)
    sums = np.where(there, table, 0.0).sum(axis=1)
    means = np.divide(sums, n, out=np.full(sums.shape, np.nan), where=n > 0)
    result: Array = means.mean(axis=0)
    return result


def _of_label(matches: Matches, label: int, there: Array, weights: Array) -> Array:
    """(T, B) of one label."""
    rows = matches.of_label(label)
    hit, ignored, picture = matches.hit[rows], matches.ignored[rows], matches.picture[rows]
    n_truths = weights[there].sum(axis=0)
    result = np.zeros((hit.shape[1], weights.shape[1]))
    places = np.flatnonzero(hit.any(axis=1))
    if len(places):
        given = _running(places, picture, np.arange(places[-1] + 1), weights)
        of_hits = weights[picture[places]]
        for t in range(hit.shape[1]):
            now = np.flatnonzero(hit[places, t])
            beside = np.flatnonzero(ignored[: places[-1] + 1, t])
            so_far = given[now] - (_running(places[now], picture, beside, weights) if len(beside) else 0.0)
            result[t] = _area(of_hits[now], so_far, n_truths)
    return np.where(n_truths > 0, result, np.nan)


def _running(places: Array, picture: Array, rows: Array, weights: Array) -> Array:
    """Summed weights of the detections ``rows`` that stand at or before each of ``places``, (places, B)."""
    from scipy.sparse import csr_matrix

    step = np.searchsorted(places, rows)
    rows, step = rows[step < len(places)], step[step < len(places)]
    shape = (len(places), len(weights))
    counts: Any = csr_matrix((np.ones(len(rows)), (step, picture[rows])), shape=shape)
    return np.cumsum(counts @ weights, axis=0)


def _area(hits: Array, given: Array, n_truths: Array) -> Array:
    """Mean of the precision at the 101 recalls, (B,), from weights of the hits and of all given so far, both (hits, B)."""
    if not len(hits):
        return np.zeros(hits.shape[1])
    right = np.cumsum(hits, axis=0)
    precision = right / np.maximum(given, 1e-300)  # nothing given, nothing right: 0
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    recall = np.divide(right, n_truths, out=np.zeros_like(right), where=n_truths > 0)
    reached = (recall * 100 + 1e-6).astype(np.int64)
    reached += RECALLS[reached] <= recall
    steps = np.diff(reached, axis=0, prepend=0)
    area: Array = (envelope * steps).sum(axis=0) / len(RECALLS)
    return area
