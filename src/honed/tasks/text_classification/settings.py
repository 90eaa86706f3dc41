"""Settings of text classification."""

from __future__ import annotations

from dataclasses import dataclass

from honed.config import setting


@dataclass
class TextClassificationConfig:
    """Settings of text classification; every one has a default that suits most data."""

    kind: str = setting(
        "auto", "shape of the target", among=("auto", "binary", "multiclass", "multilabel", "regression")
    )
    separator: str = setting("auto", "what stands between the labels of one row (multi-label)")
    max_length: int = setting(0, "longest input in tokens; 0 lets Honed choose from the data", low=0, high=8192)
    pooling: str = setting("auto", "how token vectors become one", among=("auto", "mean", "stock"))
    dropout: float = setting(0.1, "share of features hidden in training", low=0.0, high=0.9)
    label_smoothing: float = setting(0.0, "share of certainty taken from each label in training", low=0.0, high=0.5)
    costs: dict[str, float] = setting({}, "how much worse than usual it is to miss a label, by label")
