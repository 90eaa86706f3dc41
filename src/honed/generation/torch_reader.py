"""Our decoder on torch: keys and values in pre-allocated slots, on any device and in any number format."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from honed.generation.on_torch import OnTorch, rows_of
from honed.generation.reader import Ids, Logits
from honed.networks.decoders.decoder import Decoder
from honed.networks.products import fast_products

WORTH_IT = 64
"""Tokens in one pass from which choosing among libraries for products costs less than it gains."""
TOGETHER_CPU, TOGETHER = 2_048, 16_384
"""Tokens of prompts read in one pass on a CPU, and on a card, which has little to do with one prompt. On a core, 256 prompts of about 20
tokens with 12 to write took 5.6 s so and 7.6 s one after another."""
FIRST_ROOM = 256
"""Tokens each slot has room for at first; doubled when a text grows longer."""


class TorchReader(OnTorch):
    """See :class:`~honed.generation.reader.Reader`.

    Parameters
    ----------
    network : Decoder
    slots : int
    context : int, optional
        Fewer tokens than the network could read, to bound memory.
    """

    name = "torch"
    keeps = rewinds = chooses = True

    def __init__(self, network: Decoder, slots: int, context: int | None = None) -> None:
        self.network, self.slots = network.eval(), slots
        shape = network.shape
        self.n_tokens, self.context = shape.n_tokens, min(context or shape.context, shape.context)
        weight = network.tokens.weight
        self._device, self._dtype = weight.device, weight.dtype
        self._room = min(FIRST_ROOM, self.context)
        self._memory = self._empty(self._room)
        self._window = shape.window
        self.together = TOGETHER_CPU if self._device.type == "cpu" else TOGETHER

    @torch.inference_mode()
    def _stepped(self, tokens: Ids, places: Ids) -> Tensor:
        n, longest = len(tokens), int(places.max()) + 1
        self._grow(longest)
        where = torch.from_numpy(places).to(self._device)
        same = int(places.min()) + 1 == longest and not self._window
        mask = None if same else self._mask(where[:, None, None, None], longest)
        memory = _Slots(self._memory, torch.arange(n, device=self._device), where, longest)
        given = torch.from_numpy(tokens).to(self._device)[:, None]
        return self._logits(given, where[:, None], mask, memory, last=True)

    @torch.inference_mode()
    def read_together(self, slot: int, texts: Sequence[Sequence[int]]) -> Logits:
        """Whole texts into the slots from one on, padded on the right, where no token looks."""
        n, longest = len(texts), max(map(len, texts))
        self._grow(longest)
        tokens = torch.zeros((n, longest), dtype=torch.long)
        for row, text in enumerate(texts):
            tokens[row, : len(text)] = torch.tensor(text)
        places = torch.arange(longest, device=self._device)[None]
        mask = self._mask(places[:, None, :, None], longest) if self._window else None
        memory = _Piece(self._memory, slot, 0, longest, n)
        with self._products(n * longest):
            state = self.network.read(tokens.to(self._device), places, mask=mask, memory=memory)
            last = torch.tensor([len(text) - 1 for text in texts], device=self._device)
            return rows_of(self.network.logits(state[torch.arange(n, device=self._device), last]))

    @torch.inference_mode()
    def read(self, slot: int, tokens: Sequence[int], start: int, *, every: bool = False) -> Logits:
        """Tokens of one slot from a place on."""
        end = start + len(tokens)
        self._grow(end)
        places = torch.arange(start, end, device=self._device)[None]
        causal = (start == 0 or len(tokens) == 1) and not self._window
        mask = None if causal else self._mask(places[:, None, :, None], end)
        memory = _Piece(self._memory, slot, start, end)
        given = torch.tensor([list(tokens)], device=self._device)
        return rows_of(self._logits(given, places, mask, memory, last=not every))

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

    def _logits(self, tokens: Tensor, places: Tensor, mask: Tensor | None, memory: Any, *, last: bool) -> Tensor:
        with self._products(tokens.numel()):
            found: Tensor = self.network(tokens, places, mask=mask, memory=memory, last=last)
        return found.reshape(-1, self.n_tokens)

    def _products(self, n: int) -> AbstractContextManager[Any]:
        return fast_products() if n >= WORTH_IT else nullcontext()

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
    """The memory of a piece of one text, or of as long pieces of n texts in slots side by side."""

    def __init__(self, memory: Tensor, slot: int, start: int, end: int, n: int = 1) -> None:
        self._memory, self._slots, self._start, self._end = memory, slice(slot, slot + n), start, end

    def extended(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put in the new keys and values; gives those of all places."""
        found = []
        for kind, new in enumerate((keys, values)):
            whole = self._memory[layer, kind, self._slots]
            whole[:, :, self._start : self._end] = new
            found.append(whole[:, :, : self._end])
        return found[0], found[1]
