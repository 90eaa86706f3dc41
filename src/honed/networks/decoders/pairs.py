"""A writer that learns which of two texts is preferred: direct preference optimisation (DPO).

The loss is that of Rafailov et al., *Direct preference optimization*, 2023, with a share of the ordinary loss of the preferred texts,
without which both texts of a pair may become less likely together (Pang et al., *Iterative reasoning preference optimization*, 2024;
Razin et al., *Unintentional unalignment*, 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from honed.networks.decoders.rows import NOTHING
from honed.networks.decoders.writer import Writer
from honed.tasks.contract import Array, Batch, Encoded, Input

BETAS = (0.1, 0.03, 0.3)
"""How strongly a text is held to what it was before, the usual one first; chosen on held-out pairs."""
SHARE = 0.2
"""Weight of the ordinary loss of the preferred texts."""


class Pairs(nn.Module):
    """Pairs of texts in, their log-probabilities out.

    Parameters
    ----------
    writer : Writer
    """

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self.writer = writer

    @property
    def head(self) -> Any:
        """That of the writer."""
        return self.writer.head

    def encode(self, inputs: Sequence[Input], targets: Array) -> list[Encoded]:
        """Prompts with both of their texts as tokens; targets are texts with an attribute ``rejected``."""
        found = []
        for row, text in zip(self.writer.encode(inputs), targets, strict=True):
            room = self.writer.context - len(row["tokens"])
            texts = [self.writer.closed(one)[:room] for one in (str(text), text.rejected)]
            found.append(
                {"tokens": row["tokens"], "texts": texts, "length": 2 * len(row["tokens"]) + sum(map(len, texts))}
            )
        return found

    def collate_varied(
        self, encoded: Sequence[Encoded], targets: Array, rng: np.random.Generator
    ) -> tuple[Batch, Array]:
        """A batch of all texts, the preferred one of each pair first; targets go through."""
        texts = [(row["tokens"], written) for row in encoded for written in row["texts"]]
        batch = self.writer.batch_of(texts)
        learnt = batch["wanted"] != NOTHING
        return {**batch, "learnt": learnt, "whose": _owners(batch, texts)[learnt]}, targets

    def forward(self, batch: Batch) -> Tensor:
        """Sums of the log-probabilities of the preferred and the other text, and their numbers of tokens, (n, 4)."""
        logits = self.writer(batch).float()
        wanted = batch["wanted"][batch["learnt"]]
        each = -functional.cross_entropy(logits, wanted, reduction="none")
        whose = batch["whose"]
        n = int(whose.max()) + 1
        sums = torch.zeros(n, device=each.device).index_add(0, whose, each)
        counts = torch.bincount(whose, minlength=n).to(each.dtype)
        return torch.cat([sums.view(-1, 2), counts.view(-1, 2)], dim=1)

    @torch.inference_mode()
    def chances(self, encoded: Sequence[Encoded], size: int = 16) -> Array:
        """What :meth:`forward` gives for all pairs, float32 (n, 4), in the order given."""
        was, device = self.training, next(self.parameters()).device
        self.eval()
        order = sorted(range(len(encoded)), key=lambda k: encoded[k]["length"])
        found = np.zeros((len(encoded), 4), dtype=np.float32)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            batch, _ = self.collate_varied([encoded[k] for k in rows], np.zeros(len(rows)), np.random.default_rng(0))
            found[rows] = self({name: value.to(device) for name, value in batch.items()}).cpu().numpy()
        self.train(was)
        return found


def _owners(batch: Batch, texts: Sequence[tuple[list[int], list[int]]]) -> Tensor:
    """Which text each token of a batch belongs to, in the form of its tokens."""
    if len(batch["tokens"]) > 1:
        return torch.arange(len(texts))[:, None].expand_as(batch["tokens"])
    lengths = [len(asked) + len(written) for asked, written in texts]
    order = sorted(range(len(texts)), key=lambda k: -lengths[k])
    return torch.cat([torch.full((lengths[k],), k) for k in order])[None]


def preference_loss(found: Tensor, reference: Tensor, beta: float, share: float = SHARE) -> Tensor:
    """Mean of -log sigmoid(beta x margin), and ``share`` of the loss a token of the preferred texts.

    Parameters
    ----------
    found : tensor (n, 4)
        As :meth:`Pairs.forward` gives it.
    reference : tensor (n, 2)
        The two log-probabilities before learning.
    """
    gains = found[:, :2] - reference
    margin = gains[:, 0] - gains[:, 1]
    return (-functional.logsigmoid(beta * margin) - share * found[:, 0] / found[:, 2]).mean()


class PairLoss:
    """What the training loop asks of a task: the loss, nothing else."""

    def __init__(self, beta: float, share: float = SHARE) -> None:
        self.beta, self.share = beta, share

    def loss(self, outputs: Tensor, targets: Tensor, problem: Any, settings: Any) -> dict[str, Tensor]:
        """See :func:`preference_loss`."""
        return {"loss": preference_loss(outputs, targets, self.beta, self.share)}
