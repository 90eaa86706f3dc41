"""Settings of text generation."""

from __future__ import annotations

from dataclasses import dataclass

from honed.config import setting


@dataclass
class TextGenerationConfig:
    """Settings of text generation; every one has a default that suits most data."""

    instruction: str = setting("", "said to the model before every row")
    max_new_tokens: int = setting(0, "tokens written at most; 0 lets Honed choose from the texts", low=0, high=8192)
    metric: str = setting(
        "auto",
        "what decides",
        among=("auto", "exact_match", "chrf", "token_f1", "rouge_l", "preferred_chrf", "preferred"),
    )
