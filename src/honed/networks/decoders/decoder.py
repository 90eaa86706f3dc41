"""Our own decoder: one lean module for GPT-2 and the Llama family, for training and for generating."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from honed.files import write_json
from honed.networks.decoders.apart import Apart
from honed.networks.decoders.hub_names import to_hub
from honed.networks.decoders.rows import laid
from honed.networks.decoders.shape import Shape, config_of


class Memory(Protocol):
    """Keys and values of the tokens read before; what :meth:`Decoder.forward` puts there and gets back."""

    def extended(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put in the new keys and values (n, heads, t, d) of a layer; gives all that queries may look at, (n, heads, all, d)."""


class Decoder(nn.Module):
    """Tokens in, logits of the next token out; see :class:`~honed.networks.decoders.any_decoder.AnyDecoder`.

    Parameters
    ----------
    shape : Shape
        Sizes and kinds of its parts. Weights are drawn from torch's generator: normal with 0.02, those that write to the
        stream divided by sqrt(2 x blocks).
    """

    every_logit = False

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(shape.n_tokens, shape.width)
        self.places = nn.Embedding(shape.context, shape.width) if shape.places == "learned" else None
        blocks = [Block(shape, layer) for layer in range(shape.n_layers)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = norm_of(shape)
        self.head = nn.Linear(shape.width, shape.n_tokens, bias=False)
        self.apply(_draw)
        for block in blocks:
            for written in (block.attention.out, block.feed.down):
                nn.init.normal_(written.weight, std=0.02 / math.sqrt(2 * shape.n_layers))
        if shape.tied:
            self.head.weight = self.tokens.weight
        self._turns: Tensor | None = None

    def forward(
        self, tokens: Tensor, places: Tensor | None = None, *, mask: Tensor | None = None, memory: Memory | None = None,
        last: bool = False,
    ) -> Tensor:  # fmt: skip
        """Logits (n, t, tokens) of what follows each token; with ``last`` only of what follows the last, (n, 1, tokens).

        Parameters
        ----------
        tokens : tensor of int64 (n, t)
        places : tensor of int64 (n, t), optional
            Place of each token in its text; 0, 1, ... when left out.
        mask : tensor of bool (n or 1, 1, t, all), optional
            True where a query may look at a key. Left out, a token sees itself and what stands before it.
        memory : Memory, optional
            Tokens read before; a mask must be given with it.
        """
        state = self.read(tokens, places, mask=mask, memory=memory)
        return self.logits(state[:, -1:] if last else state)

    def read(
        self, tokens: Tensor, places: Tensor | None = None, *, mask: Tensor | Apart | None = None,
        memory: Memory | None = None,
    ) -> Tensor:  # fmt: skip
        """What the last layer reads, (n, t, width); the parameters are those of :meth:`forward`.

        ``mask`` may also say that one row holds texts that are to be kept apart.
        """
        if places is None:
            places = torch.arange(tokens.shape[1], device=tokens.device)[None]
        if mask is None and self.shape.window:
            mask = (places[:, None, :, None] >= places[:, None, None]) & (
                places[:, None, :, None] - places[:, None, None] < self.shape.window
            )
        state = self.tokens(tokens)
        turn = None
        if self.places is not None:
            state = state + self.places(places)
        else:
            turn = self._turn(places, state.dtype)
        for block in self.blocks:
            state = block(state, turn, mask, memory)
        found: Tensor = self.norm(state)
        return found

    def logits(self, state: Tensor) -> Tensor:
        """Logits of the next token from what :meth:`read` gave."""
        found: Tensor = self.head(state)
        return found

    @property
    def config(self) -> Any:
        """What training asks of the size of any network."""
        return SimpleNamespace(num_hidden_layers=self.shape.n_layers, hidden_size=self.shape.width)

    def logits_at(self, tokens: Tensor, where: Tensor, at_once: int) -> Iterator[Tensor]:
        """Logits (m, tokens) of what follows some tokens, a part at a time."""
        state = self.read(tokens)[where]
        return (self.logits(part) for part in state.split(max(1, at_once // self.shape.n_tokens)))

    def batch_of(self, texts: Sequence[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        """Texts (asked, written) end to end in one row, nothing padded."""
        return laid(texts)

    def logits_of(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits (m, tokens) of the tokens that are to be learnt; others are not computed."""
        apart = Apart(batch["slots"], batch["back"], batch["sizes"], self.shape.window)
        state = self.read(batch["tokens"], batch["places"], mask=apart)
        return self.logits(state[batch["learnt"]])

    def save(self, folder: Path, *, begin: int | None = None, ends: Any = None, **more: Any) -> None:
        """Weights and configuration in hub format; ``more`` goes into config.json."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.detach().cpu() for name, value in self.state_dict().items()}
        save_file(to_hub(self.shape, weights), folder / "model.safetensors", metadata={"format": "pt"})
        tokens = {"bos_token_id": begin, "eos_token_id": ends}
        write_json(folder / "config.json", {**config_of(self.shape), **tokens, **more})
        write_json(folder / "generation_config.json", tokens)

    def _turn(self, places: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosine and sine of each place, (n or 1, t, 1, head width)."""
        if self._turns is None or self._turns.device != places.device:
            width = self.shape.head_width
            pace = 1.0 / self.shape.theta ** (torch.arange(0, width, 2, device=places.device).float() / width)
            angle = torch.outer(torch.arange(self.shape.context, device=places.device).float(), pace)
            self._turns = torch.stack([angle.cos(), angle.sin()])
        cosine, sine = self._turns[:, places].to(dtype)
        return torch.cat([cosine, cosine], dim=-1)[:, :, None], torch.cat([-sine, sine], dim=-1)[:, :, None]


class Block(nn.Module):
    """Attention and a feed-forward part, each reading the normalised stream and adding to it."""

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        self.before_attention, self.before_feed = norm_of(shape), norm_of(shape)
        self.attention, self.feed = Attention(shape, layer), Feed(shape)

    def forward(self, state: Tensor, turn: Any, mask: Tensor | Apart | None, memory: Memory | None) -> Tensor:
        """The stream (n, t, width), with what this block has to say added."""
        state = state + self.attention(self.before_attention(state), turn, mask, memory)
        return state + self.feed(self.before_feed(state))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Queries, keys and values from one product of matrices; several heads of queries may share keys."""

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        self.layer, self.width = layer, shape.head_width
        self.parts = (shape.n_heads, shape.n_key_heads, shape.n_key_heads)
        self.qkv = nn.Linear(shape.width, sum(self.parts) * self.width, bias=shape.attention_bias)
        self.out = nn.Linear(shape.n_heads * self.width, shape.width, bias=shape.bias)
        self.query_norm = nn.RMSNorm(self.width, eps=shape.epsilon) if shape.head_norm else None
        self.key_norm = nn.RMSNorm(self.width, eps=shape.epsilon) if shape.head_norm else None

    def forward(self, state: Tensor, turn: Any, mask: Tensor | Apart | None, memory: Memory | None) -> Tensor:
        """What each token takes from those it may look at, (n, t, width)."""
        n, length, _ = state.shape
        queries, keys, values = self.qkv(state).view(n, length, -1, self.width).split(self.parts, dim=2)
        if self.query_norm is not None and self.key_norm is not None:
            queries, keys = self.query_norm(queries), self.key_norm(keys)
        if turn is not None:
            queries, keys = turned(queries, *turn), turned(keys, *turn)
        if isinstance(mask, Apart):
            return self.out(mask.attend(queries, keys, values).reshape(n, length, -1))  # type: ignore[no-any-return]
        queries, keys, values = queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
        if memory is not None:
            keys, values = memory.extended(self.layer, keys, values)
        shared = self.parts[0] != self.parts[1]
        found = functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, is_causal=mask is None and length > 1, enable_gqa=shared
        )
        merged: Tensor = self.out(found.transpose(1, 2).reshape(n, length, -1))
        return merged


class Feed(nn.Module):
    """The feed-forward part, with a gate or without; gate and way up are one product of matrices."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gated = shape.gated
        self.up = nn.Linear(shape.width, shape.hidden * (2 if shape.gated else 1), bias=shape.bias)
        self.down = nn.Linear(shape.hidden, shape.width, bias=shape.bias)

    def forward(self, state: Tensor) -> Tensor:
        """(n, t, width) of the same."""
        up = self.up(state)
        if self.gated:
            gate, up = up.chunk(2, dim=-1)
            up = functional.silu(gate) * up
        else:
            up = functional.gelu(up, approximate="tanh")
        found: Tensor = self.down(up)
        return found


def norm_of(shape: Shape) -> nn.Module:
    """A fresh normalisation of the stream."""
    kind = nn.RMSNorm if shape.norm == "rms" else nn.LayerNorm
    return kind(shape.width, eps=shape.epsilon)


def turned(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Queries or keys (n, t, heads, d) turned by their places: the first half of a head is the real, the second the imaginary part."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cosine + torch.cat([second, first], dim=-1) * sine


def _draw(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
