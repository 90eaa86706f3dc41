"""Settings of image classification."""

from __future__ import annotations

from dataclasses import dataclass

from honed.config import setting


@dataclass
class ImageClassificationConfig:
    """Settings of image classification; every one has a default that suits most data."""

    kind: str = setting(
        "auto", "shape of the target", among=("auto", "binary", "multiclass", "multilabel", "regression")
    )
    separator: str = setting("auto", "what stands between the labels of one row (multi-label)")
    image_size: int = setting(0, "side of the square that is read, in pixels; 0 lets Honed choose", low=0, high=1024)
    variation: str = setting(
        "auto", "how much pictures are changed in training; auto takes strong for few, light for many",
        among=("auto", "none", "light", "strong"),
    )  # fmt: skip
    mirror: bool = setting(True, "left and right may change places in training; false for letters, arrows and hands")
    label_smoothing: float = setting(0.0, "share of certainty taken from each label in training", low=0.0, high=0.5)
    costs: dict[str, float] = setting({}, "how much worse than usual it is to miss a label, by label")
