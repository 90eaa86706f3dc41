"""AdamW with layer-wise learning rates, and the schedule of the learning rate."""

from __future__ import annotations

import re
from typing import Any

import torch

WARM_UP = 0.06
"""Share of the steps in which the learning rate rises."""
_DEPTH = re.compile(r"\.(?:layers?|h|blocks?|stages?|features)\.?(\d+)\.")


def layer_depths(names: list[str]) -> list[int]:
    """Distance of each parameter from the top: 0 for the head and the last layer, growing towards the embeddings."""
    found = [_DEPTH.search(f".{name}.") for name in names]
    top = max((int(match.group(1)) for match in found if match), default=0)
    return [
        top - int(match.group(1)) if match else (top + 1 if "embed" in name else 0)
        for name, match in zip(names, found, strict=True)
    ]


def make_optimizer(
    network: Any, *, learning_rate: float, head_rate: float, layer_decay: float, weight_decay: float
) -> torch.optim.AdamW:
    """AdamW over all trainable parameters; lower layers learn slower, biases and norms do not decay."""
    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    head = {id(parameter) for parameter in network.head.parameters()}
    depths = layer_depths([name for name, _ in named])
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for (_, parameter), depth in zip(named, depths, strict=True):
        rate = head_rate if id(parameter) in head else learning_rate * layer_decay**depth
        groups.setdefault((rate, weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    described = [{"params": ps, "lr": rate, "weight_decay": decay} for (rate, decay), ps in groups.items()]
    optimizer = torch.optim.AdamW(described, betas=(0.9, 0.98), eps=1e-6, fused=True)
    for group in optimizer.param_groups:
        group["top_rate"] = group["lr"]
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, step: int, total: int) -> None:
    """Linear warm-up, then linear decay to zero, from the step (from 0) and the total alone."""
    warm = max(1, round(WARM_UP * total))
    factor = min((step + 1) / warm, max(0.0, (total - step) / max(1, total - warm)))
    for group in optimizer.param_groups:
        group["lr"] = group["top_rate"] * factor
