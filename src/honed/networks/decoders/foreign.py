"""A decoder of transformers that our own module does not compute, asked as our own is: learnt from, judged by, saved."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from honed.networks.decoders.rows import NOTHING


@dataclass(frozen=True)
class ForeignShape:
    """See :class:`~honed.networks.decoders.any_decoder.AnyShape`."""

    kind: str
    n_parameters: int
    context: int
    n_layers: int
    width: int


class ForeignDecoder(nn.Module):
    """A causal language model of transformers; see :class:`~honed.networks.decoders.any_decoder.AnyDecoder`.

    Architectures differ in how they tell places and keep texts apart, so nothing is packed: texts are padded on the right to the longest
    of a batch of like length, where no token looks.

    Parameters
    ----------
    model : module
    context : int
        Tokens it reads at most.
    """

    every_logit = True

    def __init__(self, model: Any, context: int) -> None:
        super().__init__()
        self.model, self.config = model, model.config
        n = sum(parameter.numel() for parameter in model.parameters())
        layers, width = (int(getattr(model.config, name, 0) or 1) for name in ("num_hidden_layers", "hidden_size"))
        self.shape = ForeignShape(str(model.config.model_type), n, context, layers, width)
        self._narrow = "logits_to_keep" in inspect.signature(model.forward).parameters

    @property
    def head(self) -> nn.Module:
        """The layer that says the next token."""
        found: nn.Module = self.model.get_output_embeddings()
        return found

    def set_attn_implementation(self, name: str) -> None:
        """Another way to compute attention, where the architecture has it."""
        self.model.set_attn_implementation(name)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (n, t, tokens) of what follows each token."""
        found: Tensor = self.model(input_ids=tokens, use_cache=False).logits
        return found

    def logits_at(self, tokens: Tensor, where: Tensor, at_once: int) -> Iterator[Tensor]:
        """Logits (m, tokens) of what follows some tokens, a part at a time."""
        found = self(tokens)[where]
        return iter(found.split(max(1, at_once // found.shape[-1])))

    def batch_of(self, texts: Sequence[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        """Texts (asked, written) below each other, all (n, longest); ``there`` is 1 where a token is none of padding."""
        shape = len(texts), max(len(asked) + len(written) for asked, written in texts)
        tokens, there = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        wanted = torch.full(shape, NOTHING)
        for row, (asked, written) in enumerate(texts):
            whole, first = torch.tensor([*asked, *written]), max(0, len(asked) - 1)
            tokens[row, : len(whole)], there[row, : len(whole)] = whole, 1
            wanted[row, first : len(whole) - 1] = whole[first + 1 :]
        whose = torch.arange(len(texts))[:, None].expand(shape)
        return {"tokens": tokens, "there": there, "wanted": wanted, "whose": whose}

    def logits_of(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits (m, tokens) of the tokens that are to be learnt; others are not computed where the architecture allows."""
        learnt = batch["learnt"]
        given = {"input_ids": batch["tokens"], "attention_mask": batch["there"], "use_cache": False}
        if not self._narrow:
            return self.model(**given).logits[learnt]  # type: ignore[no-any-return]
        columns = learnt.any(dim=0).nonzero()[:, 0]
        found: Tensor = self.model(**given, logits_to_keep=columns).logits[learnt[:, columns]]
        return found

    def read(self, tokens: Tensor) -> Tensor:
        """What the last layer reads, (n, t, width)."""
        found: Tensor = self.model(input_ids=tokens, output_hidden_states=True, use_cache=False).hidden_states[-1]
        return found

    def save(self, folder: Path, *, begin: int | None = None, ends: Any = None) -> None:
        """Weights and configuration, as ``AutoModelForCausalLM`` opens them; what begins and ends a text is in them already."""
        from honed.networks.quiet import quiet

        with quiet():
            self.model.save_pretrained(folder)
