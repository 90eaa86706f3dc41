"""A moving average of the weights beside those that learn: it wavers less, and is often the better network.

References
----------
Polyak and Juditsky, *Acceleration of stochastic approximation by averaging*, 1992; Tarvainen and Valpola, *Mean teachers
are better role models*, 2017 (the exponential form).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Average:
    """The exponential moving average of what moves in a network: weights that are trained, and statistics of batches.

    Parameters
    ----------
    network : torch module
        Averaged from now on; :meth:`update` is called after each optimizer step.
    steps : float
        How many steps it looks back, at least 1. The first ones look back less, so that the start is soon forgotten.
    """

    def __init__(self, network: Any, steps: float) -> None:
        self.slowest, self.n = 1.0 - 1.0 / max(1.0, steps), 0
        self.live = moving(network)
        self.kept = {name: value.detach().clone() for name, value in self.live.items()}

    def update(self) -> None:
        """Take the weights as they stand into the average."""
        self.n += 1
        share = 1.0 - min(self.slowest, self.n / (9.0 + self.n))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.kept.values()), [one.detach() for one in self.live.values()], share)

    def swap(self) -> None:
        """The network holds the average and this object the weights, or back; nothing is copied."""
        for name, value in self.live.items():
            value.data, self.kept[name].data = self.kept[name].data, value.data

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The network as its average for a while."""
        self.swap()
        try:
            yield
        finally:
            self.swap()


def moving(network: Any) -> dict[str, torch.Tensor]:
    """What training changes, by name: parameters that learn, and buffers of real numbers that are saved with them."""
    kept = network.state_dict(keep_vars=True)
    return {
        name: value
        for name, value in kept.items()
        if value.is_floating_point() and (value.requires_grad or not isinstance(value, torch.nn.Parameter))
    }
