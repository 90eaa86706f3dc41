"""A small one-stage detector without anchor boxes: the small backbone, a feature pyramid, one head for all levels.

Every place of four maps says whether an object lies there (objectness), of which class, and how far its four sides are.
Objectness does not know the classes: it is what carries over to a user's own classes before a single one is learnt.

References
----------
Tian et al., *FCOS*, 2019 (distances to the sides); Lin et al., *Feature pyramid networks*, 2017; Lyu et al., *RTMDet*,
2022 (convolutions shared between levels, normalisations not).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import interpolate, relu

from honed.networks.detection.masks import MaskBranch
from honed.networks.pictures.small_backbone import SmallBackbone

STRIDES = (8, 16, 32, 64)
MULTIPLE = 64
"""Pictures are padded to a multiple of this many pixels."""


class Seen(NamedTuple):
    """What the network says of every place, a = the sum of h w / stride^2 over the levels.

    Parameters
    ----------
    objectness : Tensor (n, a)
        Logit: a well-placed box of some object.
    classes : Tensor (n, a, n_classes)
        Logits.
    boxes : Tensor (n, a, 4)
        x1, y1, x2, y2 in pixels of the padded picture.
    centres : Tensor (a, 2)
        Where the places lie, x and y in pixels.
    features : Tensor (n, a, width)
        What the box was said from; the masks are said from it too.
    shared : Tensor (n, SHARED, h / 4, w / 4), optional
        The map that all masks of a picture share; None where the network has no masks.
    """

    objectness: torch.Tensor
    classes: torch.Tensor
    boxes: torch.Tensor
    centres: torch.Tensor
    features: torch.Tensor
    shared: torch.Tensor | None = None


def _convolution(n_in: int, n_out: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False), nn.BatchNorm2d(n_out))


class Pyramid(nn.Module):
    """Maps of strides 8, 16, 32 to maps (n, width, h, w) of strides 8, 16, 32, 64, coarse knowledge added to fine."""

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(_convolution(w, width, 1) for w in widths)
        self.smooth = nn.ModuleList(_convolution(width, width) for _ in widths)
        self.extra = _convolution(width, width, 3, 2)

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        """The finest first."""
        found = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=True)]
        for i in range(len(found) - 1, 0, -1):
            found[i - 1] = found[i - 1] + interpolate(found[i], size=found[i - 1].shape[-2:], mode="nearest")
        found = [relu(smooth(x)) for smooth, x in zip(self.smooth, found, strict=True)]
        return [*found, relu(self.extra(found[-1]))]


class Tower(nn.Module):
    """Convolutions shared by all levels, each level with its own normalisation."""

    def __init__(self, width: int, depth: int, n_levels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(depth))
        self.norms = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(width) for _ in range(depth)) for _ in range(n_levels))

    def forward(self, x: torch.Tensor, level: int) -> torch.Tensor:
        """Same shape."""
        norms: nn.ModuleList = self.norms[level]  # type: ignore[assignment]
        for convolution, norm in zip(self.convolutions, norms, strict=True):
            x = relu(norm(convolution(x)))
        return x


class SmallDetector(nn.Module):
    """Normalised pictures (n, 3, h, w), h and w multiples of 64, to :class:`Seen`.

    Parameters
    ----------
    n_classes : int
    backbone : SmallBackbone, optional
        Its last three maps are used; a new one if left out.
    width, depth : int
        Channels of pyramid and head; convolutions of each of the head's two towers.
    masks : bool
        Whether the outlines of objects are learnt too.
    """

    def __init__(
        self,
        n_classes: int,
        backbone: SmallBackbone | None = None,
        width: int = 64,
        depth: int = 2,
        masks: bool = False,
    ) -> None:
        super().__init__()
        self.n_classes, self.width, self.depth = n_classes, width, depth
        self.backbone = backbone or SmallBackbone()
        self.pyramid = Pyramid(self.backbone.widths[-3:], width)
        self.what, self.where = Tower(width, depth, len(STRIDES)), Tower(width, depth, len(STRIDES))
        self.classes, self.sides, self.objectness = (nn.Conv2d(width, n, 3, 1, 1) for n in (n_classes, 4, 1))
        for layer in (self.classes, self.sides, self.objectness):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.constant_(self.objectness.bias, -math.log(99))  # type: ignore[arg-type]
        self.masks = MaskBranch(self.backbone.widths[-4], width) if masks else None

    def forward(self, pixels: torch.Tensor) -> Seen:
        """See the class."""
        maps = self.backbone.maps(pixels)
        levels = self.pyramid(maps[-3:])
        found = [self._level(x, i) for i, x in enumerate(levels)]
        objectness, classes, boxes, centres, features = zip(*found, strict=True)
        shared = self.masks.shared(maps[-4], levels[0]) if self.masks else None
        return Seen(
            torch.cat(objectness, 1), torch.cat(classes, 1), torch.cat(boxes, 1), torch.cat(centres),
            torch.cat(features, 1), shared,
        )  # fmt: skip

    def _level(self, x: torch.Tensor, level: int) -> tuple[torch.Tensor, ...]:
        stride = STRIDES[level]
        what, where = self.what(x, level), self.where(x, level)
        classes = self.classes(what).flatten(2).transpose(1, 2).float()
        objectness = self.objectness(where).flatten(1).float()
        sides = self.sides(where).flatten(2).transpose(1, 2).float().clamp(-4, 5).exp() * stride
        centres = centres_of(x.shape[-2], x.shape[-1], stride, sides)
        boxes = torch.cat([centres - sides[..., :2], centres + sides[..., 2:]], dim=-1)
        return objectness, classes, boxes, centres, where.flatten(2).transpose(1, 2)

    def with_classes(self, n_classes: int) -> SmallDetector:
        """New rows for a user's classes, all else as it is; the rows start at zero, so that objectness alone decides."""
        fresh = nn.Conv2d(self.width, n_classes, 3, 1, 1)
        nn.init.zeros_(fresh.weight)
        nn.init.zeros_(fresh.bias)  # type: ignore[arg-type]
        self.classes, self.n_classes = fresh.to(self.sides.weight.device), n_classes
        return self


def centres_of(height: int, width: int, stride: int, like: torch.Tensor) -> torch.Tensor:
    """Middles (h w, 2) of a map's cells, x and y in pixels, row by row."""
    y = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) * stride
    x = (torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) * stride
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1)


def padded(pictures: list[torch.Tensor]) -> torch.Tensor:
    """Normalised pictures (3, h, w) of several sizes in one batch (n, 3, H, W), the mean colour right and below."""
    height = _up(max(picture.shape[1] for picture in pictures))
    width = _up(max(picture.shape[2] for picture in pictures))
    batch = pictures[0].new_zeros(len(pictures), 3, height, width)
    for i, picture in enumerate(pictures):
        batch[i, :, : picture.shape[1], : picture.shape[2]] = picture
    return batch.contiguous(memory_format=torch.channels_last)


def _up(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE
