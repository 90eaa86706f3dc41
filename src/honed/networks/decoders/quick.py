"""Linear layers that train fast on a CPU: products by oneDNN, in float32 or with inputs rounded to bf16."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from honed.networks.products import dnn_operator, dnn_pays

PRODUCTS = ("torch", "onednn", "bf16")
"""Kinds of products: torch's own; float32 by oneDNN; bf16 inputs, added up and kept in float32."""


def quicken(network: nn.Module, products: str) -> nn.Module:
    """Let the linear layers of a network compute by this kind of products; weights and their names stay as they are.

    On another device than the CPU "bf16" is left to autocast, and the layers stay as they are.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.__dict__.pop("forward", None)
            if products != "torch":
                module.forward = partial(_forward, module, _BY[products])  # type: ignore[method-assign]
    return network


def fastest_float32() -> str:
    """What computes products in float32 fastest on this processor: told by its maker, see ``networks/products.py``."""
    return "onednn" if dnn_pays() else "torch"


def _forward(module: nn.Linear, product: Any, rows: Tensor) -> Tensor:
    found: Tensor = product.apply(rows.reshape(-1, rows.shape[-1]), module.weight)
    found = found.view(*rows.shape[:-1], -1)
    return found if module.bias is None else found + module.bias


def _dnn(rows: Tensor, weight: Tensor) -> Tensor:
    """rows @ weight.T in float32 by oneDNN."""
    found: Tensor = dnn_operator()(rows, weight, None, "none", [], "")
    return found


class _ByOneDnn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _dnn(rows, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        rows, weight = ctx.saved_tensors
        above = gradients[0]
        return _dnn(above, weight.T), _dnn(above.T.contiguous(), rows.T)


class _InBf16(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor) -> Tensor:
        rows, weight = rows.bfloat16(), weight.bfloat16()
        ctx.save_for_backward(rows, weight)
        return (rows @ weight.T).float()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        rows, weight = ctx.saved_tensors
        above = gradients[0].bfloat16()
        return (above @ weight).float(), (above.T @ rows).float()


_BY: dict[str, Any] = {"onednn": _ByOneDnn, "bf16": _InBf16}
