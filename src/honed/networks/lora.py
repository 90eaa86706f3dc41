"""Low-rank adapters (Hu et al., *LoRA*, 2021): few weights train beside frozen ones, and are merged before saving."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from honed.networks.few_bits import FewBits

RANK, ALPHA = 16, 32
ATTENTION = (
    "query", "value", "q_lin", "v_lin", "query_proj", "value_proj", "Wqkv", "qkv", "q_proj", "v_proj", "q", "v", "c_attn",
    "query_key_value", "qkv_proj",
)  # fmt: skip
"""Names under which architectures keep the projections that adapters are put on."""


class LowRank(nn.Module):
    """A frozen linear layer with a product of two thin matrices beside it, which starts at zero.

    Parameters
    ----------
    base : Linear
        Or the layer of GPT-2 in transformers, whose weights lie turned over.
    rank, alpha : int
        Columns of the first matrix; what is added is scaled by alpha / rank.
    """

    def __init__(self, base: Any, rank: int, alpha: int) -> None:
        super().__init__()
        self.base, self.scale = base, alpha / rank
        self.turned = _turned(base)
        sizes = tuple(base.weight.shape)
        self.out_features, self.in_features = sizes[::-1] if self.turned else sizes
        like: dict[str, Any] = {"device": base.weight.device, "dtype": torch.float32}
        self.lora_a = nn.Parameter(torch.empty(rank, self.in_features, **like))
        self.lora_b = nn.Parameter(torch.zeros(self.out_features, rank, **like))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    @property
    def weight(self) -> Tensor:
        """That of the frozen layer, for code that asks layers for it."""
        found: Tensor = self.base.weight
        return found

    @property
    def bias(self) -> Tensor | None:
        found: Tensor | None = self.base.bias
        return found

    def forward(self, rows: Tensor) -> Tensor:
        """What the layer gives, and what was learnt beside it."""
        kind = rows.device.type
        if torch.is_autocast_enabled(kind):
            rows = rows.to(torch.get_autocast_dtype(kind))
        found: Tensor = self.base(rows)
        return found.add(functional.linear(functional.linear(rows, self.lora_a), self.lora_b), alpha=self.scale)

    def merged(self) -> Any:
        """The frozen layer with what was learnt added to its weights; one that others hold is left as it was."""
        if isinstance(self.base, FewBits):
            self.base = self.base.plain()
        with torch.no_grad():
            learnt = self.scale * (self.lora_b @ self.lora_a)
            whole = self.base.weight + (learnt.T if self.turned else learnt)
        self.base.weight = nn.Parameter(whole)
        return self.base


def linear_layers(backbone: nn.Module) -> list[str]:
    """Where adapters can be put. Layers of other types derived from a linear one are left out: torch's own attention reads
    the weights of its last layer past any adapter; so is the layer of a decoder that says the next token."""
    head = getattr(backbone, "head", None)
    parts = [(name, part) for name, part in backbone.named_modules() if part is not head]
    return [name for name, part in parts if type(part) is nn.Linear or _turned(part)]


def _turned(part: nn.Module) -> bool:
    return type(part).__name__ == "Conv1D" and hasattr(part, "nf")


def wrap(
    network: Any, rank: int = RANK, alpha: int = ALPHA, *, everywhere: bool = False, bits: int = 0, seed: int = 0
) -> None:
    """Put adapters on ``network.backbone``, in place, and freeze all of the backbone but these.

    They are put on the attention, or with ``everywhere`` on every linear layer. With ``bits`` (8 or 4) all plain linear layers are
    held in so few. The same seed begins with the same adapters.
    """
    linears = linear_layers(network.backbone)
    attention = [name for name in linears if name.rpartition(".")[2] in ATTENTION]
    targets = linears if everywhere else attention or linears
    for parameter in network.backbone.parameters():
        parameter.requires_grad = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in targets:
            owner, _, leaf = name.rpartition(".")
            place = network.backbone.get_submodule(owner)
            setattr(place, leaf, LowRank(place.get_submodule(leaf), rank, alpha))
    if not bits:
        return
    for name in linears:
        owner, leaf = (name, "base") if name in targets else (name.rpartition(".")[0], name.rpartition(".")[2])
        place = network.backbone.get_submodule(owner)
        if type(getattr(place, leaf)) is nn.Linear:
            setattr(place, leaf, FewBits(getattr(place, leaf), bits))


def merge(network: Any) -> None:
    """Fold the adapters into the weights, in place: the backbone is a plain one again."""
    for name, module in list(network.backbone.named_modules()):
        if isinstance(module, LowRank):
            owner, _, leaf = name.rpartition(".")
            setattr(network.backbone.get_submodule(owner), leaf, module.merged())
    for name, module in list(network.backbone.named_modules()):
        if isinstance(module, FewBits):
            owner, _, leaf = name.rpartition(".")
            setattr(network.backbone.get_submodule(owner), leaf, module.plain())
    for parameter in network.parameters():
        parameter.requires_grad = True
