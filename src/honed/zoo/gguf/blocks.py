"""How ggml packs numbers into blocks, and how they are unpacked into float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Packing:
    """One way to pack: its name, how many numbers a block holds in how many bytes, and what unpacks (n, bytes) to (n, numbers)."""

    name: str
    numbers: int
    n_bytes: int
    unpack: Callable[[Bytes], Floats]


def unpacked(kind: int, data: Bytes) -> Floats:
    """All numbers of a stretch of whole blocks, flat, float32."""
    packing = BLOCKS[kind]
    return packing.unpack(data.reshape(-1, packing.n_bytes)).reshape(-1)


def _plain(dtype: Any) -> Callable[[Bytes], Floats]:
    return lambda blocks: np.ascontiguousarray(blocks).view(dtype).astype(np.float32)


def _bf16(blocks: Bytes) -> Floats:
    wide = np.ascontiguousarray(blocks).view("<u2").astype(np.uint32) << 16
    return wide.view(np.float32)


def _half(blocks: Bytes, start: int) -> Floats:
    """The half-precision number at a place of each block, (n, 1)."""
    return np.ascontiguousarray(blocks[:, start : start + 2]).view("<f2").astype(np.float32)


def _q8_0(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _q4_0(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * (_nibbles(blocks[:, 2:]).astype(np.float32) - 8.0)


def _q4_1(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * _nibbles(blocks[:, 4:]).astype(np.float32) + _half(blocks, 2)


def _q5_0(blocks: Bytes) -> Floats:
    whole = _fifth_bit(blocks[:, 2:6]) | _nibbles(blocks[:, 6:])
    return _half(blocks, 0) * (whole.astype(np.float32) - 16.0)


def _q5_1(blocks: Bytes) -> Floats:
    whole = (_fifth_bit(blocks[:, 4:8]) | _nibbles(blocks[:, 8:])).astype(np.float32)
    return _half(blocks, 0) * whole + _half(blocks, 2)


def _nibbles(packed: Bytes) -> Bytes:
    """First the low halves of all bytes, then the high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=1)


def _fifth_bit(packed: Bytes) -> Bytes:
    """Bit i of four bytes, times 16, for number i of a block of 32."""
    bits = np.unpackbits(np.ascontiguousarray(packed), axis=1, bitorder="little")
    return bits * np.uint8(16)


def _scales_of_k(packed: Bytes) -> tuple[Floats, Floats]:
    """The eight scales and eight minima of 6 bits in 12 bytes, each (n, 8)."""
    low, middle, high = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([low & 63, (high & 15) | ((low >> 6) << 4)], axis=1)
    minima = np.concatenate([middle & 63, (high >> 4) | ((middle >> 6) << 4)], axis=1)
    return scales.astype(np.float32), minima.astype(np.float32)


def _q4_k(blocks: Bytes) -> Floats:
    scales, minima = _scales_of_k(blocks[:, 4:16])
    packed = blocks[:, 16:].reshape(-1, 4, 1, 32)
    numbers = np.concatenate([packed & 15, packed >> 4], axis=2).reshape(-1, 8, 32).astype(np.float32)
    return _scaled_and_lowered(blocks, scales, minima, numbers)


def _q5_k(blocks: Bytes) -> Floats:
    scales, minima = _scales_of_k(blocks[:, 4:16])
    packed = blocks[:, 48:].reshape(-1, 4, 1, 32)
    low = np.concatenate([packed & 15, packed >> 4], axis=2).reshape(-1, 8, 32)
    bits = (blocks[:, 16:48].reshape(-1, 1, 32) >> np.arange(8, dtype=np.uint8)[None, :, None]) & 1
    return _scaled_and_lowered(blocks, scales, minima, (low | (bits << 4)).astype(np.float32))


def _scaled_and_lowered(blocks: Bytes, scales: Floats, minima: Floats, numbers: Floats) -> Floats:
    scale, least = _half(blocks, 0) * scales, _half(blocks, 2) * minima
    return (scale[:, :, None] * numbers - least[:, :, None]).reshape(len(blocks), 256)


def _q6_k(blocks: Bytes) -> Floats:
    low = blocks[:, :128].reshape(-1, 2, 1, 64)
    low = np.concatenate([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    high = (blocks[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[None, None, :, None]) & 3
    numbers = (low | (high << 4)).astype(np.float32).reshape(-1, 16, 16) - 32.0
    scale = _half(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return (scale[:, :, None] * numbers).reshape(len(blocks), 256).astype(np.float32)


BLOCKS = {
    0: Packing("F32", 1, 4, _plain("<f4")),
    1: Packing("F16", 1, 2, _plain("<f2")),
    2: Packing("Q4_0", 32, 18, _q4_0),
    3: Packing("Q4_1", 32, 20, _q4_1),
    6: Packing("Q5_0", 32, 22, _q5_0),
    7: Packing("Q5_1", 32, 24, _q5_1),
    8: Packing("Q8_0", 32, 34, _q8_0),
    12: Packing("Q4_K", 256, 144, _q4_k),
    13: Packing("Q5_K", 256, 176, _q5_k),
    14: Packing("Q6_K", 256, 210, _q6_k),
    30: Packing("BF16", 1, 2, _bf16),
}
"""By ggml's number."""
