"""Written texts as rows of numbers, so that they travel like the outputs of every other network.

A row holds how many bytes the text has, the mean log-probability of its tokens, whether it came to its own end, and its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from honed.tasks.contract import Array

BYTES, SURE, ENDED, HEAD = 0, 1, 2, 3


def width_of(most_bytes: int) -> int:
    """Numbers in one row."""
    return HEAD + most_bytes


def pack(
    texts: Sequence[str], width: int, sure: Sequence[float] | None = None, ended: Sequence[bool] | None = None
) -> Array:
    """Rows (n, width) float32; a text too long for them is cut at a letter and did not end."""
    rows = np.zeros((len(texts), width), dtype=np.float32)
    for row, text in enumerate(texts):
        raw = text.encode("utf-8", "surrogatepass")
        kept = raw[: width - HEAD].decode("utf-8", "ignore").encode() if len(raw) > width - HEAD else raw
        rows[row, BYTES], rows[row, SURE] = len(kept), sure[row] if sure is not None else 0.0
        rows[row, ENDED] = (ended[row] if ended is not None else True) and len(kept) == len(raw)
        rows[row, HEAD : HEAD + len(kept)] = np.frombuffer(kept, dtype=np.uint8)
    return rows


def texts_of(rows: Array) -> list[str]:
    """The texts of rows."""
    found = np.asarray(rows)
    counts = found[:, BYTES].astype(int)
    return [
        row[HEAD : HEAD + n].astype(np.uint8).tobytes().decode("utf-8", "replace")
        for row, n in zip(found, counts, strict=True)
    ]
