"""Pictures that are the same or nearly so: re-encoded, made larger or smaller, a little brighter or darker.

Colour plays no part, and 32 x 32 greys show no small detail: pictures of one fixed camera, or pages of one form, are near
copies of each other, even where a lamp or a scratch makes the difference. So near copies belong on one side of a split;
whether they may be counted as errors of labels is for the caller to ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from honed.checks.near_hashes import near_pairs
from honed.data.pictures import Source, in_threads, open_picture
from honed.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
Picture = Source | Array
"""A path, the bytes of a file, or RGB pixels (height, width, 3), uint8."""
SIDE, BITS, WORDS = 32, 64, 5
APART, EDGES_APART = 6, 48
"""How many of the 64 bits of the waves and of the 256 bits of the edges may differ. Measured on 300 photographs, copies
at JPEG quality 30, half or twice the size, 15 % brighter or darker differ in at most 6 and 15; of 71,000 pairs of
different photographs one in 10,000 differs in fewer than 15 and 56. Of 594 pairs so found among 60,000 pictures of
32 x 32 pixels about one in fifty was no copy, by eye."""
STEP = 0.1
"""Part of the spread of a picture's greys by which one spot must be brighter than the next to count as an edge."""
PLAIN = 2.0
"""Grey levels: a picture that varies by less shows too little to be told from another."""


def sketches(pictures: Sequence[Picture], *, lost_as_plain: bool = False) -> Array:
    """What is kept of pictures to know near copies of them again, uint64 (n, 5): 40 bytes each, from which no picture
    can be made.

    The first number holds the signs of the 64 slowest waves of a discrete cosine transform of the picture at 32 x 32 greys
    (Zauner, *Implementation and benchmarking of perceptual image hash functions*, 2010); the other four say for each
    of 16 x 16 spots whether it is brighter than the next, and confirm. All zeros: the picture is plain.

    Raises
    ------
    DataError [D001, D060, D061, D062]
        A picture cannot be opened; with ``lost_as_plain`` it is taken for a plain one.
    """
    if not len(pictures):
        return np.empty((0, WORDS), dtype=np.uint64)
    return sketches_of_greys(np.stack(in_threads(_greys_or_plain if lost_as_plain else small_greys, pictures)))


def _greys_or_plain(picture: Picture) -> Array:
    try:
        return small_greys(picture)
    except DataError:
        return np.zeros((SIDE, SIDE), dtype=np.float32)


def small_greys(picture: Picture) -> Array:
    """The picture as 32 x 32 greys, float32."""
    pixels = picture if isinstance(picture, np.ndarray) else open_picture(picture, at_least=(2 * SIDE, 2 * SIDE))
    grey = Image.fromarray(pixels).convert("L")
    how = Image.Resampling.BOX if min(grey.size) >= SIDE else Image.Resampling.BILINEAR
    return np.asarray(grey.resize((SIDE, SIDE), how), dtype=np.float32)


def sketches_of_greys(greys: Array) -> Array:
    """Sketches, uint64 (n, 5), of pictures given as greys, float (n, 32, 32)."""
    from scipy.fft import dctn

    waves = dctn(greys, axes=(1, 2), norm="ortho")[:, *_slowest()]
    signs = waves > np.median(waves, axis=1, keepdims=True)
    spots = greys.reshape(-1, SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4))
    spread = greys.std(axis=(1, 2))
    steps = spots - np.roll(spots, -1, axis=2) > STEP * spread[:, None, None]
    bits = np.concatenate([signs, steps.reshape(len(greys), -1)], axis=1)
    bits[spread < PLAIN] = False
    found: Array = np.packbits(bits, axis=1).view(np.uint64)
    return found


def _slowest() -> tuple[Array, Array]:
    """Rows and columns of the 64 slowest waves, without the mean."""
    rows, columns = np.indices((SIDE // 2, SIDE // 2)).reshape(2, -1)
    order = np.lexsort((rows, rows + columns))[1 : BITS + 1]
    return rows[order], columns[order]


def cluster_near_duplicates(found: Array, contents: Array | None = None) -> Array:
    """Cluster number of every picture (int64, from 0 as they first occur), -1 for pictures without a near copy.

    Parameters
    ----------
    found : uint64 array (n, 5)
        As :func:`sketches` gives it. Plain pictures join no cluster by their sketch.
    contents : uint64 array (n,), optional
        Equal numbers for equal pictures: they are joined, plain ones too.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    distinct, codes = np.unique(found, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    first, second = _alike(distinct, distinct)
    plain: Array = distinct[:, 0] == 0
    nodes = np.where(plain[codes], len(distinct) + np.arange(len(codes)), codes)
    if contents is not None and len(contents):
        leaders = np.unique(contents, return_index=True, return_inverse=True)
        first = np.concatenate([first, nodes])
        second = np.concatenate([second, nodes[leaders[1][leaders[2]]]])
    size = len(distinct) + len(codes)
    graph = coo_matrix((np.ones(len(first), dtype=bool), (first, second)), shape=(size, size))
    roots = connected_components(graph, directed=False)[1][nodes] if size else nodes
    return _numbered(roots)


def _numbered(roots: Array) -> Array:
    """Groups of two and more numbered from 0 as they first occur, -1 for the others."""
    _, first, codes, counts = np.unique(roots, return_index=True, return_inverse=True, return_counts=True)
    together = np.flatnonzero(counts > 1)
    numbers = np.full(len(counts), -1, dtype=np.int64)
    numbers[together[np.argsort(first[together])]] = np.arange(len(together))
    result: Array = numbers[codes]
    return result


def nearly_seen(pictures: Sequence[Picture] | Array, known: Array) -> Array:
    """True for pictures that are a near copy of one of which ``known`` (uint64 (m, 5)) holds the sketch.

    ``pictures`` may be sketches themselves: a uint64 array (n, 5).
    """
    ready = isinstance(pictures, np.ndarray) and pictures.dtype == np.uint64
    found: Array = np.asarray(pictures) if ready else sketches(list(pictures))
    result = np.zeros(len(found), dtype=bool)
    result[_alike(found, known)[0]] = True
    return result


def _alike(wanted: Array, known: Array) -> tuple[Array, Array]:
    """Positions of the pairs whose waves and edges agree."""
    pairs = []
    for rows, others in near_pairs(wanted[:, 0], known[:, 0], APART):
        edges = np.bitwise_count(wanted[rows, 1:] ^ known[others, 1:]).sum(axis=1, dtype=np.int64)
        plain = (wanted[rows, 0] == 0) | (known[others, 0] == 0)
        good = (edges <= EDGES_APART) & ~plain
        pairs.append(np.stack([rows[good], others[good]]))
    first, second = np.concatenate(pairs, axis=1) if pairs else np.empty((2, 0), dtype=np.int64)
    return first, second
