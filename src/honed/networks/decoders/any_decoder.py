"""What every decoder can be asked, whether our own module computes it or transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor


class AnyShape(Protocol):
    """What is asked of the shape of any decoder."""

    kind: str
    context: int
    n_layers: int
    width: int

    @property
    def n_parameters(self) -> int:
        """Numbers that are learnt."""


class AnyDecoder(Protocol):
    """A torch module: :class:`~honed.networks.decoders.decoder.Decoder` or
    :class:`~honed.networks.decoders.foreign.ForeignDecoder`.

    Parameters
    ----------
    every_logit : bool
        Logits of all tokens are computed, whichever are wanted; this bounds how many are read at once.
    """

    every_logit: bool

    @property
    def shape(self) -> Any:
        """An :class:`AnyShape`."""

    @property
    def config(self) -> Any:
        """``num_hidden_layers`` and ``hidden_size``."""

    @property
    def head(self) -> Any:
        """The layer that says the next token."""

    def __call__(self, tokens: Tensor) -> Tensor:
        """Logits (n, t, tokens) of what follows each token of texts (n, t)."""

    def read(self, tokens: Tensor) -> Tensor:
        """What the last layer reads, (n, t, width)."""

    def logits_at(self, tokens: Tensor, where: Tensor, at_once: int) -> Iterator[Tensor]:
        """Logits (m, tokens) of what follows the tokens ``where`` (n, t, bool) is true, ``at_once`` numbers at a time at most.

        Texts (n, t) are padded on the right.
        """

    def batch_of(self, texts: Sequence[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        """Texts (asked, written) as training reads them.

        ``tokens``; ``wanted``, what is to follow each of them and is to be learnt, else -100; ``whose``, the text of each; and
        whatever :meth:`logits_of` needs.
        """

    def logits_of(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits (m, tokens) of the tokens of a batch at which ``learnt`` is true."""

    def save(self, folder: Path, *, begin: int | None = None, ends: Any = None) -> None:
        """Weights and configuration in hub format, with the tokens that begin and end a text."""

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """All weights."""
