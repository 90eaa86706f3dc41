"""Settings of text classification."""

from __future__ import annotations

from dataclasses import dataclass

from honed.config import setting
from honed.tasks.classification.settings import ClassificationConfig


@dataclass
class TextClassificationConfig(ClassificationConfig):
    """Settings of text classification; every one has a default that suits most data."""

    max_length: int = setting(0, "longest input in tokens; 0 lets Honed choose from the data", low=0, high=8192)
    pooling: str = setting("auto", "how token vectors become one", among=("auto", "mean", "stock"))
    dropout: float = setting(0.1, "share of features hidden in training", low=0.0, high=0.9)
