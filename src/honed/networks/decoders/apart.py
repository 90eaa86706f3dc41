"""Attention of texts that lie end to end in one row: each to itself alone, computed in groups of like length."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

LONGEST_PLAIN = 768
"""Tokens up to which plain products of matrices are faster on a CPU than torch's fused attention, whose way back is slow there:
2.3 to 3.8 times in bf16 for 93 to 400 tokens, about equal in float32."""


class Apart:
    """Who sees whom in a row of texts; takes the place of a mask.

    Parameters
    ----------
    slots : tensor of int64 (places,)
        For every place of the groups, written one after another and padded on the right, the token of the row; -1 for padding.
    back : tensor of int64 (tokens,)
        The place of each token of the row.
    sizes : tensor of int64 (groups, 2)
        Texts and padded length of each group.
    window : int
        A token sees this many at most, itself included; 0 for all before it.
    """

    def __init__(self, slots: Tensor, back: Tensor, sizes: Tensor, window: int = 0) -> None:
        self.there = slots >= 0
        self.slots, self.back, self.window = slots.clamp(min=0), back, window
        self.sizes: list[list[int]] = sizes.tolist()
        self._biases: dict[tuple[int, torch.dtype], Tensor] = {}

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """What each token of the row takes, (1, tokens, heads, width), from queries and keys of the same form."""
        parts = [_Moved.apply(one[0], self.slots, self.back, self.there) for one in (queries, keys, values)]
        found, start = [], 0
        for n, length in self.sizes:
            end = start + n * length
            group = [part[start:end].view(n, length, *part.shape[1:]).transpose(1, 2) for part in parts]
            found.append(self._group(*group).transpose(1, 2).reshape(n * length, *queries.shape[2:]))
            start = end
        whole = torch.cat(found) if len(found) > 1 else found[0]
        moved: Tensor = _Back.apply(whole, self.slots, self.back, self.there)
        return moved[None]

    def _group(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attention (n, heads, length, width); padding stands behind every text, where no token of it looks."""
        length, shared = queries.shape[2], queries.shape[1] // keys.shape[1]
        if queries.device.type != "cpu" or length > LONGEST_PLAIN:
            mask = (self._bias(length, queries) == 0) if self.window else None
            return functional.scaled_dot_product_attention(
                queries, keys, values, attn_mask=mask, is_causal=mask is None, enable_gqa=shared > 1
            )
        if shared > 1:
            keys, values = (one.repeat_interleave(shared, dim=1) for one in (keys, values))
        scores = (queries * (1.0 / math.sqrt(queries.shape[-1]))) @ keys.transpose(2, 3)
        return torch.softmax(scores + self._bias(length, scores), dim=-1, dtype=scores.dtype) @ values

    def _bias(self, length: int, like: Tensor) -> Tensor:
        """0 where a token may look, minus infinity elsewhere, (length, length)."""
        key = length, like.dtype
        if key not in self._biases:
            far = torch.arange(length, device=like.device)
            far = far[:, None] - far
            seen = (far >= 0) & (far < self.window) if self.window else far >= 0
            bias = torch.zeros(length, length, dtype=like.dtype, device=like.device)
            self._biases[key] = bias.masked_fill(~seen, float("-inf"))
        return self._biases[key]


class _Moved(torch.autograd.Function):
    """Tokens of a row to their places in groups; the way back is a look-up too, for every token has one place."""

    @staticmethod
    def forward(ctx: Any, row: Tensor, slots: Tensor, back: Tensor, there: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return row.index_select(0, slots)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (back,) = ctx.saved_tensors
        return gradients[0].index_select(0, back), None, None, None


class _Back(torch.autograd.Function):
    """The inverse of :class:`_Moved`; padding gets no gradient."""

    @staticmethod
    def forward(ctx: Any, places: Tensor, slots: Tensor, back: Tensor, there: Tensor) -> Tensor:
        ctx.save_for_backward(slots, there)
        return places.index_select(0, back)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        slots, there = ctx.saved_tensors
        found = gradients[0].index_select(0, slots)
        return found.masked_fill_(~there[:, None, None], 0), None, None, None
