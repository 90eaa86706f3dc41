"""A writer that reads pairs of texts of which one is preferred, and says how likely both are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from honed.networks.decoders.rows import NOTHING
from honed.tasks.contract import Array, Batch, Encoded, Input
from honed.tasks.text_generation.writer import Writer


class Pairs(nn.Module):
    """Pairs of texts in, their log-probabilities out.

    Parameters
    ----------
    network : Writer
    """

    def __init__(self, network: Writer) -> None:
        super().__init__()
        self.network = network

    @property
    def head(self) -> Any:
        """That of the writer."""
        return self.network.head

    def encode(self, inputs: Sequence[Input], targets: Array) -> list[Encoded]:
        """Prompts with both of their texts as tokens; targets are texts with an attribute ``rejected``."""
        found = []
        for row, text in zip(self.network.encode(inputs), targets, strict=True):
            room = self.network.context - len(row["tokens"])
            texts = [self.network.closed(one)[:room] for one in (str(text), text.rejected)]
            found.append(
                {"tokens": row["tokens"], "texts": texts, "length": 2 * len(row["tokens"]) + sum(map(len, texts))}
            )
        return found

    def collate_varied(
        self, encoded: Sequence[Encoded], targets: Array, rng: np.random.Generator
    ) -> tuple[Batch, Array]:
        """A batch of all texts, the preferred one of each pair first; targets go through."""
        texts = [(row["tokens"], written) for row in encoded for written in row["texts"]]
        batch = self.network.batch_of(texts)
        learnt = batch["wanted"] != NOTHING
        return {**batch, "learnt": learnt, "whose": batch["whose"][learnt]}, targets

    def forward(self, batch: Batch) -> Tensor:
        """Sums of the log-probabilities of the preferred and the other text, and their numbers of tokens, (n, 4)."""
        logits = self.network(batch).float()
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
