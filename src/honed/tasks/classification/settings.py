"""Settings that every classifier has."""

from __future__ import annotations

from dataclasses import dataclass

from honed.config import setting


@dataclass
class ClassificationConfig:
    """What the target looks like, and what a mistake costs."""

    kind: str = setting(
        "auto", "shape of the target", among=("auto", "binary", "multiclass", "multilabel", "regression")
    )
    separator: str = setting("auto", "what stands between the labels of one row (multi-label)")
    label_smoothing: float = setting(0.0, "share of certainty taken from each label in training", low=0.0, high=0.5)
    costs: dict[str, float] = setting({}, "how much worse than usual it is to miss a label, by label")
