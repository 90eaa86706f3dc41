"""A network as fine-tuning wants it: without dropout, and with the attention that learns fastest on this device.

On a CPU the fused attention of PyTorch computes forwards fast and backwards slowly; for short texts plain matrix products
win (measured in ``docs/decisions/2026-11-25-half-the-time-of-fine-tuning.md``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from honed.tasks.contract import Encoded

MANY_FOR_NORMS = 1000
"""With fewer examples the statistics of batch normalisation stay those of the base."""
MOST_TOKENS = 160
"""Texts of more tokens on average learn faster with the fused attention."""


def usual_epochs(n: int) -> int:
    """Passes over n examples: few are read more often."""
    return int(np.clip(round(math.sqrt(80_000 / max(1, n))), 3, 10))


def shape_for_learning(network: Any, encoded: Sequence[Encoded], dropout: bool = False) -> str | None:
    """Set the backbone up for training on these inputs; returns the attention it had before, or None."""
    backbone = network.backbone
    network.norms_learn = len(encoded) >= MANY_FOR_NORMS
    if not dropout:
        _no_dropout(backbone)
    before = getattr(backbone.config, "_attn_implementation", None)
    short = sum(item["length"] for item in encoded) <= MOST_TOKENS * len(encoded)
    on_cpu = next(backbone.parameters()).device.type == "cpu"
    if before != "sdpa" or not short or not on_cpu:
        return None
    backbone.set_attn_implementation("eager")
    return str(before)


@contextmanager
def learning(network: Any, encoded: Sequence[Encoded], dropout: bool = False) -> Iterator[None]:
    """A network as :func:`shape_for_learning` makes it, with its own attention again afterwards."""
    before = shape_for_learning(network, encoded, dropout)
    try:
        yield
    finally:
        if before:
            network.backbone.set_attn_implementation(before)


def _no_dropout(backbone: Any) -> None:
    """Layers and plain numbers alike: architectures keep the rate of their attention in either."""
    for module in backbone.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
