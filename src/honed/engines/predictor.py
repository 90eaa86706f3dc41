"""A network whose numbers are computed by another runtime; reading and padding stay the task's own code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from honed.networks.engine import TOKENS_PER_BATCH, in_chunks, n_outputs, run_batches
from honed.networks.products import fast_products
from honed.tasks.contract import Array, Batch, Input


class Runner(Protocol):
    """An opened file that turns batches into arrays."""

    def outputs(self, batch: Batch) -> Array:
        """Raw outputs of a batch, (n, outputs) float32."""

    def features(self, batch: Batch) -> Array:
        """What the head reads, (n, d) float32."""


class EnginePredictor:
    """A :class:`honed.tasks.contract.Predictor` on a runner.

    Parameters
    ----------
    network : Network
        Encodes, collates, and is what is saved.
    engine : str
        Name of the engine, for messages and reports.
    """

    kind = "network"

    def __init__(self, network: Any, engine: str, runner: Runner, *, tokens_per_batch: int = TOKENS_PER_BATCH) -> None:
        self.network, self.engine, self.runner, self.tokens_per_batch = network, engine, runner, tokens_per_batch

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """Raw outputs (n, outputs) float32 in the order given."""
        if not inputs:
            return np.empty((0, n_outputs(self.network)), dtype=np.float32)
        settle = getattr(self.network, "settle", None)
        if settle is None:
            return self._run(inputs, self.runner.outputs, advance)

        def settled(batch: Batch) -> Array:
            with torch.inference_mode(), fast_products():
                found: Array = settle(self.runner.outputs(batch), batch)
            return found

        return self._run(inputs, settled, advance)

    def embed(self, inputs: Sequence[Input]) -> Array:
        """What the head reads, (n, d) float32: a vector for each input."""
        return self._run(inputs, self.runner.features, None)

    def _run(self, inputs: Sequence[Input], work: Callable[[Batch], Array], advance: Any) -> Array:
        options = {"tokens_per_batch": self.tokens_per_batch, "advance": advance}
        return in_chunks(self.network, inputs, lambda encoded: run_batches(self.network, encoded, work, **options))

    def save(self, folder: Path) -> None:
        """Weights and preprocessing of the network, as they were learnt."""
        self.network.save(folder)
