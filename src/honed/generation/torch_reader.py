"""Our decoder on torch: keys and values in pre-allocated slots, on any device and in any number format."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from honed.generation.reader import Ids, Logits
from honed.networks.decoders.decoder import Decoder
from honed.networks.products import fast_products

WORTH_IT = 64
"""Tokens in one pass from which choosing among libraries for products costs less than it gains."""
FIRST_ROOM = 256
"""Tokens each slot has room for at first; doubled when a text grows longer."""


class TorchReader:
    """See :class:`~honed.generation.reader.Reader`.

    Parameters
    ----------
    network : Decoder
    slots : int
    context : int, optional
        Fewer tokens than the network could read, to bound memory.
    """

    name = "torch"
    keeps = rewinds = True

    def __init__(self, network: Decoder, slots: int, context: int | None = None) -> None:
        self.network, self.slots = network.eval(), slots
        shape = network.shape
        self.n_tokens, self.context = shape.n_tokens, min(context or shape.context, shape.context)
        weight = network.tokens.weight
        self._device, self._dtype = weight.device, weight.dtype
        self._room = min(FIRST_ROOM, self.context)
        self._memory = self._empty(self._room)
        self._window = shape.window

    @torch.inference_mode()
    def step(self, tokens: Ids, places: Ids) -> Logits:
        """One more token in each of the first n slots."""
        n, longest = len(tokens), int(places.max()) + 1
        self._grow(longest)
        where = torch.from_numpy(places).to(self._device)
        same = int(places.min()) + 1 == longest and not self._window
        mask = None if same else self._mask(where[:, None, None, None], longest)
        memory = _Slots(self._memory, torch.arange(n, device=self._device), where, longest)
        return self._logits(torch.from_numpy(tokens).to(self._device)[:, None], where[:, None], mask, memory, last=True)

    @torch.inference_mode()
    def read(self, slot: int, tokens: Sequence[int], start: int, *, every: bool = False) -> Logits:
        """Tokens of one slot from a place on."""
        end = start + len(tokens)
        self._grow(end)
        places = torch.arange(start, end, device=self._device)[None]
        causal = (start == 0 or len(tokens) == 1) and not self._window
        mask = None if causal else self._mask(places[:, None, :, None], end)
        memory = _Piece(self._memory, slot, start, end)
        return self._logits(torch.tensor([list(tokens)], device=self._device), places, mask, memory, last=not every)

    @torch.inference_mode()
    def copy(self, source: int, target: int, length: int) -> None:
        """What a slot holds also into another."""
        self._memory[:, :, target, :, :length] = self._memory[:, :, source, :, :length]

    @torch.inference_mode()
    def kept(self, slot: int, length: int) -> Any:
        """A copy of what a slot holds."""
        return self._memory[:, :, slot, :, :length].clone()

    @torch.inference_mode()
    def restore(self, slot: int, kept: Any, length: int) -> None:
        """Put what was kept into a slot."""
        self._grow(length)
        self._memory[:, :, slot, :, :length] = kept[:, :, :, :length]

    def _logits(self, tokens: Tensor, places: Tensor, mask: Tensor | None, memory: Any, *, last: bool) -> Logits:
        products = fast_products() if tokens.numel() >= WORTH_IT else nullcontext()
        with products:
            found = self.network(tokens, places, mask=mask, memory=memory, last=last)
        rows: Logits = found.reshape(-1, self.n_tokens).float().cpu().numpy()
        return rows

    def _mask(self, places: Tensor, end: int) -> Tensor:
        """0 for the keys before ``end`` that queries at these places may look at, minus infinity for the others."""
        keys = torch.arange(end, device=self._device)
        seen = keys <= places
        if self._window:
            seen = seen & (keys > places - self._window)
        return torch.zeros_like(seen, dtype=self._dtype).masked_fill_(~seen, -torch.inf)

    def _empty(self, room: int) -> Tensor:
        shape = self.network.shape
        sizes = (shape.n_layers, 2, self.slots, shape.n_key_heads, room, shape.head_width)
        return torch.zeros(sizes, device=self._device, dtype=self._dtype)

    def _grow(self, length: int) -> None:
        if length <= self._room:
            return
        room = min(max(2 * self._room, length), self.context)
        larger = self._empty(room)
        larger[:, :, :, :, : self._room] = self._memory
        self._memory, self._room = larger, room


class _Slots:
    """The memory of a step: one new token in each of the first slots."""

    def __init__(self, memory: Tensor, rows: Tensor, places: Tensor, longest: int) -> None:
        self._memory, self._rows, self._places, self._longest = memory, rows, places, longest

    def extended(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put in the new keys and values; gives those of all places."""
        n = len(self._rows)
        found = []
        for kind, new in enumerate((keys, values)):
            whole = self._memory[layer, kind]
            whole[self._rows, :, self._places] = new[:, :, 0]
            found.append(whole[:n, :, : self._longest])
        return found[0], found[1]


class _Piece:
    """The memory of a piece of one text."""

    def __init__(self, memory: Tensor, slot: int, start: int, end: int) -> None:
        self._memory, self._slot, self._start, self._end = memory, slot, start, end

    def extended(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put in the new keys and values; gives those of all places."""
        found = []
        for kind, new in enumerate((keys, values)):
            whole = self._memory[layer, kind, self._slot : self._slot + 1]
            whole[:, :, self._start : self._end] = new
            found.append(whole[:, :, : self._end])
        return found[0], found[1]
