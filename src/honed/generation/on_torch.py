"""What readers have in common whose logits torch computes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from honed.generation.reader import Ids, Logits


class OnTorch(ABC):
    """The steps of a :class:`~honed.generation.reader.Reader`; a subclass computes the logits, on whichever device."""

    @abstractmethod
    def _stepped(self, tokens: Ids, places: Ids) -> Tensor:
        """Logits (n, tokens) after one more token in each of the first n slots."""

    def step(self, tokens: Ids, places: Ids) -> Logits:
        """One more token in each of the first n slots."""
        return rows_of(self._stepped(tokens, places))

    @torch.inference_mode()
    def likeliest(self, tokens: Ids, places: Ids) -> tuple[Ids, Logits]:
        """The same; only the likeliest token after each and the logarithm of its probability leave the device."""
        logs, ids = torch.log_softmax(self._stepped(tokens, places).float(), dim=-1).max(dim=-1)
        return ids.cpu().numpy(), logs.cpu().numpy()


def rows_of(logits: Tensor) -> Logits:
    """Logits as an array in float32."""
    found: Logits = logits.float().cpu().numpy()
    return found
