"""Samples while a decoder trains: plain, one token after another."""

from __future__ import annotations

from typing import Any

import torch

from honed.pretraining.engine import Learner

LENGTH, WARMTH = 120, 0.8


def sample(learner: Learner, tokenizer: Any, prompt: str, seed: int, length: int = LENGTH) -> str:
    """Text that the network makes of a prompt; the beginning of a document where there is none."""
    network, context = learner.network.eval(), learner.network.shape.context
    generator = torch.Generator().manual_seed(seed)
    tokens = [learner.boundary, *tokenizer.encode(prompt, add_special_tokens=False).ids]
    begin = len(tokens)
    with torch.no_grad():
        while len(tokens) < begin + length and (tokens[-1] != learner.boundary or len(tokens) == 1):
            seen = torch.tensor([tokens[-context:]], device=learner.device)
            shares = torch.softmax(network(seen, last=True)[0, -1].float().cpu() / WARMTH, dim=-1)
            tokens.append(int(torch.multinomial(shares, 1, generator=generator)))
    network.train()
    found: str = tokenizer.decode([token for token in tokens if token != learner.boundary], skip_special_tokens=False)
    return found
