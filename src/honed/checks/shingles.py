"""MinHash over groups of letters (Broder, 1997), vectorised: texts that are nearly the same find each other without
comparing every pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Array = np.ndarray[Any, np.dtype[Any]]
SHINGLE = 5
BANDS, ROWS = 6, 3
CHUNK_BYTES = 4_000_000
SHORTEST = 20
"""Shorter texts say too little: "thank you" is no duplicate of "thank you"."""
MOST_PAIRS = 300_000


def normalised(texts: pa.Array | pa.ChunkedArray, *, digits: bool = False) -> pa.Array:
    """Lower case, everything but letters and digits to single blanks; digits to 0 unless they are to be kept."""
    found = pc.utf8_lower(pc.fill_null(texts, ""))
    found = pc.replace_substring_regex(found, r"[^\p{L}\p{N}]+", " ")
    found = pc.utf8_trim_whitespace(found if digits else pc.replace_substring_regex(found, r"[0-9]", "0"))
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def cluster_near_duplicates(texts: Sequence[str] | pa.ChunkedArray, *, threshold: float = 0.8, seed: int = 0) -> Array:
    """Cluster number of every text (int64), -1 for texts without a near duplicate.

    Two texts are near duplicates when they share ``threshold`` of their groups of five letters (Jaccard), or are
    equal but for case, punctuation and digits.
    """
    arrow = pa.array(texts, type=pa.string()) if isinstance(texts, Sequence) else texts
    encoded = normalised(arrow).dictionary_encode()
    codes, distinct = np.asarray(encoded.indices), encoded.dictionary
    long_enough = np.asarray(pc.binary_length(distinct)) >= SHORTEST
    parents = _joined(distinct, long_enough, threshold, seed)
    roots = parents[codes]
    counts = np.bincount(roots, minlength=len(parents))
    alone = counts[roots] < 2
    return np.where(alone, -1, np.unique(roots, return_inverse=True)[1]).astype(np.int64)


def _joined(distinct: pa.Array, usable: Array, threshold: float, seed: int) -> Array:
    """For each distinct text the smallest number of its cluster (union-find over verified pairs)."""
    parents = np.arange(len(distinct))
    rows = np.flatnonzero(usable)
    if len(rows) < 2:
        return parents
    signatures = signatures_of(distinct.take(pa.array(rows)), seed)
    checked = 0
    for band in range(BANDS):
        keys = band_keys(signatures[:, band * ROWS : (band + 1) * ROWS])
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        for position in same.tolist():
            first, second = int(rows[order[position]]), int(rows[order[position + 1]])
            a, b = _root(parents, first), _root(parents, second)
            if a == b:
                continue
            checked += 1
            if checked > MOST_PAIRS:
                break
            if jaccard(distinct[first].as_py(), distinct[second].as_py()) >= threshold:
                parents[max(a, b)] = min(a, b)
    return np.array([_root(parents, row) for row in range(len(parents))]) if checked else parents


def _root(parents: Array, row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = int(parents[row])
    return row


def jaccard(first: str, second: str) -> float:
    """Share of common groups of five letters."""
    a = {first[i : i + SHINGLE] for i in range(max(1, len(first) - SHINGLE + 1))}
    b = {second[i : i + SHINGLE] for i in range(max(1, len(second) - SHINGLE + 1))}
    return len(a & b) / len(a | b)


def band_keys(part: Array) -> Array:
    """One number for each row of a few columns; equal rows have the same."""
    keys = part[:, 0].astype(np.uint64)
    for column in range(1, part.shape[1]):
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + part[:, column]
    return keys


def signatures_of(texts: pa.Array, seed: int, count: int = BANDS * ROWS) -> Array:
    """MinHash signatures (n, count) uint32 of texts of at least five bytes each."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(1, 2**63, count, dtype=np.uint64) | np.uint64(1)
    result = np.empty((len(texts), count), dtype=np.uint32)
    lengths = np.asarray(pc.binary_length(texts)).astype(np.int64)
    ends = np.cumsum(lengths)
    start = 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + CHUNK_BYTES, side="right")))
        data = np.frombuffer("".join(texts[start:stop].to_pylist()).encode(), dtype=np.uint8)
        result[start:stop] = _minima(data, lengths[start:stop], factors)
        start = stop
    return result


def _minima(data: Array, lengths: Array, factors: Array) -> Array:
    """For each text the smallest mixed hash of its groups, for each factor. Groups that run over the end of a text
    are given the largest value, so that they never win."""
    wide = np.concatenate([data, np.zeros(SHINGLE, np.uint8)]).astype(np.uint64)
    hashes = np.zeros(len(data), dtype=np.uint64)
    for offset in range(SHINGLE):
        hashes = (hashes * np.uint64(0x100000001B3)) ^ wide[offset : offset + len(data)]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    position = np.arange(len(data)) - np.repeat(starts, lengths)
    over = position > np.repeat(np.maximum(lengths - SHINGLE, 0), lengths)
    hashes ^= hashes >> np.uint64(29)
    columns = []
    for factor in factors:
        mixed = (hashes * factor) >> np.uint64(32)
        mixed[over] = np.uint64(0xFFFFFFFF)
        columns.append(np.minimum.reduceat(mixed, starts).astype(np.uint32))
    return np.stack(columns, axis=1)
