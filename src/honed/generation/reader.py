"""What a decoder must offer for generating: tokens in at slots, logits out, keys and values kept in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
Ids = NDArray[np.int64]


class Reader(Protocol):
    """A decoder with a number of slots; each holds what was read of one text.

    Parameters
    ----------
    name : str
        "onnx", "torch" or "transformers".
    n_tokens, context, slots : int
    keeps : bool
        Keys and values of a slot can be copied, so that shared beginnings are read once.
    rewinds : bool
        Tokens may be read again from an earlier place.
    chooses : bool
        It finds the likeliest tokens itself.
    together : int
        Tokens of prompts that are better read in one pass, padding included; 0 where one prompt after another is.
    """

    name: str
    n_tokens: int
    context: int
    slots: int
    keeps: bool
    rewinds: bool
    chooses: bool
    together: int

    def step(self, tokens: Ids, places: Ids) -> Logits:
        """One more token in each of the first n slots, at its place; logits (n, tokens), valid until the next call."""

    def likeliest(self, tokens: Ids, places: Ids) -> tuple[Ids, Logits]:
        """As :meth:`step`: only the likeliest token after each (n,), and the logarithm of its probability (n,)."""

    def read_together(self, slot: int, texts: Sequence[Sequence[int]]) -> Logits:
        """Whole texts into the slots from one on; logits after the last token of each (n, tokens)."""

    def read(self, slot: int, tokens: Sequence[int], start: int, *, every: bool = False) -> Logits:
        """Tokens of one slot from a place on; logits after the last (1, tokens), or after every one (t, tokens)."""

    def copy(self, source: int, target: int, length: int) -> None:
        """What a slot holds of its first tokens also into another."""

    def kept(self, slot: int, length: int) -> Any:
        """What a slot holds of its first tokens, to be kept; its ``nbytes`` says how much memory that takes."""

    def restore(self, slot: int, kept: Any, length: int) -> None:
        """Put the first tokens of what was kept into a slot."""
