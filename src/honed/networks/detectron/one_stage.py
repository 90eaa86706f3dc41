"""RetinaNet: every anchor of five maps says at once of which class it is and where the object lies.

References
----------
Lin et al., *Focal loss for dense object detection*, 2017.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from torchvision.ops import batched_nms

from honed.networks.detectron.boxes import decode, encode
from honed.networks.detectron.found import Found, Target
from honed.networks.detectron.matching import BACKGROUND, LEAVE_OUT, match
from honed.networks.detectron.proposals import Anchors, Dense, by_anchor
from honed.networks.detectron.pyramid import trunk_of
from honed.networks.detectron.settings import DetectronSettings

WEIGHTS = (1.0, 1.0, 1.0, 1.0)
CONVOLUTIONS, CANDIDATES, PRIOR = 4, 1000, 0.01
BALANCE, FOCUS = 0.25, 2.0
MEMORY, FIRST_TOTAL = 0.9, 100.0


def _tower(width: int) -> nn.Sequential:
    layers = [layer for _ in range(CONVOLUTIONS) for layer in (nn.Conv2d(width, width, 3, 1, 1), nn.ReLU())]
    return nn.Sequential(*layers)


class DenseHead(nn.Module):
    """Two towers of convolutions, one for classes and one for boxes, the same on all maps."""

    def __init__(self, width: int, n_anchors: int, n_classes: int) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.cls_subnet, self.bbox_subnet = _tower(width), _tower(width)
        self.cls_score = nn.Conv2d(width, n_anchors * n_classes, 3, 1, 1)
        self.bbox_pred = nn.Conv2d(width, n_anchors * 4, 3, 1, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.constant_(self.cls_score.bias, -math.log((1 - PRIOR) / PRIOR))  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A map to logits (n, a, n_classes) and deltas (n, a, 4)."""
        classes, boxes = self.cls_score(self.cls_subnet(x)), self.bbox_pred(self.bbox_subnet(x))
        return by_anchor(classes, self.n_classes), by_anchor(boxes, 4)


class OneStage(nn.Module):
    """Normalised, padded pictures (n, 3, H, W) and their sizes to objects; names of tensors are Detectron2's."""

    def __init__(self, settings: DetectronSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = trunk_of(settings)
        self.anchors = Anchors(settings)
        self.head = DenseHead(settings.width, self.anchors.n_each, settings.n_classes)
        self.usual_total = FIRST_TOTAL

    def forward(self, pixels: torch.Tensor, sizes: list[tuple[int, int]]) -> list[Found]:
        """Objects of pictures of these heights and widths before padding, boxes in their pixels."""
        return self.chosen(self.dense(self.backbone(pixels)), sizes)

    def chosen(self, dense: Dense, sizes: list[tuple[int, int]]) -> list[Found]:
        """Objects of each picture from what is said of its anchors."""
        return [self._of_picture(dense, i) for i in range(len(sizes))]

    def dense(self, maps: list[torch.Tensor]) -> Dense:
        """What is said of every anchor."""
        logits, deltas = zip(*(self.head(x) for x in maps), strict=True)
        return Dense(list(logits), list(deltas), self.anchors(maps))

    def _of_picture(self, dense: Dense, i: int) -> Found:
        boxes, scores, labels = [], [], []
        for logits, deltas, anchors in zip(*dense, strict=True):
            likely = logits[i].float().sigmoid()
            sure = likely > self.settings.least_score
            places = sure.nonzero()
            top, order = likely[sure].topk(min(CANDIDATES, len(places)))
            at, label = places[order].unbind(dim=1)
            boxes.append(decode(deltas[i, at], anchors[at], WEIGHTS))
            scores.append(top)
            labels.append(label)
        box, score, label_of = torch.cat(boxes), torch.cat(scores), torch.cat(labels)
        kept = batched_nms(box, score, label_of, self.settings.most_overlap)[: self.settings.most]
        return Found(box[kept], score[kept], label_of[kept])

    def losses(
        self, pixels: torch.Tensor, sizes: list[tuple[int, int]], targets: list[Target]
    ) -> dict[str, torch.Tensor]:
        """``classes`` (focal) and ``boxes``; training lowers their sum."""
        dense, n_classes = self.dense(self.backbone(pixels)), self.settings.n_classes
        anchors, deltas = torch.cat(dense.anchors), torch.cat(dense.deltas, 1)
        found = [self._wanted(anchors, target) for target in targets]
        labels = torch.stack([label for label, _ in found])
        part, at = labels >= 0, (labels >= 0) & (labels < n_classes)
        wanted = torch.cat([encode(anchors[a], box[a], WEIGHTS) for a, (_, box) in zip(at, found, strict=True)])
        total = self._total(int(at.sum()))
        true = one_hot(labels[part], n_classes + 1)[:, :-1].float()
        classes = focal_loss(torch.cat(dense.logits, 1)[part].float(), true)
        return {"classes": classes / total, "boxes": (deltas[at].float() - wanted).abs().sum() / total}

    def _total(self, n: int) -> float:
        """The number of objects' anchors that losses are divided by, smoothed over the steps."""
        self.usual_total = MEMORY * self.usual_total + (1 - MEMORY) * max(n, 1)
        return self.usual_total

    @torch.no_grad()
    def _wanted(self, anchors: torch.Tensor, target: Target) -> tuple[torch.Tensor, torch.Tensor]:
        which, kinds = match(anchors, target.boxes, low=0.4, high=0.5, rescue=True)
        labels = torch.full_like(which, self.settings.n_classes)
        if not len(target.boxes):
            return labels, torch.zeros_like(anchors)
        labels = torch.where(kinds == BACKGROUND, labels, target.labels[which])
        return labels.masked_fill(kinds == LEAVE_OUT, -1), target.boxes[which]


def focal_loss(logits: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Summed cross-entropy in which easy answers count little."""
    likely = logits.sigmoid()
    right = likely * true + (1 - likely) * (1 - true)
    balance = BALANCE * true + (1 - BALANCE) * (1 - true)
    return (balance * (1 - right) ** FOCUS * binary_cross_entropy_with_logits(logits, true, reduction="none")).sum()
