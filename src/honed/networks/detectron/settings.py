"""What builds a detector of the Detectron family, and how pictures come into it and objects out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

STAGES = ("res2", "res3", "res4", "res5")
CAFFE_MEAN = (103.53, 116.28, 123.675)
"""Mean blue, green and red, 0 to 255, of the zoo's own models."""
SIZES = (32, 64, 128, 256, 512)


@dataclass(frozen=True)
class DetectronSettings:
    """Facts of one architecture; the defaults are those of Faster R-CNN with ResNet-50 and a pyramid.

    Parameters
    ----------
    kind : "rcnn" or "retinanet"
        Two stages (regions first, then classes) or one.
    trunk : "fpn", "c4" or "dc5"
        A feature pyramid, the fourth stage alone, or a dilated fifth stage.
    n_classes : int
        Without the background.
    masks : bool
        A head for outlines (``"rcnn"`` only).
    blocks : four ints
        Residual blocks a stage: (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) is ResNet-101.
    groups, group_width : int
        Of the 3 by 3 convolutions; 32 and 8 are ResNeXt.
    stem_width, res2_width, width, hidden, mask_width : int
        Channels of stem, first stage, pyramid, box head, mask head.
    stride_first : bool
        True: stages shrink in the first 1 by 1 convolution (Caffe's ResNet); False: in the 3 by 3 (torchvision's).
    mean, std : three floats
        Of each channel in the network's order, pixels 0 to 255.
    bgr : bool
        Blue comes first.
    short, longest : int
        A picture's short side is brought to ``short`` pixels unless its long side would pass ``longest``.
    least_score, most_overlap : float
        Boxes below this score are dropped; of two of one class that overlap more, the surer stays.
    most : int
        Objects a picture.
    """

    kind: Literal["rcnn", "retinanet"] = "rcnn"
    trunk: Literal["fpn", "c4", "dc5"] = "fpn"
    n_classes: int = 80
    masks: bool = False
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    groups: int = 1
    group_width: int = 64
    stem_width: int = 64
    res2_width: int = 256
    width: int = 256
    hidden: int = 1024
    mask_width: int = 256
    stride_first: bool = True
    mean: tuple[float, ...] = CAFFE_MEAN
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    bgr: bool = True
    short: int = 800
    longest: int = 1333
    least_score: float = 0.05
    most_overlap: float = 0.5
    most: int = 100

    @property
    def multiple(self) -> int:
        """Pictures are padded to a multiple of this many pixels."""
        return 32 if self.trunk == "fpn" else 1

    @property
    def levels(self) -> tuple[int, ...]:
        """Strides, in pixels, of the maps that anchors lie on."""
        if self.trunk != "fpn":
            return (16,)
        return (8, 16, 32, 64, 128) if self.kind == "retinanet" else (4, 8, 16, 32, 64)

    @property
    def anchor_sizes(self) -> tuple[tuple[float, ...], ...]:
        """Sides, in pixels, of the square anchors of each map."""
        if self.trunk != "fpn":
            return (tuple(map(float, SIZES)),)
        if self.kind == "retinanet":
            return tuple(tuple(size * 2 ** (third / 3) for third in range(3)) for size in SIZES)
        return tuple((float(size),) for size in SIZES)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> DetectronSettings:
        """The inverse of :meth:`as_dict`; names that are no setting are left out."""
        known = {field.name for field in fields(cls)}
        found: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if name in known
        }
        return cls(**found)
