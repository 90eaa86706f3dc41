"""Detectors of torchvision as finders: Faster, Mask and Keypoint R-CNN (its boxes), RetinaNet, FCOS, SSD.

The library would resize each picture as it likes. Here the canvas decides: it is read as it is, only its colours are
normalised. SSD alone, whose anchors know but one size, still brings the canvas to that size and its boxes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torchvision import models
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FrozenBatchNorm2d

from honed.errors import ZooError
from honed.networks.detection.families.base import FamilyFinder, objects_of, seeded, with_rows, within, without_crowds
from honed.networks.detection.families.torchvision_parts import Levels, alone_of, chosen, levels_of, parts_of
from honed.networks.detection.found import Found
from honed.networks.detection.recipe import Alone
from honed.networks.detection.truth import Truth

FAMILY = "torchvision"
_PER_CLASS = re.compile(
    r"(roi_heads\.box_predictor\.(cls_score|bbox_pred)|roi_heads\.mask_predictor\.mask_fcn_logits"
    r"|head\.classification_head\.(cls_logits|module_list\.\d+(\.1)?))\.(weight|bias)$"
)
"""Tensors with rows for classes; those of SSDLite lie one deeper than those of SSD."""


class _AsGiven(GeneralizedRCNNTransform):
    """Normalises, and leaves sizes, boxes and small masks as they are."""

    def resize(self, image: torch.Tensor, target: Any = None) -> tuple[torch.Tensor, Any]:
        """Nothing is resized on the way in."""
        return image, target

    def postprocess(self, result: Any, image_shapes: Any, original_image_sizes: Any) -> Any:
        """Nothing is resized on the way out."""
        return result


class TorchvisionFinder(FamilyFinder):
    """A detector of torchvision.

    Parameters
    ----------
    architecture : str
        As ``torchvision.models.get_model`` knows it.
    labels, known : see :class:`FamilyFinder`
    options : dict, optional
        Further arguments of the builder.
    norm_eps : float, optional
        The backbone's normalisations never learn, and this is added to their variances; None: they learn as usual.
    """

    family = FAMILY

    def __init__(
        self, architecture: str, labels: Sequence[str], known: Sequence[str] | None = None,
        options: dict[str, Any] | None = None, norm_eps: float | None = None,
    ) -> None:  # fmt: skip
        self.facts: dict[str, Any] = {"architecture": architecture, "options": options or {}, "norm_eps": norm_eps}
        super().__init__(network_of(**self.facts, n_labels=len(labels)), labels, known)
        self.has_masks = architecture.startswith("maskrcnn")
        self.multiple = 1 if architecture.startswith("ssd") else 32
        self.mean, self.std = tuple(self.network.transform.image_mean), tuple(self.network.transform.image_std)

    @property
    def head(self) -> nn.Module:
        """All layers with rows for classes."""
        if not hasattr(self.network, "roi_heads"):
            return self.network.head.classification_head
        heads = self.network.roi_heads
        return nn.ModuleList([heads.box_predictor, heads.mask_predictor]) if self.has_masks else heads.box_predictor

    @property
    def backbone(self) -> nn.Module:
        """With its pyramid, where there is one."""
        return self.network.backbone

    def config(self) -> dict[str, Any]:
        """What its library builds it from."""
        return {**self.named(), **self.facts}

    def for_labels(self, labels: Sequence[str], seed: int) -> TorchvisionFinder:
        """In place; fresh rows are as the library begins them."""
        with seeded(seed):
            fresh = network_of(**self.facts, n_labels=len(labels))
        old, new = self.network.state_dict(), fresh.state_dict()
        first = background_rows(self.facts["architecture"])
        for name, value in old.items():
            if _PER_CLASS.match(name):
                each = 4 if "bbox_pred" in name else 1
                blocks = len(value) // ((first + len(self.labels)) * each)
                value = with_rows(
                    value, new[name].to(value), self.labels, labels, blocks=blocks, first=first, each=each
                )
            new[name] = value
        fresh.load_state_dict(new)
        self.network = fresh.to(next(self.network.parameters()).device).train(self.training)
        self.labels = tuple(labels)
        return self

    def losses(self, pixels: torch.Tensor, truth: Truth) -> dict[str, torch.Tensor]:
        """The library's own parts."""
        pixels, truth = without_crowds(pixels, truth.to(pixels.device), self.mean)
        size, first = pixels.shape[-2:], background_rows(self.facts["architecture"])
        targets = []
        for boxes, labels, masks in objects_of(truth, size, pixels.device, self.has_masks):
            target = {"boxes": boxes, "labels": labels + first}
            targets.append(target if masks is None else {**target, "masks": masks.to(torch.uint8)})
        with _stance(self.network, learning=True):
            parts = self.network(list(pixels), targets)
        if truth.masks is None:
            parts.pop("loss_mask", None)
        return dict(parts)

    def parts(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """See :mod:`honed.networks.detection.families.torchvision_parts`."""
        return parts_of(self.network, self.normalised(pixels))

    @torch.no_grad()
    def from_parts(
        self, parts: Sequence[torch.Tensor], size: tuple[int, int], *, least_score: float, most: int
    ) -> list[Found]:
        """What the library chooses."""
        told = getattr(self.network, "roi_heads", self.network)
        told.score_thresh, told.detections_per_img = least_score, most
        first = background_rows(self.facts["architecture"])
        with _stance(self.network, learning=False):
            answers = chosen(self.network, parts, self._levels(size), size)
        found = [
            Found(one["boxes"], one["scores"], one["labels"] - first, one["masks"][:, 0] if "masks" in one else None)
            for one in answers
        ]
        return [within(one, size) for one in found]

    def alone(self, size: tuple[int, int]) -> Alone | None:
        """See :func:`honed.networks.detection.families.torchvision_parts.alone_of`."""
        return alone_of(self.network, self._levels(size), size)

    def _levels(self, size: tuple[int, int]) -> Levels:
        """Names and sizes of the backbone's maps, found by looking once at an empty canvas."""
        known: dict[tuple[int, int], Levels] = self.__dict__.setdefault("_known_levels", {})
        if size not in known:
            empty = torch.zeros(1, 3, *size, device=next(self.network.parameters()).device)
            with torch.no_grad():
                known[size] = levels_of(self.network, self.normalised(empty))
        return known[size]

    def seen(self, pixels: torch.Tensor) -> torch.Tensor:
        """The mean of the last map before any pyramid."""
        look = getattr(self.network.backbone, "body", self.network.backbone)
        return list(look(self.normalised(pixels)).values())[-1].mean(dim=(2, 3))


def background_rows(architecture: str) -> int:
    """1 where the class 0 is the background, 0 where there is no such class."""
    return 0 if architecture.startswith(("retinanet", "fcos")) else 1


def network_of(architecture: str, options: dict[str, Any], norm_eps: float | None, n_labels: int) -> Any:
    """The library's module with random weights, made to read a canvas as it is."""
    if architecture not in models.list_models(module=models.detection):
        raise ZooError("Z032", f"torchvision has no detector {architecture!r}.", "See `honed models` for names.")
    n_classes = n_labels + background_rows(architecture)
    network = models.get_model(architecture, weights=None, weights_backbone=None, num_classes=n_classes, **options)
    if architecture.startswith("keypointrcnn"):
        heads = network.roi_heads
        heads.keypoint_roi_pool = heads.keypoint_head = heads.keypoint_predictor = None
    if not architecture.startswith("ssd"):
        theirs = network.transform
        network.transform = _AsGiven(1, 1, theirs.image_mean, theirs.image_std, theirs.size_divisible)
    if norm_eps is not None:
        _freeze_norms(network.backbone, norm_eps)
    return network


def _freeze_norms(module: nn.Module, eps: float) -> None:
    for name, part in module.named_children():
        if isinstance(part, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(part.num_features, eps))
        else:
            _freeze_norms(part, eps)


@contextmanager
def _stance(network: Any, learning: bool) -> Iterator[None]:
    """The parts that give losses or answers by their mode, in the one that is wanted; normalisations keep their own."""
    parts = [network, *(getattr(network, name) for name in ("transform", "rpn", "roi_heads") if hasattr(network, name))]
    before = [part.training for part in parts]
    try:
        for part in parts:
            part.training = learning
        yield
    finally:
        for part, mode in zip(parts, before, strict=True):
            part.training = mode


def build_torchvision(config: dict[str, Any]) -> TorchvisionFinder:
    """The architecture of a configuration with random weights."""
    return TorchvisionFinder(
        str(config["architecture"]), config["labels"], config.get("known"), config.get("options"), config.get("norm_eps")
    )  # fmt: skip
