"""Masks as run lengths in the compressed text of COCO, which annotation files and figures of quality are written in.

The runs go down the columns, begin with the background, and each but the first three is stored as the difference from
the one two before, five bits to a letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def text_of_counts(counts: Sequence[int]) -> str:
    """Run lengths as text."""
    rest = np.asarray(counts, dtype=np.int64).copy()
    rest[3:] -= np.asarray(counts, dtype=np.int64)[1:-2]
    letters: list[Array] = []
    going = np.ones(len(rest), dtype=bool)
    while going.any():
        bits = rest & 0x1F
        rest >>= 5
        more = going & np.where(bits & 0x10, rest != -1, rest != 0)
        letters.append(np.where(going, np.where(more, bits | 0x20, bits) + 48, 0))
        going = more
    rows = np.stack(letters, axis=1).astype(np.uint8) if letters else np.empty(0, np.uint8)
    return rows[rows > 0].tobytes().decode("ascii")


def counts_of_text(text: str) -> list[int]:
    """Run lengths from text.

    Raises
    ------
    ValueError
        It ends within a number, or holds letters or runs that cannot be.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"no letter of a mask: {letter!r}")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value |= -1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift or any(count < 0 for count in counts):
        raise ValueError("a mask that ends within a number or has negative runs")
    return counts


def mask_of(text: str, height: int, width: int) -> Array:
    """The mask, bool (height, width).

    Raises
    ------
    ValueError
        The runs do not add up to height x width.
    """
    counts = counts_of_text(text)
    if sum(counts) != height * width:
        raise ValueError(f"the mask has {sum(counts)} pixels, the picture {height * width}")
    inside = np.arange(len(counts)) % 2 == 1
    mask: Array = np.repeat(inside, counts).reshape(width, height).T
    return mask


def text_of_mask(mask: Array) -> str:
    """The compressed text of a mask, bool (height, width)."""
    flat = np.asarray(mask, dtype=bool).T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()
    return text_of_counts([0, *counts] if len(flat) and flat[0] else counts)
