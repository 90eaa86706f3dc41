"""The small detector that comes with Honed, as a finder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from honed.networks.detection.decode import CANDIDATES, MOST_OVERLAP, found_objects
from honed.networks.detection.families.base import FamilyFinder, seeded, with_rows
from honed.networks.detection.found import Found
from honed.networks.detection.losses import detector_loss
from honed.networks.detection.masks import SHARED
from honed.networks.detection.masks import STRIDE as FINE
from honed.networks.detection.recipe import Alone
from honed.networks.detection.small_detector import MULTIPLE, STRIDES, Seen, SmallDetector
from honed.networks.detection.truth import Truth
from honed.networks.pictures.small_backbone import SmallBackbone

FAMILY = "honed-small-detector"


class SmallFinder(FamilyFinder):
    """See :class:`honed.networks.detection.small_detector.SmallDetector`."""

    family, multiple = FAMILY, MULTIPLE
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    network: SmallDetector

    def __init__(self, network: SmallDetector, labels: Sequence[str], known: Sequence[str] | None = None) -> None:
        super().__init__(network, labels, known)
        self.has_masks = network.masks is not None

    @property
    def head(self) -> nn.Module:
        """A convolution with one row for each class."""
        return self.network.classes

    @property
    def backbone(self) -> nn.Module:
        """The part that only sees."""
        return self.network.backbone

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """Channels last, which convolutions on ordinary processors like best."""
        return super().normalised(pixels).contiguous(memory_format=torch.channels_last)

    def for_labels(self, labels: Sequence[str], seed: int) -> SmallFinder:
        """In place; fresh rows are zero, so that at first objectness alone decides and the seed changes nothing."""
        old = self.network.classes.state_dict()
        with seeded(seed):
            fresh = self.network.with_classes(len(labels)).classes
        fresh.load_state_dict(
            {name: with_rows(old[name], value, self.labels, labels) for name, value in fresh.state_dict().items()}
        )
        self.labels = tuple(labels)
        return self

    def without_masks(self) -> None:
        """No branch for masks."""
        self.network.masks, self.has_masks = None, False

    def losses(self, pixels: torch.Tensor, truth: Truth) -> dict[str, torch.Tensor]:
        """See :func:`honed.networks.detection.losses.detector_loss`."""
        return detector_loss(self.network(self.normalised(pixels)), truth, self.network.masks)

    def parts(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Objectness, classes and boxes of every place; for outlines also its features, and the map that all share."""
        seen = self.network(self.normalised(pixels))
        found = [seen.objectness, seen.classes, seen.boxes]
        return found if seen.shared is None else [*found, seen.features, seen.shared]

    @torch.no_grad()
    def from_parts(
        self, parts: Sequence[torch.Tensor], size: tuple[int, int], *, least_score: float, most: int
    ) -> list[Found]:
        """See :func:`honed.networks.detection.decode.found_objects`."""
        objectness, classes, boxes, *more = parts
        features, shared = more or (boxes.new_zeros(*boxes.shape[:2], 0), None)
        seen = Seen(objectness, classes, boxes, boxes.new_zeros(boxes.shape[1], 2), features, shared)
        return found_objects(seen, [size] * len(boxes), least_score=least_score, most=most, masks=self.network.masks)

    def alone(self, size: tuple[int, int]) -> Alone:
        """As :func:`honed.networks.detection.decode.found_objects` chooses."""
        facts = {"kind": "small", "candidates": CANDIDATES, "most_overlap": MOST_OVERLAP, "seen": list(size)}
        arrays: dict[str, Any] = {}
        if self.network.masks is not None:
            for name, value in self.network.masks.values.state_dict().items():
                arrays[f"values.{name}"] = value.cpu().numpy()
        return Alone(facts, arrays)

    def shapes(self, size: tuple[int, int]) -> list[torch.Size]:
        """As :meth:`parts` gives them."""
        places = sum((size[0] // stride) * (size[1] // stride) for stride in STRIDES)
        shapes = [(places,), (places, len(self.labels)), (places, 4)]
        if self.network.masks is not None:
            shapes += [(places, self.network.width), (SHARED, size[0] // FINE, size[1] // FINE)]
        return [torch.Size(shape) for shape in shapes]

    def seen(self, pixels: torch.Tensor) -> torch.Tensor:
        """The mean of the coarsest map."""
        return self.network.backbone.forward_features(self.normalised(pixels))

    def config(self) -> dict[str, Any]:
        """Sizes of the architecture."""
        network = self.network
        sizes = {"widths": list(network.backbone.widths), "depths": list(network.backbone.depths)}
        return {
            **self.named(), "width": network.width, "depth": network.depth, "masks": self.has_masks, "backbone": sizes,
        }  # fmt: skip


def build_small(config: dict[str, Any]) -> SmallFinder:
    """The architecture of a configuration with random weights."""
    backbone = SmallBackbone(tuple(config["backbone"]["widths"]), tuple(config["backbone"]["depths"]))
    labels, masks = config["labels"], bool(config.get("masks", False))
    network = SmallDetector(len(labels), backbone, int(config["width"]), int(config["depth"]), masks)
    return SmallFinder(network, labels, config.get("known"))
