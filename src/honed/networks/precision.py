"""Which number format this machine computes fastest in: bf16 only where a short timing test agrees."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

FEWEST = 3
"""Timings of each format at least, of which the fastest counts: other programs disturb some of them."""
GAIN = 1.15
"""bf16 must be at least this many times faster than fp32 to be worth its rounding."""


def autocast(precision: str, device: str = "cpu") -> AbstractContextManager[Any]:
    """A context in which matrix products run in the given format ("fp32" or "bf16")."""
    if precision == "bf16":
        return torch.autocast(device, dtype=torch.bfloat16)
    return nullcontext()


def exact_convolutions(device: str = "cpu") -> AbstractContextManager[Any]:
    """A context in which graphics cards compute convolutions in float32 with all its digits, as everything else in float32."""
    if device != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)  # type: ignore[no-any-return,no-untyped-call]


def bf16_possible(device: str = "cpu") -> bool:
    """True where the hardware computes bf16 natively (emulated bf16 is slower than fp32)."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device != "cpu":
        return False
    amx, avx = getattr(torch.cpu, "_is_amx_tile_supported", None), getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool((amx and amx()) or (avx and avx()))


def choose(work: Callable[[], Any], device: str = "cpu", budget_s: float = 1.5) -> tuple[str, str]:
    """Time a piece of real work in both formats, alternating, and return the format with the reason."""
    if not bf16_possible(device):
        return "fp32", "this processor has no bf16"
    seconds: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for precision in seconds:
        _timed(work, precision, device)
    end = time.perf_counter() + budget_s
    while len(seconds["bf16"]) < FEWEST or (time.perf_counter() < end and len(seconds["bf16"]) < 7):
        for precision, found in seconds.items():
            found.append(_timed(work, precision, device))
    ratio = min(seconds["fp32"]) / min(seconds["bf16"])
    better = "bf16" if ratio >= GAIN else "fp32"
    return better, f"a timing test here found bf16 {ratio:.1f} times as fast as fp32"


def _timed(work: Callable[[], Any], precision: str, device: str) -> float:
    begin = time.perf_counter()
    with autocast(precision, device):
        work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin
