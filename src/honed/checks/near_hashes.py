"""Hashes of 64 bits that differ in a few bits find each other without comparing every pair.

Multi-index hashing (Norouzi, Punjani and Fleet, *Fast exact search in Hamming space*, 2014): of four bands of 16 bits, two
hashes that differ in at most 7 bits differ in at most one bit of some band, so each band is looked up with each of its
bits flipped once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
BANDS, WIDTH = 4, 16
FURTHEST = 2 * BANDS - 1
"""Bits in which two hashes may differ so that all such pairs are found."""
MOST_ALIKE = 2_000
"""Hashes with one value in a band that are compared with a looked-up one: thousands of pictures of one scene would
otherwise be compared each with each."""
AT_ONCE = 2_000_000


def near_pairs(wanted: Array, known: Array, within: int) -> Iterator[tuple[Array, Array]]:
    """Positions (in ``wanted``, in ``known``) of pairs that differ in at most ``within`` bits, a block at a time.

    Parameters
    ----------
    wanted, known : uint64 arrays (n,) and (m,)
    within : int
        At most 7. A pair may come several times.
    """
    if within > FURTHEST:
        raise ValueError(f"pairs further apart than {FURTHEST} bits would be missed")
    for band in range(BANDS):
        shift = np.uint64(band * WIDTH)
        values = _band(known, shift)
        order = np.argsort(values, kind="stable")
        begins = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=1 << WIDTH))])
        looked_up = _band(wanted, shift)
        for flip in (0, *(1 << bit for bit in range(WIDTH))):
            keys = looked_up ^ flip
            counts = np.minimum(begins[keys + 1] - begins[keys], MOST_ALIKE)
            for rows, places in _expanded(begins[keys], counts):
                others = order[places]
                close = np.bitwise_count(wanted[rows] ^ known[others]) <= within
                if close.any():
                    yield rows[close], others[close]


def _band(hashes: Array, shift: np.uint64) -> Array:
    return ((hashes >> shift) & np.uint64((1 << WIDTH) - 1)).astype(np.int64)


def _expanded(begins: Array, counts: Array) -> Iterator[tuple[Array, Array]]:
    """Row i with each of the places begins[i], ..., begins[i] + counts[i] - 1; about ``AT_ONCE`` at a time."""
    filled = np.flatnonzero(counts)
    ends = np.cumsum(counts[filled])
    start = 0
    while start < len(filled):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + AT_ONCE, side="right")))
        rows = filled[start:stop]
        repeated = np.repeat(rows, counts[rows])
        within = np.arange(len(repeated)) - np.repeat(ends[start:stop] - counts[rows] - before, counts[rows])
        yield repeated, np.repeat(begins[rows], counts[rows]) + within
        start = stop
