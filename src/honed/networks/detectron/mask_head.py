"""Outlines: for each region and class a small map of what belongs to the object (He et al., *Mask R-CNN*, 2017)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, grid_sample, relu
from torchvision.ops import roi_align

CONVOLUTIONS = 4


class MaskHead(nn.Module):
    """Pooled regions (k, c, m, m) to logits (k, n_classes, 2 m, 2 m)."""

    def __init__(self, n_in: int, width: int, n_classes: int, n_convolutions: int) -> None:
        super().__init__()
        self.n_convolutions = n_convolutions
        for i in range(n_convolutions):
            self.add_module(f"mask_fcn{i + 1}", nn.Conv2d(width if i else n_in, width, 3, 1, 1))
        self.deconv = nn.ConvTranspose2d(width if n_convolutions else n_in, width, 2, 2)
        self.predictor = nn.Conv2d(width, n_classes, 1)
        nn.init.normal_(self.predictor.weight, std=0.001)
        nn.init.zeros_(self.predictor.bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        for i in range(self.n_convolutions):
            x = relu(self.get_submodule(f"mask_fcn{i + 1}")(x))
        return self.predictor(relu(self.deconv(x)))


def of_class(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Logits (k, m, m) of one class for each region."""
    return logits[torch.arange(len(labels), device=labels.device), labels]


def mask_loss(logits: torch.Tensor, labels: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the maps of the true classes; 0 where there are no objects."""
    if not len(labels):
        return logits.sum() * 0
    return binary_cross_entropy_with_logits(of_class(logits, labels).float(), wanted.float())


def cut_masks(masks: torch.Tensor, boxes: torch.Tensor, size: int) -> torch.Tensor:
    """Whole masks (k, h, w) cut by boxes (k, 4) and brought to (k, size, size) bool, to learn from."""
    numbers = torch.arange(len(boxes), device=boxes.device, dtype=boxes.dtype)[:, None]
    rows = torch.cat([numbers, boxes], dim=1)
    return roi_align(masks[:, None].float(), rows.float(), size, 1.0, 0, aligned=True)[:, 0] >= 0.5


def paste_masks(masks: torch.Tensor, boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Probabilities (k, m, m) within boxes (k, 4) to whole masks (k, height, width) bool, True from one half on."""
    found = torch.zeros(len(masks), *size, dtype=torch.bool, device=masks.device)
    for i, (mask, box) in enumerate(zip(masks, boxes, strict=True)):
        left, top = (max(int(value) - 1, 0) for value in box[:2].floor())
        right, bottom = (
            min(int(value) + 1, limit) for value, limit in zip(box[2:].ceil(), (size[1], size[0]), strict=True)
        )
        x = (torch.arange(left, right, device=box.device) + 0.5 - box[0]) / (box[2] - box[0]) * 2 - 1
        y = (torch.arange(top, bottom, device=box.device) + 0.5 - box[1]) / (box[3] - box[1]) * 2 - 1
        grid = torch.stack([x[None].expand(len(y), -1), y[:, None].expand(-1, len(x))], dim=2)
        part = grid_sample(mask[None, None], grid[None].to(mask.dtype), align_corners=False)[0, 0]
        found[i, top:bottom, left:right] = part >= 0.5
    return found
