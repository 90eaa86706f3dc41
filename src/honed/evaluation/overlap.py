"""Rows of the test that the model has already seen: they are taken out of the claim."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from honed.tasks.contract import Input

_BLANKS = re.compile(r"[\W_]+")


def input_hash(row: Input) -> int:
    """A 64-bit number for an input; texts that differ in case, blanks or punctuation alone have the same."""
    parts = [row] if isinstance(row, str) else list(row) if isinstance(row, Sequence) else [row]
    plain = "\x1f".join(
        _BLANKS.sub(" ", part.lower()).strip() if isinstance(part, str) else repr(part) for part in parts
    )
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest(), "big")


def hashes(rows: Iterable[Input]) -> set[int]:
    """The hashes of many inputs."""
    return {input_hash(row) for row in rows}


def unseen(rows: Sequence[Input], seen: set[int]) -> Any:
    """True for rows that are not among those seen in training."""
    return np.array([input_hash(row) not in seen for row in rows], dtype=bool)
