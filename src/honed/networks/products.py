"""Matrix products in float32 by the library that is fast on this processor."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


def fast_products() -> AbstractContextManager[Any]:
    """A context in which linear layers on the CPU compute by oneDNN where torch's own choice is slow.

    torch computes products in float32 with Intel's MKL, which uses half of what other makers' processors can do. Answers
    differ by rounding alone. For prediction only: nothing in this context can be trained.
    """
    return _ByOneDnn() if dnn_pays() else nullcontext()


@cache
def dnn_pays() -> bool:
    """By the maker of the processor, not by a timing test: every process of a machine must round alike."""
    if platform.machine() not in ("x86_64", "AMD64") or not torch.backends.mkl.is_available():
        return False
    return torch.backends.mkldnn.is_available() and dnn_operator() is not None and "Intel" not in _maker()


def _maker() -> str:
    facts = Path("/proc/cpuinfo")
    if not facts.exists():
        return platform.processor()
    lines = facts.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line for line in lines if line.startswith("vendor_id")), "Intel, for all we know")


@cache
def dnn_operator() -> Any:
    """oneDNN's linear layer as torch's compiler calls it, or None in a torch without it."""
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


class _ByOneDnn(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.linear and not kwargs and _fits(*args):
            found: torch.Tensor = dnn_operator()(args[0], args[1], args[2] if len(args) > 2 else None, "none", [], "")
            return found
        return func(*args, **(kwargs or {}))


def _fits(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> bool:
    """True for plain float32 on the CPU, outside autocast (which rounds to bf16 and goes to oneDNN anyway)."""
    plain = all(
        type(one) in (torch.Tensor, torch.nn.Parameter) and one.dtype == torch.float32 and one.device.type == "cpu"
        for one in (rows, weight, bias)
        if one is not None
    )
    learning = torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    return plain and weight.dim() == 2 and rows.numel() > 0 and not learning and not torch.is_autocast_enabled("cpu")
