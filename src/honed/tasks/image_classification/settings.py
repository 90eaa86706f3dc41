"""Settings of image classification."""

from __future__ import annotations

from dataclasses import dataclass

from honed.config import setting
from honed.tasks.classification.settings import ClassificationConfig


@dataclass
class ImageClassificationConfig(ClassificationConfig):
    """Settings of image classification; every one has a default that suits most data."""

    image_size: int = setting(0, "side of the square that is read, in pixels; 0 lets Honed choose", low=0, high=1024)
    variation: str = setting(
        "auto", "how much pictures are changed in training; auto takes strong for few, light for many",
        among=("auto", "none", "light", "strong"),
    )  # fmt: skip
    mirror: bool = setting(True, "left and right may change places in training; false for letters, arrows and hands")
