"""A model that writes, its texts written by an engine for texts; reading rows and packing answers stay the network's own code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from honed.engines.kinds import Kind
from honed.generation.kinds import engine_for_texts
from honed.generation.opening import open_engine
from honed.generation.text_engine import TextEngine
from honed.model import Model
from honed.networks.engine import features_of, in_chunks, n_outputs
from honed.tasks.contract import Array, Input

SLOTS = 32
"""Texts at a time, where nobody says."""


class WritingPredictor:
    """A :class:`honed.tasks.contract.Predictor` on an engine for texts.

    Parameters
    ----------
    network : Network
        Encodes, packs, and is what is saved.
    engine : str
        Name of the engine, for messages and reports.
    writing : TextEngine
    """

    kind = "network"

    def __init__(self, network: Any, engine: str, writing: TextEngine) -> None:
        self.network, self.engine, self.writing = network, engine, writing

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """Raw outputs (n, outputs) float32 in the order given."""
        if not inputs:
            return np.empty((0, n_outputs(self.network)), dtype=np.float32)
        return in_chunks(self.network, inputs, lambda encoded: self.network.written_by(self.writing, encoded, advance))

    def embed(self, inputs: Sequence[Input]) -> Array:
        """What the head reads, (n, d) float32: a vector for each input."""
        return features_of(self.network, inputs)

    def save(self, folder: Path) -> None:
        """Weights and preprocessing of the network, as they were learnt."""
        self.network.save(folder)


def writes(network: Any) -> bool:
    """True for networks whose outputs are texts."""
    return hasattr(network, "written_by")


def writing_predictor(model: Model, network: Any, kind: Kind, slots: int = SLOTS) -> WritingPredictor:
    """The predictor of a model that writes. Raises GenerationError [G006, G007, G008]."""
    engine, weights = engine_for_texts(kind.name, "float32")
    decoder = network.loaded(model.folder) if model.folder is not None else network.loaded()
    return WritingPredictor(network, kind.name, open_engine(decoder, engine=engine, weights=weights, slots=slots))
