"""What a pre-training gives back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from honed.evaluation.results import Choice


@dataclass(frozen=True)
class PretrainReport:
    """What ``pretrain`` did.

    Parameters
    ----------
    loss : float
        Held-out loss in nats a token, over the whole held-out text.
    bits_per_byte : float
        The same in bits a byte of text: comparable between tokenizers.
    tokens_per_s : float
        Tokens learnt from in a second of training, held-out loss and samples left out.
    utilisation : float
        Model FLOPs utilisation: tokens a second x ``flops_per_token`` / ``peak_flops``.
    peak_flops : float
        Operations a second of a large matrix product, timed on this machine at the beginning.
    curve : list of (step, loss, held-out loss or None)
    changes : list of (text, loss before, loss after, tokens)
        Of a base that went on learning: held-out loss of the new text, and of what it knew before, whose rise is what it forgot.
    """

    name: str
    data_source: str
    data_digest: str
    n_documents: int
    n_characters: int
    n_tokens: int
    tokenizer: str
    n_vocabulary: int
    held_out: str
    n_validation_tokens: int
    parameters: int
    steps: int
    best_step: int
    tokens_read: int
    passes: float
    loss: float
    bits_per_byte: float
    tokens_per_s: float
    flops_per_token: float
    peak_flops: float
    utilisation: float
    seconds: float
    choices: list[Choice]
    curve: list[tuple[int, float, float | None]]
    samples: list[dict[str, Any]]
    versions: dict[str, str]
    changes: list[tuple[str, float, float, int]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return asdict(self)
