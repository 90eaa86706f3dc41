"""Running a network whose layers were joined for prediction; what is saved is the network as it was learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from honed.networks.engine import NetworkPredictor, device_of, to_device
from honed.networks.joined import joined
from honed.tasks.contract import Array, Input


class JoinedPredictor:
    """A :class:`honed.tasks.contract.Predictor` on the joined copy of a network.

    Parameters
    ----------
    network : Network
        As it was learnt.
    quick : Network
        Its joined copy.
    engine, precision : str
        Name of the engine, and "fp32" or "bf16".
    """

    kind = "network"

    def __init__(self, network: Any, quick: Any, engine: str, precision: str) -> None:
        self.network, self.engine, self.precision = network, engine, precision
        self._within = NetworkPredictor(quick, precision)

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """Raw outputs (n, outputs) float32 in the order given."""
        return self._within.outputs(inputs, advance)

    def embed(self, inputs: Sequence[Input]) -> Array:
        """What the head reads, (n, d) float32: a vector for each input."""
        return self._within.embed(inputs)

    def outputs_and_vectors(self, inputs: Sequence[Input]) -> tuple[Array, Array]:
        """Raw outputs and what the head read for them; for networks with a linear head."""
        return self._within.outputs_and_vectors(inputs)

    def save(self, folder: Path) -> None:
        """Weights and preprocessing of the network, as they were learnt."""
        self.network.save(folder)


def joined_predictor(network: Any, inputs: Sequence[Input], engine: str, precision: str) -> JoinedPredictor | None:
    """On a copy that was joined by running it on these inputs; None where there is nothing to join."""
    batch = to_device(network.eval().collate(network.encode(list(inputs))), device_of(network))
    quick = joined(network, batch, quick=precision == "fp32")
    return None if quick is None else JoinedPredictor(network, quick, engine, precision)
