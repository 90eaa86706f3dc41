"""Continuing a batch of prompts by the likeliest token, with the keys and values of what was read kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from honed.networks.decoders.decoder import Decoder


@dataclass(frozen=True)
class Continued:
    """What was written after one prompt: tokens without the end, their mean log-probability, whether it came to an end."""

    tokens: list[int]
    sure: float
    ended: bool


class Kept:
    """Keys and values of n texts of different lengths, each at its own places; see :class:`~.decoder.Memory`."""

    def __init__(self, decoder: Decoder, n: int, room: int) -> None:
        shape = decoder.shape
        weight = decoder.tokens.weight
        size = (shape.n_layers, n, shape.n_key_heads, room, shape.head_width)
        self.keys, self.values = (torch.zeros(size, dtype=weight.dtype, device=weight.device) for _ in range(2))
        self.places, self.seen = torch.zeros(0), 0

    def extended(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put in keys and values of the tokens at ``places`` (n, t)."""
        for whole, new in ((self.keys, keys), (self.values, values)):
            index = self.places[:, None, :, None].expand_as(new)
            whole[layer].scatter_(2, index, new.to(whole.dtype))
        return self.keys[layer, :, :, : self.seen], self.values[layer, :, :, : self.seen]

    def keep(self, rows: torch.Tensor) -> None:
        """Only these texts."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]


@torch.no_grad()
def continued(
    decoder: Decoder, prompts: Sequence[list[int]], most: int, ends: Sequence[int], context: int
) -> list[Continued]:
    """What the decoder writes after each prompt, ``most`` tokens at most and never beyond its context."""
    device = decoder.tokens.weight.device
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    longest = int(lengths.max())
    room = min(context, longest + most)
    kept = Kept(decoder, len(prompts), room)
    tokens = torch.zeros((len(prompts), longest), dtype=torch.long, device=device)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(prompt, device=device)
    places = torch.arange(longest, device=device).expand(len(prompts), -1)
    state = _read(decoder, kept, tokens, places, longest)
    logits = decoder.logits(state[torch.arange(len(prompts)), lengths - 1])
    alive = torch.arange(len(prompts), device=device)
    written: list[list[int]] = [[] for _ in prompts]
    sure, ended, last = [0.0] * len(prompts), [False] * len(prompts), set(ends)
    place = lengths
    for _ in range(most):
        spread = torch.log_softmax(logits.float(), dim=-1)
        chance, chosen = spread.max(dim=-1)
        stay = []
        for k, (row, token, one) in enumerate(zip(alive.tolist(), chosen.tolist(), chance.tolist(), strict=True)):
            sure[row] += one
            ended[row] = token in last
            if not ended[row]:
                written[row].append(token)
            if not ended[row] and int(place[k]) < room:
                stay.append(k)
        if not stay:
            break
        if len(stay) < len(alive):
            rows = torch.tensor(stay, device=device)
            kept.keep(rows)
            alive, place, chosen = alive[rows], place[rows], chosen[rows]
        state = _read(decoder, kept, chosen[:, None], place[:, None], int(place.max()) + 1)
        logits, place = decoder.logits(state[:, 0]), place + 1
    counts = [len(tokens) + end for tokens, end in zip(written, ended, strict=True)]
    return [
        Continued(tokens, total / max(1, n), end)
        for tokens, total, n, end in zip(written, sure, counts, ended, strict=True)
    ]


def _read(decoder: Decoder, kept: Kept, tokens: torch.Tensor, places: torch.Tensor, seen: int) -> torch.Tensor:
    kept.places, kept.seen = places, seen
    back = places[:, None, :, None] - torch.arange(seen, device=tokens.device)
    mask = back >= 0
    if decoder.shape.window:
        mask &= back < decoder.shape.window
    return decoder.read(tokens, places, mask=mask, memory=kept)
