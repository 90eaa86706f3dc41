"""The small detector that comes with Honed, as a finder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from honed.networks.detection.decode import found_objects
from honed.networks.detection.families.base import FamilyFinder, seeded, with_rows
from honed.networks.detection.found import Found
from honed.networks.detection.losses import detector_loss
from honed.networks.detection.masks import SHARED
from honed.networks.detection.masks import STRIDE as FINE
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

    def find(self, pixels: torch.Tensor, *, least_score: float, most: int) -> list[Found]:
        """Objects of each picture, the surest first."""
        size = (pixels.shape[-2], pixels.shape[-1])
        return self.from_dense(self.dense(pixels), size, least_score=least_score, most=most)

    def dense(self, pixels: torch.Tensor) -> torch.Tensor:
        """All that the network says of each picture in one row of numbers, (n, l): what another engine can compute."""
        seen = self.network(self.normalised(pixels))
        parts = [seen.objectness, seen.classes, seen.boxes]
        if seen.shared is not None:
            parts += [seen.features, seen.shared]
        return torch.cat([part.float().flatten(1) for part in parts], dim=1)

    @torch.no_grad()
    def from_dense(self, rows: torch.Tensor, size: tuple[int, int], *, least_score: float, most: int) -> list[Found]:
        """Objects from such rows, for pictures of this height and width."""
        n, n_classes, network = len(rows), len(self.labels), self.network
        places = sum((size[0] // stride) * (size[1] // stride) for stride in STRIDES)
        lengths = [places, places * n_classes, places * 4]
        if network.masks is not None:
            lengths += [places * network.width, SHARED * (size[0] // FINE) * (size[1] // FINE)]
        parts = rows.split(lengths, dim=1)
        features, shared = rows.new_zeros(n, places, 0), None
        if network.masks is not None:
            features = parts[3].view(n, places, -1)
            shared = parts[4].view(n, SHARED, size[0] // FINE, size[1] // FINE)
        centres = rows.new_zeros(places, 2)
        seen = Seen(parts[0], parts[1].view(n, places, -1), parts[2].view(n, places, 4), centres, features, shared)
        return found_objects(seen, [size] * n, least_score=least_score, most=most, masks=network.masks)

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
