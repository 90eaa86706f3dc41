"""Convolutions for prediction in full precision by what is quickest for their shape; torch always takes the direct way.

Of 3 by 3 over large maps Winograd's method needs a quarter of the multiplications: torch carries it in its library NNPACK, but
never takes it for a single picture. 1 by 1 is a matrix product over all places, for which torch's own way copies maps. On one
core of an AMD EPYC, milliseconds: 256 channels of 48 x 64, 3 by 3: 32.3 directly, 12.2 by Winograd; 64 of 96 x 128: 8.3 and
5.0; 256 of 12 x 16: 2.4 and 2.7, because there the weights are as large as the maps.

References
----------
Lavin and Gray, *Fast algorithms for convolutional neural networks*, 2015.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

LEAST_PLACES, LEAST_WEIGHTS = 512, 2048
"""Height x width of a map, and channels in x channels out, from which Winograd's method pays."""
MOST_THREADS, LEAST_EACH = 4, 32
"""Threads up to which it pays, for its parts all transform the same map; channels that each part makes."""


def quicken(network: nn.Module) -> int:
    """Give every convolution of a network, in place, its quickest way, and say how many have one now.

    The network can only predict afterwards, in full precision.
    """
    known: dict[nn.Module, nn.Module | None] = {}
    places = [(owner, name, part) for owner in network.modules() for name, part in owner.named_children()]
    for owner, name, part in places:
        if part not in known:
            known[part] = _quick(part)
        if known[part] is not None:
            setattr(owner, name, known[part])
    return sum(part is not None for part in known.values())


def _quick(part: nn.Module) -> nn.Module | None:
    if not isinstance(part, nn.Conv2d) or not isinstance(getattr(part, "norm", None), nn.Identity | None):
        return None
    if part.stride != (1, 1) or part.dilation != (1, 1) or part.groups != 1 or part.padding_mode != "zeros":
        return None
    if part.kernel_size == (1, 1) and part.padding == (0, 0):
        return ByProduct(part)
    plain = part.kernel_size == (3, 3) and part.padding == (1, 1)
    return ByWinograd(part) if plain and part.weight[:, :, 0, 0].numel() >= LEAST_WEIGHTS and _nnpack() else None


class ByProduct(nn.Module):
    """A 1 by 1 convolution as a linear layer on maps that lie channels last."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(convolution.weight.flatten(1).contiguous(), requires_grad=False)
        self.bias = convolution.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h, w), channels last."""
        rows = x.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
        return linear(rows, self.weight, self.bias).permute(0, 3, 1, 2)


class ByWinograd(nn.Module):
    """A 3 by 3 convolution by Winograd's method where the map is large enough, picture by picture, so that neighbours in a
    batch change nothing. It takes the convolution over: the weights are kept once, in the layout that NNPACK reads."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        weight = convolution.weight.detach().contiguous(memory_format=torch.contiguous_format)
        convolution.weight = nn.Parameter(weight, requires_grad=False)
        self.direct = convolution

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h, w)."""
        threads = torch.get_num_threads()
        if x.shape[-2] * x.shape[-1] < LEAST_PLACES or threads > MOST_THREADS or not _plain(x):
            found: torch.Tensor = self.direct(x)
            return found
        pictures = [self._picture(one, threads) for one in x.contiguous().split(1)]
        return pictures[0] if len(pictures) == 1 else torch.cat(pictures)

    def _picture(self, x: torch.Tensor, threads: int) -> torch.Tensor:
        weight, bias = self.direct.weight, self.direct.bias
        parts = min(threads, len(weight) // LEAST_EACH)
        if parts < 2:
            return _by_nnpack(x, weight, bias)
        shares = zip(weight.chunk(parts), [None] * parts if bias is None else bias.chunk(parts), strict=True)
        return torch.cat(list(_pool().map(lambda share: _by_nnpack(x, *share), shares)), dim=1)


@torch.no_grad()
def _by_nnpack(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    found: torch.Tensor = torch.ops.aten._nnpack_spatial_convolution(x, weight, bias, [1, 1], [1, 1])
    return found


def _plain(x: torch.Tensor) -> bool:
    """True for float32 on the CPU that nothing is learnt from."""
    learning = torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    return x.dtype == torch.float32 and x.device.type == "cpu" and not learning and not torch.is_autocast_enabled("cpu")


@cache
def _nnpack() -> bool:
    """Whether this torch has the library, and the library knows this processor; asking also makes it ready."""
    there: Any = getattr(torch, "_nnpack_available", None)
    return there is not None and bool(there()) and hasattr(torch.ops.aten, "_nnpack_spatial_convolution")


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that make parts of one map; the library itself computes with one."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="convolutions")
