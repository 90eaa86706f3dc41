"""A network for prediction alone: normalisations become part of the convolutions before them, pictures lie channels last.

What a normalisation does once nothing is learnt any more is to multiply and shift each channel. So does a convolution; one
of the two suffices, and a pass over every map is saved. Which normalisation follows which convolution is seen by running
the network once, so that it works for networks of any library.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from torch import nn

from honed.networks.gap import gap_between
from honed.networks.quick_convolutions import quicken
from honed.tasks.contract import Batch

Affine = tuple[torch.Tensor, torch.Tensor]
TOLERANCE = 1e-3
"""Largest difference that joining may make, relative to the largest number: sums in another order differ by far less."""


@torch.no_grad()
def joined(network: Any, batch: Batch, *, quick: bool = False) -> Any | None:
    """A copy of a network that computes the same with fewer steps; None where there is nothing to join.

    Parameters
    ----------
    network : Network
        In evaluation mode; it is left as it is.
    batch : Batch
        What it is run on once. A copy whose numbers differ on it is not given.
    quick : bool
        Convolutions are also computed by what is quickest for their shape, in full precision; see
        :mod:`honed.networks.quick_convolutions`.
    """
    if not any(isinstance(part, nn.Conv2d) for part in network.modules()):
        return None
    twin = copy.deepcopy(network).eval()
    work = getattr(twin, "for_engines", twin)
    wanted, pairs = _run_and_watch(work, batch)
    for convolution, norm in pairs:
        _join(twin, convolution, norm)
    twin.to(memory_format=torch.channels_last)
    if gap_between(work, work(batch), wanted) > TOLERANCE:
        return None
    if not quick or not quicken(twin):
        return twin
    return twin if gap_between(work, work(batch), wanted) <= TOLERANCE else joined(network, batch)


def _run_and_watch(network: Any, batch: Batch) -> tuple[torch.Tensor, list[tuple[nn.Conv2d, nn.Module]]]:
    """What it gives, and the pairs of a convolution and the normalisation of its output that are used but once."""
    made: dict[int, tuple[nn.Conv2d, torch.Tensor]] = {}
    calls: Counter[nn.Module] = Counter()
    found: list[tuple[nn.Conv2d, nn.Module]] = []
    within = {part.norm: part for part in network.modules() if isinstance(part, nn.Conv2d) and hasattr(part, "norm")}

    def after(part: nn.Module, given: Any, output: Any) -> None:
        calls[part] += 1
        if isinstance(part, nn.Conv2d):
            made[id(output)] = (part, output)  # the tensor is kept, so that its number is no other's
        elif part in within:
            found.append((within[part], part))
        elif id(given[0]) in made:
            found.append((made[id(given[0])][0], part))

    watched = [part for part in network.modules() if isinstance(part, nn.Conv2d) or hasattr(part, "running_var")]
    handles = [part.register_forward_hook(after) for part in watched]
    try:
        outputs = network(batch)
    finally:
        for handle in handles:
            handle.remove()
    return outputs, [pair for pair in found if calls[pair[0]] == calls[pair[1]] == 1]


def _join(network: nn.Module, convolution: nn.Conv2d, norm: nn.Module) -> None:
    """Into the convolution, in place, where the normalisation is one that multiplies and shifts."""
    told = _factor_and_shift(norm, convolution.out_channels)
    if told is None:
        return
    factor, shift = told
    bias = torch.zeros_like(shift) if convolution.bias is None else convolution.bias.double()
    weight = convolution.weight
    convolution.weight = nn.Parameter((weight.double() * factor[:, None, None, None]).to(weight), requires_grad=False)
    convolution.bias = nn.Parameter((bias * factor + shift).to(weight), requires_grad=False)
    name = next(name for name, part in network.named_modules() if part is norm)
    owner, _, last = name.rpartition(".")
    setattr(network.get_submodule(owner), last, nn.Identity())


def _factor_and_shift(norm: nn.Module, channels: int) -> Affine | None:
    """Found by asking; None for one that does something else too, such as an activation."""
    exact = copy.deepcopy(norm).double()
    device = next(iter(exact.buffers())).device
    points = [torch.full((1, channels, 1, 1), value, dtype=torch.float64, device=device) for value in (0, 1, -3, 5)]
    try:
        shift, first, low, high = (exact(point).flatten() for point in points)
    except RuntimeError:
        return None
    factor = first - shift
    straight = torch.allclose(low, shift - 3 * factor) and torch.allclose(high, shift + 5 * factor)
    return (factor, shift) if straight and len(shift) == channels else None
