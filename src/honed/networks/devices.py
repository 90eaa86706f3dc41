"""Where networks are computed: on the graphics card that torch can use, else on the processor."""

from __future__ import annotations

import copy
from typing import Any

import torch


def best_device() -> str:
    """ "cuda" where torch can use a graphics card, else "cpu". ``CUDA_VISIBLE_DEVICES=""`` hides the cards."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def card_name() -> str:
    """What the maker calls the graphics card that is used, or ""."""
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else ""


def placed(network: Any) -> Any:
    """The network, moved to the best device."""
    return network.to(best_device())


def on_processor(network: Any) -> Any:
    """The network where it is on the processor, else a copy of it there."""
    first = next(network.parameters(), None)
    return network if first is None or first.device.type == "cpu" else copy.deepcopy(network).to("cpu")
