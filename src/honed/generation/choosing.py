"""From logits to tokens: penalties, temperature, top-k, top-p, min-p and seeded draws, for all rows of a step at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from honed.generation.reader import Logits
from honed.generation.row import Row

FIRST_CANDIDATES = 512
"""Tokens looked at first for top_p and min_p; the whole vocabulary is sorted only where they do not hold enough."""
Floats = NDArray[np.float64]


def adjusted(logits: Logits, rows: Sequence[Row]) -> Logits:
    """A copy of the logits with biases, penalties and wanted forms applied to the rows that ask for them."""
    found = logits.copy()
    for place, row in enumerate(rows):
        settings = row.settings
        if settings.logit_bias:
            ids, values = row.bias
            found[place, ids] += values
        if settings.repetition_penalty != 1:
            ids = np.fromiter(row.seen, np.int64, len(row.seen))
            old = found[place, ids]
            found[place, ids] = np.where(old < 0, old * settings.repetition_penalty, old / settings.repetition_penalty)
        if settings.presence_penalty or settings.frequency_penalty:
            ids = np.fromiter(row.counts, np.int64, len(row.counts))
            times = np.fromiter(row.counts.values(), np.float32, len(row.counts))
            found[place, ids] -= settings.presence_penalty + settings.frequency_penalty * times
        if row.form is not None:
            found[place, ~row.form.allowed(found.shape[1])] = -np.inf
    return found


def chosen(logits: Logits, rows: Sequence[Row]) -> list[int]:
    """The next token of each row; logits are adjusted already."""
    ids: list[int] = logits.argmax(axis=1).tolist()
    drawing = [place for place, row in enumerate(rows) if row.settings.temperature > 0]
    if drawing:
        some = [rows[place] for place in drawing]
        for place, token in zip(drawing, _drawn(logits[drawing], some), strict=True):
            ids[place] = token
    return ids


def _drawn(logits: Logits, rows: Sequence[Row]) -> list[int]:
    heat = np.array([row.settings.temperature for row in rows], dtype=np.float64)[:, None]
    scaled = logits.astype(np.float64) / heat
    scaled -= scaled.max(axis=1, keepdims=True)
    draws = np.array([row.draws.next() for row in rows])[:, None]
    limits = [(row.settings.top_k, row.settings.top_p, row.settings.min_p) for row in rows]
    if all(limit == (0, 1.0, 0.0) for limit in limits):
        return _by_share(np.exp(scaled), draws)
    ids, shares = _likeliest(scaled, limits)
    places = _by_share(_limited(shares, limits), draws)
    return [int(ids[row, place]) for row, place in enumerate(places)]


def _by_share(weights: Floats, draws: Floats) -> list[int]:
    """The position in each row where the running sum of the weights passes its draw."""
    sums = np.cumsum(weights, axis=1)
    places = (sums <= draws * sums[:, -1:]).sum(axis=1)
    last = weights.shape[1] - 1 - (weights[:, ::-1] > 0).argmax(axis=1)
    found: list[int] = np.minimum(places, last).tolist()
    return found


def _likeliest(scaled: Floats, limits: Sequence[tuple[int, float, float]]) -> tuple[NDArray[np.int64], Floats]:
    """Ids and shares of the likeliest tokens of each row, the likeliest first; enough of them for the limits."""
    n_tokens = scaled.shape[1]
    whole = np.exp(scaled)
    total = whole.sum(axis=1, keepdims=True)
    counts = [top_k for top_k, _, _ in limits]
    n = max(counts) if all(counts) else FIRST_CANDIDATES
    if n < n_tokens // 2:
        part = np.sort(np.argpartition(-scaled, n - 1, axis=1)[:, :n], axis=1)
        shares = np.take_along_axis(whole, part, axis=1) / total
        order = np.argsort(-shares, axis=1, kind="stable")
        ids, shares = np.take_along_axis(part, order, axis=1), np.take_along_axis(shares, order, axis=1)
        if all(_enough(shares[row], limit) for row, limit in enumerate(limits)):
            return ids, shares
    ids = np.argsort(-scaled, axis=1, kind="stable")
    return ids, np.take_along_axis(whole / total, ids, axis=1)


def _enough(shares: Floats, limit: tuple[int, float, float]) -> bool:
    """True where nothing beyond these candidates could be drawn."""
    top_k, top_p, min_p = limit
    by_share = top_p < 1 and shares.sum() >= top_p
    by_likeliest = min_p > 0 and shares[-1] < min_p * shares[0]
    return bool(0 < top_k <= len(shares) or by_share or by_likeliest)


def _limited(shares: Floats, limits: Sequence[tuple[int, float, float]]) -> Floats:
    """Shares, sorted, with those beyond the limits set to 0."""
    found = shares.copy()
    place = np.arange(found.shape[1])
    for row, (top_k, top_p, min_p) in enumerate(limits):
        if top_k:
            found[row, place >= top_k] = 0
            found[row] /= found[row].sum()
        if top_p < 1:
            before = np.cumsum(found[row]) - found[row]
            found[row, (before >= top_p) & (place > 0)] = 0
        if min_p:
            found[row, found[row] < min_p * found[row, 0]] = 0
    return found


def log_softmax(logits: Logits) -> Floats:
    """Logarithms of the probabilities of all tokens, from the logits of one place."""
    wide = logits.astype(np.float64)
    wide -= wide.max()
    wide -= np.log(np.exp(wide).sum())
    return wide


def log_shares(logits: Logits, token: int, n: int) -> tuple[float, tuple[tuple[int, float], ...]]:
    """Logarithm of the probability of a token, and of the ``n`` likeliest ones."""
    if not n:
        most = logits.max()
        return float(logits[token] - most) - math.log(np.exp(logits - most).sum(dtype=np.float64)), ()
    wide = log_softmax(logits)
    n = min(n, len(wide))
    best = np.sort(np.argpartition(-wide, n - 1)[:n])
    best = best[np.argsort(-wide[best], kind="stable")]
    return float(wide[token]), tuple((int(one), float(wide[one])) for one in best)
