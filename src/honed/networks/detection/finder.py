"""What every network that finds objects offers, whoever designed it, so that one loop and one task serve them all.

A finder works on a canvas: pictures of one size, RGB from 0 to 1, padded right and below with the mean colour it expects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from honed.networks.detection.found import Found
from honed.networks.detection.truth import Truth


class Finder(Protocol):
    """A torch module that finds objects of ``labels`` on a canvas.

    Attributes
    ----------
    family : str
        What builds it again from its configuration, such as ``"honed-small-detector"``.
    labels : tuple of str
        Names of its classes; row i of the head belongs to label i.
    known : tuple of str
        Classes it was pre-trained to find; their rows are kept by :meth:`for_labels`.
    has_masks : bool
        It says outlines too.
    multiple : int
        Sides of the canvas are multiples of this.
    mean : three floats
        Colour of the padding, 0 to 1.
    head : Module
        The layer with one row (or a block of rows) for each class: it learns fastest.
    backbone : Module
        The part that only sees; its ``named_parameters`` give the depth of layers for layer-wise rates.
    """

    family: str
    labels: tuple[str, ...]
    known: tuple[str, ...]
    has_masks: bool
    multiple: int
    mean: tuple[float, float, float]

    @property
    def head(self) -> nn.Module:
        """See the class."""

    @property
    def backbone(self) -> nn.Module:
        """See the class."""

    def for_labels(self, labels: Sequence[str], seed: int) -> Finder:
        """The same network for a user's classes, in place: rows of classes it knows by name are kept, others are fresh."""

    def without_masks(self) -> None:
        """Leave out what only outlines need."""

    def losses(self, pixels: torch.Tensor, truth: Truth) -> dict[str, torch.Tensor]:
        """Parts of the loss on a canvas (n, 3, H, W); training lowers their sum. Crowds in the truth teach nothing."""

    def find(self, pixels: torch.Tensor, *, least_score: float, most: int) -> list[Found]:
        """Objects of each picture of a canvas, the surest first, boxes in pixels of the canvas."""

    def seen(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the backbone makes of each picture, (n, d): pooled features of its coarsest map."""

    def config(self) -> dict[str, Any]:
        """Plain JSON types that build the same architecture again: ``{"family": ..., "labels": [...], ...}``."""

    def save(self, folder: Path) -> None:
        """``config.json`` and ``model.safetensors``."""
