"""How far what two ways of computing a network give lies apart: what an export, or layers that were joined, are judged by."""

from __future__ import annotations

from typing import Any

import torch


def gap_between(network: Any, found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Largest difference of two outputs (n, ...), as a share of the largest number wanted, or of 1 where all are smaller.

    A network of which not every number counts, or not where it stands, says so by a ``gap(found, wanted)`` of its own.
    Outputs of other shapes, or with numbers that are none, are infinitely far.
    """
    if found.shape != wanted.shape or not bool(torch.isfinite(found).all()):
        return float("inf")
    if not wanted.numel():
        return 0.0
    own = getattr(network, "gap", None)
    return float(own(found, wanted)) if own is not None else plain_gap(found, wanted)


def plain_gap(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The same where every number counts, and where it stands."""
    return float((found - wanted).abs().max()) / max(1.0, float(wanted.abs().max()))
