"""Faster R-CNN and Mask R-CNN: regions, then classes, boxes and outlines."""

from __future__ import annotations

import torch
from torch import nn

from honed.networks.detectron.box_head import BoxHead, BoxPredictor, box_losses, found_boxes
from honed.networks.detectron.found import Found, Target
from honed.networks.detectron.mask_head import CONVOLUTIONS, MaskHead, cut_masks, mask_loss, of_class
from honed.networks.detectron.matching import match, sample
from honed.networks.detectron.pooling import pool
from honed.networks.detectron.proposals import Dense, ProposalNetwork
from honed.networks.detectron.pyramid import trunk_of
from honed.networks.detectron.resnet import stage
from honed.networks.detectron.settings import DetectronSettings

SAMPLES, OBJECT_SHARE, LEAST_OVERLAP = 512, 0.25, 0.5
BOX_SIDE, MASK_SIDE = 7, 14


class RegionHeads(nn.Module):
    """All that is done with regions; with the trunk ``c4`` the fifth stage of the residual network is part of it."""

    def __init__(self, settings: DetectronSettings) -> None:
        super().__init__()
        self.settings = settings
        shared = settings.trunk == "c4"
        self.strides = settings.levels[:-1] if settings.trunk == "fpn" else settings.levels
        self.res5 = stage(5, settings) if shared else None
        n_in = settings.width if settings.trunk == "fpn" else settings.res2_width * 8
        self.box_head = None if shared else BoxHead(n_in * BOX_SIDE**2, settings.hidden)
        self.box_predictor = BoxPredictor(n_in if shared else settings.hidden, settings.n_classes)
        self.mask_head = None
        if settings.masks:
            self.mask_head = MaskHead(n_in, settings.mask_width, settings.n_classes, 0 if shared else CONVOLUTIONS)

    def forward(
        self, maps: list[torch.Tensor], regions: list[torch.Tensor], sizes: list[tuple[int, int]]
    ) -> list[Found]:
        """Objects of each picture."""
        logits, deltas = self.box_predictor(self.summary(self.pooled(maps, regions, BOX_SIDE)))
        counts = [len(boxes) for boxes in regions]
        parts = zip(logits.split(counts), deltas.split(counts), regions, sizes, strict=True)
        found = [found_boxes(*part, self.settings) for part in parts]
        return found if self.mask_head is None else self.outlined(maps, found)

    def pooled(self, maps: list[torch.Tensor], regions: list[torch.Tensor], side: int) -> torch.Tensor:
        """Features (all regions, c, side, side) under the regions."""
        maps = maps[: len(self.strides)]
        if self.res5 is None:
            return pool(maps, self.strides, regions, side)
        return self.res5(pool(maps, self.strides, regions, 2 * BOX_SIDE))

    def summary(self, pooled: torch.Tensor) -> torch.Tensor:
        """One row for each region."""
        return pooled.mean(dim=(2, 3)) if self.box_head is None else self.box_head(pooled)

    def outlined(self, maps: list[torch.Tensor], found: list[Found]) -> list[Found]:
        """The same objects, each with a small map of probabilities within its box."""
        assert self.mask_head is not None
        pooled = self.pooled(maps, [one.boxes for one in found], MASK_SIDE)
        masks = of_class(self.mask_head(pooled), torch.cat([one.labels for one in found])).sigmoid()
        parts = masks.split([len(one.labels) for one in found])
        return [one._replace(masks=part) for one, part in zip(found, parts, strict=True)]

    def losses(
        self, maps: list[torch.Tensor], regions: list[torch.Tensor], targets: list[Target]
    ) -> dict[str, torch.Tensor]:
        """``classes``, ``boxes`` and, with a mask head, ``masks``, over a sample of the regions."""
        drawn = [self._drawn(*pair) for pair in zip(regions, targets, strict=True)]
        boxes = [box for box, _, _ in drawn]
        labels = torch.cat([label for _, label, _ in drawn])
        wanted = torch.cat(
            [_boxes_of(target, owner, box) for (box, _, owner), target in zip(drawn, targets, strict=True)]
        )
        pooled = self.pooled(maps, boxes, BOX_SIDE)
        logits, deltas = self.box_predictor(self.summary(pooled))
        found = box_losses(logits, deltas, torch.cat(boxes), wanted, labels)
        if self.mask_head is None:
            return found
        objects = [label < self.settings.n_classes for _, label, _ in drawn]
        inner = [box[at] for box, at in zip(boxes, objects, strict=True)]
        features = pooled[torch.cat(objects)] if self.res5 is not None else self.pooled(maps, inner, MASK_SIDE)
        small = self.mask_head(features)
        cuts = [
            cut_masks(target.masks[owner[at]], box, small.shape[-1])
            for target, (_, _, owner), at, box in zip(targets, drawn, objects, inner, strict=True)
            if target.masks is not None and len(box)
        ]
        true = torch.cat(cuts) if cuts else small.new_zeros(0, *small.shape[-2:])
        return {**found, "masks": mask_loss(small, labels[torch.cat(objects)], true)}

    @torch.no_grad()
    def _drawn(self, regions: torch.Tensor, target: Target) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Regions of a picture to learn from, their labels (background last), and the target of each."""
        regions = torch.cat([regions, target.boxes])
        which, kinds = match(regions, target.boxes, low=LEAST_OVERLAP, high=LEAST_OVERLAP, rescue=False)
        labels = torch.full_like(which, self.settings.n_classes)
        if len(target.labels):
            labels = torch.where(kinds == 1, target.labels[which], labels)
        chosen = torch.cat(sample(labels, SAMPLES, OBJECT_SHARE, self.settings.n_classes))
        return regions[chosen], labels[chosen], which[chosen]


def _boxes_of(target: Target, owner: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
    return target.boxes[owner] if len(target.boxes) else regions


class TwoStages(nn.Module):
    """Normalised, padded pictures (n, 3, H, W) and their sizes to objects; names of tensors are Detectron2's."""

    def __init__(self, settings: DetectronSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = trunk_of(settings)
        self.proposal_generator = ProposalNetwork(settings)
        self.roi_heads = RegionHeads(settings)

    def forward(self, pixels: torch.Tensor, sizes: list[tuple[int, int]]) -> list[Found]:
        """Objects of pictures of these heights and widths before padding, boxes in their pixels."""
        maps = self.backbone(pixels)
        return self.chosen(maps, self.proposal_generator(maps), sizes)

    def chosen(self, maps: list[torch.Tensor], dense: Dense, sizes: list[tuple[int, int]]) -> list[Found]:
        """Objects of each picture from its maps and what is said of its anchors."""
        found: list[Found] = self.roi_heads(maps, self.proposal_generator.regions(dense, sizes), sizes)
        return found

    def losses(
        self, pixels: torch.Tensor, sizes: list[tuple[int, int]], targets: list[Target]
    ) -> dict[str, torch.Tensor]:
        """The parts of the loss; training lowers their sum."""
        maps = self.backbone(pixels)
        dense = self.proposal_generator(maps)
        first = self.proposal_generator.losses(dense, targets)
        return {**first, **self.roi_heads.losses(maps, self.proposal_generator.regions(dense, sizes), targets)}
