"""Where networks are computed: on the graphics card that torch can use, else on the processor."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from honed.resources import MIB, available_memory_mib

PRODUCTS = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
"""Without it, matrix products on a card add up in an order that changes; read by its library when that starts."""


def best_device() -> str:
    """ "cuda" where torch can use a graphics card, else "cpu". ``CUDA_VISIBLE_DEVICES=""`` hides the cards."""
    if not torch.cuda.is_available():
        return "cpu"
    os.environ.setdefault(*PRODUCTS)
    return "cuda"


def card_name() -> str:
    """What the maker calls the graphics card that is used, or ""."""
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else ""


def free_memory_mib() -> float:
    """Memory that a network can have where it is computed, in MiB."""
    return float(torch.cuda.mem_get_info()[0]) / MIB if best_device() == "cuda" else available_memory_mib()


def placed(network: Any) -> Any:
    """The network, moved to the best device."""
    return network.to(best_device())


def placed_predictor(predictor: Any) -> Any:
    """The predictor, its network moved to the best device where it has one."""
    if predictor.kind == "network":
        placed(predictor.network)
    return predictor


def on_processor(network: Any) -> Any:
    """The network where it is on the processor, else a copy of it there."""
    first = next(network.parameters(), None)
    return network if first is None or first.device.type == "cpu" else copy.deepcopy(network).to("cpu")


def forked_random() -> AbstractContextManager[None]:
    """A context after which torch draws the random numbers that it would have drawn without it, on the card as well."""
    cards = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    return torch.random.fork_rng(devices=cards)


def random_state() -> dict[str, torch.Tensor]:
    """What torch draws next, by device; all of type uint8."""
    found = {"rng": torch.get_rng_state()}
    return found | ({"rng_card": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def set_random_state(state: dict[str, torch.Tensor]) -> None:
    """Put back what :func:`random_state` gave; other entries are let be."""
    torch.set_rng_state(state["rng"])
    if "rng_card" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["rng_card"])


@contextmanager
def repeatable(device: str) -> Iterator[None]:
    """A context in which training on a card gives the same numbers each time, as it does on the processor anyway.

    Operators that have no such way on a card are computed as they can be.
    """
    if device != "cuda":
        yield
        return
    memory: Any = torch.utils.deterministic
    before, fill = torch.are_deterministic_algorithms_enabled(), memory.fill_uninitialized_memory
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    memory.fill_uninitialized_memory = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=True):  # type: ignore[no-untyped-call]
            warnings.filterwarnings("ignore", message=".*deterministic.*")
            yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
        memory.fill_uninitialized_memory = fill
