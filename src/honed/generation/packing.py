"""Weights in few bits: blocks of numbers with one scale each, as ONNX Runtime's MatMulNBits reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 32


def packed(weight: NDArray[np.float32], bits: int) -> tuple[Any, Any, int]:
    """Codes (rows, blocks, bytes) and scales (rows x blocks) of a weight (rows, columns), and the size of a block.

    A block's largest number is kept exactly; the rest is rounded to steps of its scale. Columns are filled up with zeros.
    """
    rows, columns = weight.shape
    n = -(-columns // BLOCK)
    blocks = np.zeros((rows, n * BLOCK), dtype=np.float32)
    blocks[:, :columns] = weight
    blocks = blocks.reshape(rows, n, BLOCK)
    most = 2 ** (bits - 1)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2)[..., None], axis=2)[..., 0]
    scales = largest / -most
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(scales[..., None] != 0, blocks / scales[..., None], 0)
    codes = np.clip(np.rint(steps) + most, 0, 2 * most - 1).astype(np.uint8)
    if bits == 4:
        codes = codes[..., 0::2] | (codes[..., 1::2] << 4)
    return np.ascontiguousarray(codes), np.ascontiguousarray(scales.reshape(-1).astype(np.float32)), BLOCK
