"""Muon for the matrices of blocks, AdamW for everything else, and the schedule of their rates."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

BETAS, EPSILON, MOMENTUM, NEWTON = (0.9, 0.99), 1e-8, 0.95, 5
WARM_UP = 50
"""Steps in which rates rise, at most a twentieth of all."""


class Muon(torch.optim.Optimizer):
    """Steps of equal size in every direction of a matrix: its momentum, made nearly orthogonal.

    Steps are scaled by sqrt(rows / columns) for matrices with more rows than columns.

    References
    ----------
    Jordan et al., *Muon: an optimizer for hidden layers*, 2024.
    """

    def __init__(self, parameters: Any, lr: float, weight_decay: float, dtype: torch.dtype) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step from the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                momentum = state.setdefault("momentum", torch.zeros_like(parameter))
                momentum.lerp_(parameter.grad, 1 - MOMENTUM)
                turned = orthogonal(parameter.grad.lerp(momentum, MOMENTUM), self.dtype)
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(
                    turned, alpha=-math.sqrt(max(1.0, parameter.shape[0] / parameter.shape[1])) * group["lr"]
                )


def orthogonal(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """The matrix with its singular values brought near 1, by five steps of Newton and Schulz."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    found = (wide / (wide.norm() + 1e-7)).to(dtype)
    for _ in range(NEWTON):
        square = found @ found.T
        found = torch.addmm(found, torch.addmm(square, square, square, beta=-4.7750, alpha=2.0315), found, beta=3.4445)
    found = found.to(matrix.dtype)
    return found if matrix.shape[0] <= matrix.shape[1] else found.T


class Optimizers:
    """Several optimizers over parts of one network, with the face of one."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = [part for part in parts if part.param_groups]
        for group in self.param_groups:
            group["top_rate"] = group["lr"]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        """One step of each."""
        for part in self.parts:
            part.step()

    def set_rate(self, factor: float) -> None:
        """Every rate at this share of its highest."""
        for group in self.param_groups:
            group["lr"] = group["top_rate"] * factor

    def state_dict(self) -> dict[str, Any]:
        """Moments of all parameters under running numbers."""
        state, begin = {}, 0
        for part in self.parts:
            state.update({begin + number: value for number, value in part.state_dict()["state"].items()})
            begin += _count(part)
        return {"state": state, "param_groups": [part.state_dict()["param_groups"] for part in self.parts]}

    def load_state_dict(self, found: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        begin = 0
        for part, groups in zip(self.parts, found["param_groups"], strict=True):
            n = _count(part)
            mine = {number - begin: value for number, value in found["state"].items() if begin <= number < begin + n}
            part.load_state_dict({"state": mine, "param_groups": groups})
            begin += n


def _count(part: torch.optim.Optimizer) -> int:
    return sum(len(group["params"]) for group in part.param_groups)


def make_optimizers(
    network: nn.Module, *, kind: str, learning_rate: float, matrix_rate: float, weight_decay: float, dtype: torch.dtype
) -> Optimizers:
    """Optimizers of a decoder; only matrices decay."""
    named = list(network.named_parameters())
    matrices = [value for name, value in named if value.ndim == 2 and name.startswith("blocks.")]
    tables = [value for name, value in named if value.ndim == 2 and not name.startswith("blocks.")]
    rest = [value for _, value in named if value.ndim < 2]
    muon = Muon(matrices, matrix_rate, weight_decay, dtype) if kind == "muon" else None
    groups = [
        {"params": tables if muon else tables + matrices, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=learning_rate, betas=BETAS, eps=EPSILON, fused=True)
    return Optimizers(*([muon] if muon else []), adam)


def rate_at(step: int, steps: int) -> float:
    """Share of the highest rate at a step (from 0): a short rise, then straight down to zero.

    References
    ----------
    Bergsma et al., *Straight to zero*, 2025.
    """
    rise = max(1, min(WARM_UP, steps // 20))
    return min((step + 1) / rise, (steps - step) / max(1, steps - rise + 1), 1.0)
