"""A decoder of transformers that our own module does not compute, as a writer asks for one: learnt from, written with, saved."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from honed.networks.decoders.greedy import Continued
from honed.networks.decoders.rows import NOTHING


@dataclass(frozen=True)
class ForeignShape:
    """What is asked of the shape of any decoder."""

    kind: str
    n_parameters: int
    context: int
    n_layers: int
    width: int
    window: int = 0


class ForeignDecoder(nn.Module):
    """A causal language model of transformers.

    Architectures differ in how they tell places and keep texts apart, so nothing is packed: texts are padded on the right to the longest
    of a batch of like length, where no token looks, and those of one length are continued together.

    Parameters
    ----------
    model : module
    context : int
        Tokens it reads at most.
    """

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

    def padded(self, texts: Sequence[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        """``tokens``, ``there`` (1 where a token is none of padding) and ``wanted`` (n, longest) of texts (asked, written)."""
        shape = len(texts), max(len(asked) + len(written) for asked, written in texts)
        tokens, there = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        wanted = torch.full(shape, NOTHING)
        for row, (asked, written) in enumerate(texts):
            whole, first = torch.tensor([*asked, *written]), max(0, len(asked) - 1)
            tokens[row, : len(whole)], there[row, : len(whole)] = whole, 1
            wanted[row, first : len(whole) - 1] = whole[first + 1 :]
        return {"tokens": tokens, "there": there, "wanted": wanted}

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

    @torch.no_grad()
    def continued(self, prompts: Sequence[list[int]], most: int, ends: Sequence[int], context: int) -> list[Continued]:
        """What it writes after each prompt by the likeliest token."""
        found: dict[int, Continued] = {}
        for length in {len(prompt) for prompt in prompts}:
            rows = [row for row, prompt in enumerate(prompts) if len(prompt) == length]
            given = torch.tensor([prompts[row] for row in rows], device=next(self.parameters()).device)
            texts = self._together(given, min(most, context - length + 1), set(ends))
            found.update(zip(rows, texts, strict=True))
        return [found[row] for row in range(len(prompts))]

    def _together(self, tokens: Tensor, most: int, ends: set[int]) -> list[Continued]:
        written: list[list[int]] = [[] for _ in tokens]
        sure, ended = [0.0] * len(tokens), [False] * len(tokens)
        given, memory = tokens, None
        for _ in range(most):
            out = self.model(input_ids=given, past_key_values=memory, use_cache=True)
            memory = getattr(out, "past_key_values", None)
            chances, chosen = torch.log_softmax(out.logits[:, -1].float(), dim=-1).max(dim=-1)
            for row, (token, chance) in enumerate(zip(chosen.tolist(), chances.tolist(), strict=True)):
                if not ended[row]:
                    sure[row] += chance
                    ended[row] = token in ends
                    written[row] += [] if ended[row] else [token]
            if all(ended):
                break
            tokens = torch.cat([tokens, chosen[:, None]], dim=1)
            given = chosen[:, None] if memory is not None else tokens
        counts = [len(text) + end for text, end in zip(written, ended, strict=True)]
        return [
            Continued(text, total / max(1, n), end)
            for text, total, n, end in zip(written, sure, counts, ended, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Weights and configuration, as ``AutoModelForCausalLM`` opens them."""
        from honed.networks.encoder import quiet

        with quiet():
            self.model.save_pretrained(folder)
