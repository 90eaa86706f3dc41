"""A few short texts as a decoder writes them: drawn as it says, or the likeliest; for probes, not for serving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from honed.likelihood.scorer import Scorer
from honed.likelihood.tokens import is_own
from honed.networks.products import fast_products


@torch.inference_mode()
def written(scorer: Scorer, prompts: Sequence[Sequence[int]], most: int, *, seed: int | None = None) -> list[list[int]]:
    """Tokens after each prompt (of one length or many), up to the end of a text; with a seed they are drawn, else the likeliest."""
    network = scorer.network
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed or 0)
    ends = set(scorer.vocabulary.ends)
    found: list[list[int]] = [[] for _ in prompts]
    alive = list(range(len(prompts)))
    for _ in range(most):
        rows = [[*prompts[k], *found[k]][-scorer.context :] for k in alive]
        tokens = torch.zeros((len(rows), max(map(len, rows))), dtype=torch.long)
        for place, row in enumerate(rows):
            tokens[place, : len(row)] = torch.tensor(row)
        last = torch.tensor([len(row) - 1 for row in rows])
        with fast_products():
            logits = _logits(network, tokens.to(device), last.to(device)).float().cpu()
        drawn = (
            logits.argmax(-1) if seed is None else torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
        )
        for k, token in zip(list(alive), drawn.tolist(), strict=True):
            if token in ends:
                alive.remove(k)
            else:
                found[k].append(token)
        if not alive:
            break
    return found


def _logits(network: Any, tokens: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    rows = torch.arange(len(tokens), device=tokens.device)
    found: torch.Tensor = (
        network.logits(network.read(tokens)[rows, last]) if is_own(network) else network(tokens).logits[rows, last]
    )
    return found
