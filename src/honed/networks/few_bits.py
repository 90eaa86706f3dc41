"""Frozen linear layers held in 8 or 4 bits while adapters learn beside them, in blocks that each have a scale.

The base is rounded once; adapters learn on what is left of it, so what is saved is what was trained (Dettmers et al., *QLoRA*, 2023;
here with evenly spaced steps, on any device).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

BLOCK = 64


class FewBits(nn.Module):
    """A linear layer that is read, never learnt.

    Parameters
    ----------
    layer : Linear
    bits : int
        8 or 4.
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, layer: nn.Linear, bits: int) -> None:
        super().__init__()
        self.bits, self.in_features, self.out_features = bits, layer.in_features, layer.out_features
        codes, scales = rounded(layer.weight.detach(), bits)
        self.register_buffer("codes", codes, persistent=False)
        self.register_buffer("scales", scales, persistent=False)
        self.bias = layer.bias

    @property
    def weight(self) -> Tensor:
        """The weights as they are used, float32."""
        return unrounded(self.codes, self.scales, self.bits, self.in_features, torch.float32)

    def forward(self, rows: Tensor) -> Tensor:
        """rows @ weight.T + bias; only the codes are kept for the way back."""
        kind = rows.device.type
        if torch.is_autocast_enabled(kind):
            rows = rows.to(torch.get_autocast_dtype(kind))
        found: Tensor = _Product.apply(rows, self.codes, self.scales, self.bits)
        return found if self.bias is None else found + self.bias.to(found.dtype)

    def plain(self) -> nn.Linear:
        """The layer with weights of float32 again."""
        layer = nn.Linear(self.in_features, self.out_features, bias=False, device="meta")
        layer.weight, layer.bias = nn.Parameter(self.weight), self.bias  # type: ignore[assignment]
        return layer


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, codes: Tensor, scales: Tensor, bits: int) -> Tensor:
        ctx.save_for_backward(codes, scales)
        ctx.bits, ctx.columns = bits, rows.shape[-1]
        return rows @ unrounded(codes, scales, bits, rows.shape[-1], rows.dtype).T

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        codes, scales = ctx.saved_tensors
        above = gradients[0]
        return above @ unrounded(codes, scales, ctx.bits, ctx.columns, above.dtype), None, None, None


def rounded(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Codes (rows, bytes) and scales (rows, blocks, 1) of a weight (rows, columns), the last block filled up with zeros."""
    n = -(-weight.shape[1] // BLOCK)
    blocks = nn.functional.pad(weight.float(), (0, n * BLOCK - weight.shape[1])).view(len(weight), n, BLOCK)
    most = 2 ** (bits - 1) - 1
    scales = (blocks.abs().amax(dim=2, keepdim=True) / most).clamp(min=1e-12)
    codes = (blocks / scales).round_().to(torch.int8).view(len(weight), -1)
    if bits == 4:
        codes = (codes[:, 0::2] + 8) | ((codes[:, 1::2] + 8) << 4)
    return codes, scales


def unrounded(codes: Tensor, scales: Tensor, bits: int, columns: int, dtype: torch.dtype) -> Tensor:
    """The weight (rows, columns) that codes stand for."""
    if bits == 4:
        codes = torch.stack([(codes & 15) - 8, ((codes >> 4) & 15) - 8], dim=-1).view(len(codes), -1)
    blocks = codes.view(len(codes), -1, BLOCK).to(dtype) * scales.to(dtype)
    return blocks.view(len(codes), -1)[:, :columns]
