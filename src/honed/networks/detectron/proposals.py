"""The first stage: regions that may hold an object (Ren et al., *Faster R-CNN*, 2015)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, relu
from torchvision.ops import batched_nms

from honed.networks.detectron.boxes import cell_anchors, clip, decode, encode, grid_anchors, not_empty
from honed.networks.detectron.found import Target
from honed.networks.detectron.matching import LEAVE_OUT, match, sample
from honed.networks.detectron.settings import DetectronSettings

WEIGHTS = (1.0, 1.0, 1.0, 1.0)
MOST_OVERLAP, KEPT = 0.7, 1000
SAMPLES, OBJECT_SHARE = 256, 0.5


class Dense(NamedTuple):
    """What a head says of every anchor, level by level.

    Parameters
    ----------
    logits : list of Tensor (n, a, c)
    deltas : list of Tensor (n, a, 4)
    anchors : list of Tensor (a, 4)
    """

    logits: list[torch.Tensor]
    deltas: list[torch.Tensor]
    anchors: list[torch.Tensor]


def by_anchor(x: torch.Tensor, n_each: int) -> torch.Tensor:
    """(n, anchors of a place * n_each, h, w) to (n, h * w * anchors, n_each), places row by row."""
    n, _, height, width = x.shape
    return x.view(n, -1, n_each, height, width).permute(0, 3, 4, 1, 2).reshape(n, -1, n_each)


class Anchors(nn.Module):
    """The anchors of all levels for maps of any size; nothing in it is saved."""

    def __init__(self, settings: DetectronSettings) -> None:
        super().__init__()
        self.strides = settings.levels
        for i, sizes in enumerate(settings.anchor_sizes):
            self.register_buffer(f"cell{i}", cell_anchors(sizes), persistent=False)

    @property
    def n_each(self) -> int:
        """Anchors at each place."""
        return len(self.get_buffer("cell0"))

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        """Anchors (h * w * n_each, 4) of each map."""
        return [
            grid_anchors(self.get_buffer(f"cell{i}"), x.shape[-2], x.shape[-1], stride)
            for i, (x, stride) in enumerate(zip(maps, self.strides, strict=True))
        ]


class ProposalHead(nn.Module):
    """One convolution, then for each anchor whether it is an object and where."""

    def __init__(self, n_in: int, n_anchors: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_in, 3, 1, 1)
        self.objectness_logits = nn.Conv2d(n_in, n_anchors, 1)
        self.anchor_deltas = nn.Conv2d(n_in, n_anchors * 4, 1)
        for layer in (self.conv, self.objectness_logits, self.anchor_deltas):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A map to logits (n, a, 1) and deltas (n, a, 4)."""
        x = relu(self.conv(x))
        return by_anchor(self.objectness_logits(x), 1), by_anchor(self.anchor_deltas(x), 4)


class ProposalNetwork(nn.Module):
    """Maps to regions, and in training the two parts of its own loss."""

    def __init__(self, settings: DetectronSettings) -> None:
        super().__init__()
        pyramid = settings.trunk == "fpn"
        n_in = settings.width if pyramid else settings.res2_width * (4 if settings.trunk == "c4" else 8)
        self.anchors = Anchors(settings)
        self.rpn_head = ProposalHead(n_in, self.anchors.n_each)
        self.candidates = (2000, 1000) if pyramid else (12000, 6000)
        self.kept = (1000 if pyramid else 2000, KEPT)

    def forward(self, maps: list[torch.Tensor]) -> Dense:
        """What it says of every anchor."""
        logits, deltas = zip(*(self.rpn_head(x) for x in maps), strict=True)
        return Dense(list(logits), list(deltas), self.anchors(maps))

    @torch.no_grad()
    def regions(self, dense: Dense, sizes: list[tuple[int, int]]) -> list[torch.Tensor]:
        """Regions (k, 4) of each picture of these heights and widths, the likeliest first."""
        most, kept = (choice[0 if self.training else 1] for choice in (self.candidates, self.kept))
        return [self._of_picture(dense, i, size, most, kept) for i, size in enumerate(sizes)]

    def _of_picture(self, dense: Dense, i: int, size: tuple[int, int], most: int, kept: int) -> torch.Tensor:
        boxes, scores, levels = [], [], []
        for level, (logits, deltas, anchors) in enumerate(zip(*dense, strict=True)):
            top, places = logits[i, :, 0].topk(min(most, len(anchors)))
            boxes.append(decode(deltas[i, places], anchors[places], WEIGHTS))
            scores.append(top)
            levels.append(torch.full_like(places, level))
        box, score, level_of = torch.cat(boxes), torch.cat(scores), torch.cat(levels)
        whole = torch.isfinite(box).all(dim=1) & torch.isfinite(score)
        box = clip(box, size)
        stay = whole & not_empty(box)
        box, score, level_of = box[stay], score[stay], level_of[stay]
        return box[batched_nms(box, score.float(), level_of, MOST_OVERLAP)[:kept]]

    def losses(self, dense: Dense, targets: list[Target]) -> dict[str, torch.Tensor]:
        """``region`` (object or not) and ``region_box``, over a sample of anchors."""
        anchors = torch.cat(dense.anchors)
        logits, deltas = torch.cat(dense.logits, 1)[..., 0], torch.cat(dense.deltas, 1)
        found = [self._wanted(anchors, target) for target in targets]
        kinds, boxes = torch.stack([kind for kind, _ in found]), [box for _, box in found]
        at = kinds == 1
        wanted = torch.cat([encode(anchors[a], box[a], WEIGHTS) for a, box in zip(at, boxes, strict=True)])
        part, total = kinds >= 0, SAMPLES * len(targets)
        region = binary_cross_entropy_with_logits(logits[part].float(), kinds[part].float(), reduction="sum")
        return {"region": region / total, "region_box": (deltas[at].float() - wanted).abs().sum() / total}

    @staticmethod
    @torch.no_grad()
    def _wanted(anchors: torch.Tensor, target: Target) -> tuple[torch.Tensor, torch.Tensor]:
        which, kinds = match(anchors, target.boxes, low=0.3, high=0.7, rescue=True)
        objects, rest = sample(kinds, SAMPLES, OBJECT_SHARE, 0)
        chosen = torch.full_like(kinds, LEAVE_OUT)
        chosen[objects], chosen[rest] = 1, 0
        return chosen, target.boxes[which] if len(target.boxes) else torch.zeros_like(anchors)
