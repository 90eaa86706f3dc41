"""Our own networks of the Detectron family as finders: Faster and Mask R-CNN, RetinaNet, with a pyramid or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate

from honed.networks.detection.families.base import (
    FamilyFinder,
    as_colour,
    objects_of,
    seeded,
    with_rows,
    within,
    without_crowds,
)
from honed.networks.detection.families.heads_alone import two_stages_alone
from honed.networks.detection.found import Found
from honed.networks.detection.masks import GRID
from honed.networks.detection.recipe import Alone
from honed.networks.detection.truth import Truth
from honed.networks.detectron import box_head
from honed.networks.detectron.detector import KIND, build_detector
from honed.networks.detectron.found import Target
from honed.networks.detectron.one_stage import CANDIDATES, WEIGHTS
from honed.networks.detectron.proposals import MOST_OVERLAP, Dense
from honed.networks.detectron.settings import DetectronSettings

FAMILY = KIND


PER_CLASS = {
    "roi_heads.box_predictor.cls_score": 1, "roi_heads.box_predictor.bbox_pred": 4, "roi_heads.mask_head.predictor": 1,
}  # fmt: skip
"""Layers whose rows go class by class, and how many rows each class has."""
DENSE = "head.cls_score"
"""The layer whose rows go anchor by anchor, and class by class within an anchor."""


class DetectronFinder(FamilyFinder):
    """See :class:`honed.networks.detectron.two_stages.TwoStages` and ``one_stage.OneStage``."""

    family = FAMILY

    def __init__(self, settings: DetectronSettings, labels: Sequence[str], known: Sequence[str] | None = None) -> None:
        super().__init__(build_detector(replace(settings, n_classes=len(labels))), labels, known)
        self.has_masks, self.multiple = settings.masks, settings.multiple
        order = slice(None, None, -1) if settings.bgr else slice(None)
        red, green, blue = (value / 255 for value in settings.mean[order])
        self.mean = (red, green, blue)

    @property
    def settings(self) -> DetectronSettings:
        """Facts of the architecture."""
        found: DetectronSettings = self.network.settings
        return found

    @property
    def head(self) -> nn.Module:
        """All layers with rows for classes."""
        if self.settings.kind == "retinanet":
            return self.network.head.cls_score
        heads = self.network.roi_heads
        return (
            nn.ModuleList([heads.box_predictor, heads.mask_head.predictor]) if self.has_masks else heads.box_predictor
        )

    @property
    def backbone(self) -> nn.Module:
        """With its pyramid, where there is one."""
        return self.network.backbone

    def config(self) -> dict[str, Any]:
        """The settings, as ``config.json`` of a converted checkpoint has them too."""
        return {**self.named(), "model_type": KIND, **self.settings.as_dict()}

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """In the network's order of colours, from 0 to 255 before the mean is taken away."""
        ordered = pixels.flip(1) if self.settings.bgr else pixels
        return (ordered * 255 - as_colour(self.settings.mean, pixels)) / as_colour(self.settings.std, pixels)

    def for_labels(self, labels: Sequence[str], seed: int) -> DetectronFinder:
        """In place; fresh rows are drawn small."""
        with seeded(seed):
            fresh = build_detector(replace(self.settings, n_classes=len(labels)))
        fresh.to(next(self.network.parameters()).device).train(self.training)
        old, new = self.network.state_dict(), fresh.state_dict()
        fresh.load_state_dict({name: self._carried(name, old[name], value, labels) for name, value in new.items()})
        self.network, self.labels = fresh, tuple(labels)
        return self

    def _carried(self, name: str, old: torch.Tensor, fresh: torch.Tensor, labels: Sequence[str]) -> torch.Tensor:
        """A tensor for other classes: of layers with rows for classes those that stay by name, of others all."""
        layer = name.rpartition(".")[0]
        if layer == DENSE:
            return with_rows(old, fresh, self.labels, labels, blocks=len(old) // len(self.labels))
        if layer in PER_CLASS:
            return with_rows(old, fresh, self.labels, labels, each=PER_CLASS[layer])
        return old

    def losses(self, pixels: torch.Tensor, truth: Truth) -> dict[str, torch.Tensor]:
        """The network's own parts."""
        pixels, truth = without_crowds(pixels, truth.to(pixels.device), self.mean)
        targets = [Target(*some) for some in objects_of(truth, pixels.shape[-2:], pixels.device, self.has_masks)]
        parts: dict[str, torch.Tensor] = self.network.losses(self.normalised(pixels), _sizes(pixels), targets)
        return parts if truth.masks is not None else {name: part for name, part in parts.items() if name != "masks"}

    def parts(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Logits of every anchor, then deltas, level by level; of a network of two stages the maps before them."""
        maps = self.network.backbone(self.normalised(pixels))
        if self.settings.kind == "retinanet":
            dense = self.network.dense(maps)
            return [*dense.logits, *dense.deltas]
        dense = self.network.proposal_generator(maps)
        return [*maps, *dense.logits, *dense.deltas]

    @torch.no_grad()
    def from_parts(
        self, parts: Sequence[torch.Tensor], size: tuple[int, int], *, least_score: float, most: int
    ) -> list[Found]:
        """What the network chooses."""
        for part in (self.network, getattr(self.network, "roi_heads", self.network)):
            part.settings = replace(part.settings, least_score=least_score, most=most)
        n, sizes = len(self.settings.levels), [size] * len(parts[0])
        dense = Dense(list(parts[-2 * n : -n]), list(parts[-n:]), self._anchors(size))
        if self.settings.kind == "retinanet":
            answers = self.network.chosen(dense, sizes)
        else:
            answers = self.network.chosen(list(parts[: -2 * n]), dense, sizes)
        return [within(Found(one.boxes, one.scores, one.labels, _on_grid(one.masks)), size) for one in answers]

    def alone(self, size: tuple[int, int]) -> Alone | None:
        """As the network chooses; not where a stage of its trunk is part of the head."""
        if self.settings.kind != "retinanet":
            return self._two_stages_alone(size) if self.settings.trunk == "fpn" else None
        anchors, shapes = self._anchors(size), self.shapes(size)
        n = sum(len(some) for some in anchors)
        facts = {
            "kind": "retinanet", "candidates": CANDIDATES, "most_overlap": self.settings.most_overlap,
            "cut_last": True, "seen": list(size), "levels": [len(some) for some in anchors], "weights": WEIGHTS,
            "shapes": [[n, shapes[0][-1]], [n, shapes[-1][-1]]],
        }  # fmt: skip
        return Alone(facts, {"anchors": torch.cat(anchors).cpu().numpy()})

    def _two_stages_alone(self, size: tuple[int, int]) -> Alone:
        heads, proposals, anchors = self.network.roi_heads, self.network.proposal_generator, self._anchors(size)
        facts = {
            "labels": self.settings.n_classes, "background_first": False, "most_overlap": self.settings.most_overlap,
            "seen": list(size), "weights": box_head.WEIGHTS, "least_side": 0.0, "levels": [len(some) for some in anchors],
            "strides": list(heads.strides), "samples": 0, "aligned": True, "candidates": proposals.candidates[1],
            "regions": proposals.kept[1], "region_overlap": MOST_OVERLAP, "least_region_side": 0.0,
            "least_region_score": 0.0,
        }  # fmt: skip
        told, masks = heads.box_predictor, heads.mask_head
        boxes = (heads.box_head.fc1, heads.box_head.fc2, told.cls_score, told.bbox_pred)
        if masks is None:
            return two_stages_alone(facts, torch.cat(anchors), boxes, None)
        layers = [masks.get_submodule(f"mask_fcn{i + 1}") for i in range(masks.n_convolutions)]
        return two_stages_alone(facts, torch.cat(anchors), boxes, (layers, masks.deconv, masks.predictor))

    def _anchors(self, size: tuple[int, int]) -> list[torch.Tensor]:
        like = next(self.network.parameters())
        maps = [like.new_zeros(1, 0, -(-size[0] // stride), -(-size[1] // stride)) for stride in self.settings.levels]
        network = self.network
        make = network.anchors if self.settings.kind == "retinanet" else network.proposal_generator.anchors
        found: list[torch.Tensor] = make(maps)
        return found

    def seen(self, pixels: torch.Tensor) -> torch.Tensor:
        """The mean of the trunk's last map before any pyramid."""
        pixels = self.normalised(pixels)
        if self.settings.trunk == "fpn":
            return self.network.backbone.bottom_up(pixels)["res5"].mean(dim=(2, 3))
        return self.network.backbone(pixels)[-1].mean(dim=(2, 3))


def _sizes(pixels: torch.Tensor) -> list[tuple[int, int]]:
    return [(pixels.shape[-2], pixels.shape[-1])] * len(pixels)


def _on_grid(masks: torch.Tensor | None) -> torch.Tensor | None:
    """Probabilities (k, m, m) over boxes as (k, GRID, GRID)."""
    if masks is None or masks.shape[-1] == GRID or not len(masks):
        return masks if masks is None or len(masks) else masks.new_zeros(0, GRID, GRID)
    return interpolate(masks[:, None], size=(GRID, GRID), mode="bilinear", align_corners=False)[:, 0]


def build_detectron(config: dict[str, Any]) -> DetectronFinder:
    """The architecture of a configuration with random weights."""
    return DetectronFinder(DetectronSettings.from_dict(config), config["labels"], config.get("known"))
