"""Low-rank adapters (Hu et al., *LoRA*, 2021) through peft: few weights train, and are merged before saving."""

from __future__ import annotations

from typing import Any

import torch

RANK, ALPHA = 16, 32
ATTENTION = (
    "query",
    "value",
    "q_lin",
    "v_lin",
    "query_proj",
    "value_proj",
    "Wqkv",
    "qkv",
    "q_proj",
    "v_proj",
    "q",
    "v",
    "c_attn",
    "qkv",
)
"""Names under which architectures keep the projections that adapters are put on."""


def linear_layers(backbone: torch.nn.Module) -> list[str]:
    """Where adapters can be put. Layers of other types derived from a linear one are left out: torch's own attention reads
    the weights of its last layer past any adapter."""
    return [name for name, part in backbone.named_modules() if type(part) is torch.nn.Linear]


def wrap(network: Any, rank: int = RANK, alpha: int = ALPHA) -> None:
    """Put adapters on the attention of ``network.backbone``, in place, and freeze all of the backbone but these."""
    from peft import LoraConfig, inject_adapter_in_model

    linears = linear_layers(network.backbone)
    targets = [name for name in linears if name.rpartition(".")[2] in ATTENTION] or linears
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.05, target_modules=targets)
    inject_adapter_in_model(config, network.backbone)
    for name, parameter in network.backbone.named_parameters():
        parameter.requires_grad = "lora_" in name


def merge(network: Any) -> None:
    """Fold the adapters into the weights, in place: the backbone is a plain one again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(network.backbone.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge(safe_merge=True)
            owner, _, leaf = name.rpartition(".")
            setattr(network.backbone.get_submodule(owner), leaf, module.get_base_layer())
    for parameter in network.parameters():
        parameter.requires_grad = True
