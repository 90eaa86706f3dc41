"""The second stage: of which class a region is, and where exactly the object lies."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy, relu
from torchvision.ops import batched_nms

from honed.networks.detectron.boxes import clip, decode, encode
from honed.networks.detectron.found import Found
from honed.networks.detectron.settings import DetectronSettings

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


class BoxHead(nn.Module):
    """Two layers on a pooled region (k, c, 7, 7), giving (k, hidden)."""

    def __init__(self, n_in: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(n_in, hidden), nn.Linear(hidden, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return relu(self.fc2(relu(self.fc1(x.flatten(1)))))


class BoxPredictor(nn.Module):
    """Classes (background last) and, for each class, deltas."""

    def __init__(self, n_in: int, n_classes: int) -> None:
        super().__init__()
        self.cls_score, self.bbox_pred = nn.Linear(n_in, n_classes + 1), nn.Linear(n_in, n_classes * 4)
        nn.init.normal_(self.cls_score.weight, std=0.01)
        nn.init.normal_(self.bbox_pred.weight, std=0.001)
        nn.init.zeros_(self.cls_score.bias)
        nn.init.zeros_(self.bbox_pred.bias)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(k, n_in) to logits (k, n_classes + 1) and deltas (k, n_classes * 4)."""
        return self.cls_score(x), self.bbox_pred(x)


def found_boxes(
    logits: torch.Tensor, deltas: torch.Tensor, regions: torch.Tensor, size: tuple[int, int], settings: DetectronSettings
) -> Found:  # fmt: skip
    """Objects of one picture from what is said of its k regions."""
    scores, boxes = logits.float().softmax(dim=1), decode(deltas, regions, WEIGHTS)
    whole = torch.isfinite(boxes).all(dim=1) & torch.isfinite(scores).all(dim=1)
    scores, boxes = scores[whole, :-1], boxes[whole]
    boxes = clip(boxes.reshape(-1, 4), size).view(-1, scores.shape[1], 4)
    sure = scores > settings.least_score
    labels = sure.nonzero()[:, 1]
    boxes, scores = boxes[sure], scores[sure]
    kept = batched_nms(boxes, scores, labels, settings.most_overlap)[: settings.most]
    return Found(boxes[kept], scores[kept], labels[kept])


def box_losses(
    logits: torch.Tensor, deltas: torch.Tensor, regions: torch.Tensor, wanted: torch.Tensor, labels: torch.Tensor
) -> dict[str, torch.Tensor]:
    """``classes`` and ``boxes`` over sampled regions (k, 4) with the boxes and labels (k,) they are to give."""
    n_classes = logits.shape[1] - 1
    at = (labels < n_classes).nonzero()[:, 0]
    given = deltas.view(len(deltas), n_classes, 4)[at, labels[at]].float()
    parts = (given - encode(regions[at], wanted[at], WEIGHTS)).abs().sum()
    return {"classes": cross_entropy(logits.float(), labels), "boxes": parts / max(len(labels), 1)}
