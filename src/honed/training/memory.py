"""How much memory a fine-tuning needs, told before it starts; what does not fit is adapted or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from honed.errors import RunError
from honed.networks.devices import free_memory_mib
from honed.networks.few_bits import BLOCK
from honed.networks.lora import linear_layers
from honed.resources import MIB

WAYS = {"full": (False, 0), "lora": (True, 0), "lora-int8": (True, 8), "lora-int4": (True, 4)}
"""Whether adapters train, and in how many bits what is frozen is held, by the setting ``training.adapter``; the dearest first."""
LIGHT = "adapters"
"""Asks for adapters, beside weights in as many bits as fit."""
SPARE = 0.85
"""Share of the free memory a run may plan with."""
FLOATS_PER_TOKEN_AND_WIDTH = 34
"""Activations kept for the backward pass of one transformer layer, per token and unit of width (Korthikanti et al.,
*Reducing activation recomputation in large transformer models*, 2022), in numbers of 2 to 4 bytes."""


@dataclass(frozen=True)
class Fit:
    """A way to train that fits: examples per forward pass, adapters or all weights, the estimate in MiB, and in how many bits the
    frozen weights are held (0: as they came)."""

    batch_size: int
    lora: bool
    needed_mib: float
    allowed_mib: float
    note: str = ""
    bits: int = 0

    @property
    def way(self) -> str:
        """How weights train, as the setting calls it."""
        return next(name for name, way in WAYS.items() if way == (self.lora, self.bits))


def estimate_mib(
    n_trained: int, n_all: int, layers: int, width: int, tokens: int, averaged: bool = False, n_few: int = 0, bits: int = 0
) -> float:  # fmt: skip
    """MiB for weights, gradients, two AdamW moments, perhaps a moving average, the best weights kept, and activations of
    ``tokens`` tokens. With ``bits`` the base is held once, and ``n_few`` of its weights in so few, once it was read as it is."""
    held = 4 * n_all * 2 if not bits else 4 * (n_all - n_few) + n_few * (bits / 8 + 4 / BLOCK)
    activations = 4 * layers * width * tokens * FLOATS_PER_TOKEN_AND_WIDTH
    return (max(held + activations, 4 * n_all) + 4 * n_trained * (4 if averaged else 3)) / MIB


def make_it_fit(
    network: Any, batch_size: int, longest: int, limit_mib: float | None, adapter: str, averaged: bool = False
) -> Fit:
    """The largest batch, with all weights if possible and adapters if not, that fits the memory.

    ``averaged`` says that a moving average of the trained weights is kept beside them.

    Raises
    ------
    RunError [R021, R024]
        No adapters can be put on this network; or not even one example at a time with adapters fits; the message names need and limit.
    """
    allowed = min(limit_mib or float("inf"), free_memory_mib() * SPARE)
    config = network.backbone.config
    layers = getattr(config, "num_hidden_layers", 12)
    width = getattr(config, "hidden_size", getattr(config, "dim", 768))
    own = getattr(network, "activation_bytes", None)
    n_all = sum(parameter.numel() for parameter in network.parameters())
    ways = _ways(network, adapter)
    n_few = sum(network.backbone.get_submodule(name).weight.numel() for name in linear_layers(network.backbone))
    for lora, bits in ways:
        size = batch_size
        while size >= 1:
            trained, tokens = n_all // 50 if lora else n_all, 0 if own else size * longest
            needed = estimate_mib(trained, n_all, layers, width, tokens, averaged, n_few, bits)
            needed += size * own(longest) / MIB if own else 0.0
            if needed <= allowed:
                return Fit(size, lora, needed, allowed, _note(size, batch_size, lora, adapter, bits), bits)
            size //= 2
    raise RunError(
        "R021",
        f"Fine-tuning needs about {needed:,.0f} MiB and {allowed:,.0f} MiB may be used.",
        "Take a smaller base, shorter texts or smaller pictures (task_settings.max_length, image_size), or stop after the probe "
        "(training.stop_after).",
    )


def _ways(network: Any, adapter: str) -> list[tuple[bool, int]]:
    """Whether adapters are tried, and in how many bits what is frozen is held, in order."""
    possible = bool(linear_layers(network.backbone))
    if adapter not in ("auto", "full") and not possible:
        seen = "This base is all convolutions: there is no linear layer that an adapter could be put on."
        raise RunError("R024", seen, "Leave training.adapter at auto, or take a base that is a transformer.")
    if adapter == LIGHT:
        return [way for way in WAYS.values() if way[0]]
    return list(WAYS.values()) if adapter == "auto" and possible else [WAYS.get(adapter, (False, 0))]


def _note(size: int, wanted: int, lora: bool, adapter: str, bits: int) -> str:
    notes = [f"{size} examples at a time instead of {wanted}"] if size < wanted else []
    notes += ["adapters instead of all weights"] if lora and adapter == "auto" else []
    notes += [f"the base held in {bits} bits"] if bits and adapter in ("auto", LIGHT) else []
    return ", ".join(notes) + (" so that it fits the memory" if notes else "")
