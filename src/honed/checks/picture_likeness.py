"""Pictures that are nearly the same, found by two fingerprints of 64 bits each, without comparing every pair.

The first fingerprint keeps the signs of low frequencies (a discrete cosine transform of a small grey picture, Zauner,
*Implementation and benchmarking of perceptual image hash functions*, 2010), the second whether it grows brighter to the
right. Both hardly change when a picture is encoded again, resized, or made a little brighter.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from honed.data.pictures import in_threads, open_picture
from honed.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
SIDE, KEPT = 32, 8
ALIKE, ALIKE_SECOND = 6, 10
"""Bits that may differ in the first and in the second fingerprint of two pictures that are nearly the same."""
BANDS = 8
"""With 8 bands of 8 bits two fingerprints that differ in at most 6 bits agree in two of them."""
FLAT = 4.0
"""Standard deviation of grey below which a picture shows too little to be told from another."""
MOST_IN_BUCKET = 400


@cache
def _cosines() -> Array:
    place = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    return np.cos(np.outer(np.arange(1, KEPT + 1), place)).astype(np.float32)


def fingerprint(source: Any) -> tuple[int, int]:
    """Both fingerprints of a picture; (0, 0) for one that cannot be opened or shows nothing."""
    try:
        picture = open_picture(source, at_least=(2 * SIDE, 2 * SIDE))
    except DataError:
        return 0, 0
    grey = Image.fromarray(picture).convert("L")
    small = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32)
    if small.std() < FLAT:
        return 0, 0
    waves = _cosines() @ small @ _cosines().T
    coarse = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.float32)
    return _number(waves > np.median(waves)), _number(coarse[:, 1:] > coarse[:, :-1])


def _number(bits: Array) -> int:
    return int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big")


def fingerprints(sources: Sequence[Any]) -> Array:
    """Fingerprints (n, 2) uint64 of many pictures; zeros for those that have none."""
    return np.array(in_threads(fingerprint, sources), dtype=np.uint64).reshape(-1, 2)


def _alike(first: Array, second: Array) -> Array:
    a = np.bitwise_count(first[..., 0] ^ second[..., 0]) <= ALIKE
    return a & (np.bitwise_count(first[..., 1] ^ second[..., 1]) <= ALIKE_SECOND)


def _bands(prints: Array) -> Array:
    """The bytes of the first fingerprint, (n, 8)."""
    return prints[:, :1].astype(">u8").view(np.uint8)


def _pair_keys(prints: Array) -> list[Array]:
    """Keys of 16 bits, two bytes that lie side by side: what differs in 6 bits shares at least one of all pairs of bytes."""
    bands = _bands(prints).astype(np.int64)
    return [bands[:, i] * 256 + bands[:, j] for i in range(BANDS) for j in range(i + 1, BANDS)]


def clusters_of(prints: Array, codes: Array) -> Array:
    """Cluster of every picture (int64), -1 for those that no other is like; equal ``codes`` mean the same file."""
    there = np.flatnonzero(prints.any(axis=1))
    first: dict[int, int] = {}
    parents = np.array([first.setdefault(int(code), row) if code >= 0 else row for row, code in enumerate(codes)])
    for keys in _pair_keys(prints[there]) if len(there) > 1 else []:
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
        for start, end in zip(starts, np.append(starts[1:], len(order)), strict=True):
            if end - start > 1:
                _join(parents, prints, there[order[start : min(end, start + MOST_IN_BUCKET)]])
    roots = np.array([_root(parents, row) for row in range(len(parents))], dtype=np.int64)
    counts = np.bincount(roots, minlength=len(parents)) if len(parents) else np.zeros(0, dtype=np.int64)
    alone = counts[roots] < 2
    return np.where(alone, -1, np.unique(roots, return_inverse=True)[1]).astype(np.int64)


def _join(parents: Array, prints: Array, rows: Array) -> None:
    some = prints[rows]
    for a, b in zip(*np.nonzero(np.triu(_alike(some[:, None], some[None, :]), 1)), strict=True):
        first, second = _root(parents, int(rows[a])), _root(parents, int(rows[b]))
        parents[max(first, second)] = min(first, second)


def _root(parents: Array, row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = int(parents[row])
    return row


def nearly_known(prints: Array, known: Array) -> Array:
    """True for pictures that are nearly the same as one whose fingerprints are known."""
    result = np.zeros(len(prints), dtype=bool)
    if not len(known) or not len(prints):
        return result
    for keys, keys_known in zip(_pair_keys(prints), _pair_keys(known), strict=True):
        order = np.argsort(keys_known, kind="stable")
        ordered = keys_known[order]
        low, high = np.searchsorted(ordered, keys, "left"), np.searchsorted(ordered, keys, "right")
        for row in np.flatnonzero((high > low) & ~result & prints.any(axis=1)):
            result[row] = _alike(prints[row], known[order[low[row] : min(high[row], low[row] + MOST_IN_BUCKET)]]).any()
    return result
