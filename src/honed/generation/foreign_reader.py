"""A decoder of transformers behind the same interface: each text with a cache of its own, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from honed.generation.reader import Ids, Logits


class ForeignReader:
    """See :class:`~honed.generation.reader.Reader`. Right for every architecture, and slower than our own decoder.

    Parameters
    ----------
    network : module
        A causal language model of transformers.
    slots, context : int
    """

    name = "transformers"
    keeps = rewinds = False

    def __init__(self, network: Any, slots: int, context: int) -> None:
        self.network, self.slots, self.context = network.eval(), slots, context
        self.n_tokens = int(network.get_output_embeddings().weight.shape[0])
        self._device = next(network.parameters()).device
        self._caches: list[Any] = [None] * slots
        self._texts: list[list[int]] = [[] for _ in range(slots)]

    def step(self, tokens: Ids, places: Ids) -> Logits:
        """One more token in each of the first n slots."""
        pairs = zip(tokens.tolist(), places.tolist(), strict=True)
        return np.concatenate([self.read(slot, [token], place) for slot, (token, place) in enumerate(pairs)])

    @torch.inference_mode()
    def read(self, slot: int, tokens: Sequence[int], start: int, *, every: bool = False) -> Logits:
        """Tokens of one slot from a place on; without a cache the whole text is read again."""
        if start == 0:
            self._caches[slot], self._texts[slot] = None, []
        self._texts[slot] = [*self._texts[slot][:start], *tokens]
        given = list(tokens) if self._caches[slot] is not None else self._texts[slot]
        found = self.network(
            torch.tensor([given], device=self._device), past_key_values=self._caches[slot], use_cache=True
        )
        self._caches[slot] = getattr(found, "past_key_values", None)
        rows: Logits = found.logits[0, -len(tokens) if every else -1 :].float().cpu().numpy()
        return rows

    def copy(self, source: int, target: int, length: int) -> None:
        """Hand a slot's cache over; the source is empty afterwards."""
        self._caches[target], self._caches[source] = self._caches[source], None
        self._texts[target], self._texts[source] = self._texts[source][:length], []

    def kept(self, slot: int, length: int) -> Any:
        """Nothing is kept: caches of other architectures cannot be cut."""
        raise NotImplementedError

    def restore(self, slot: int, kept: Any, length: int) -> None:
        """Nothing is kept, so nothing is put back."""
        raise NotImplementedError
