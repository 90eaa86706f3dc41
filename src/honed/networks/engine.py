"""Running a network over many inputs: length-sorted batches of a bounded number of tokens, order restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from honed.networks.precision import autocast
from honed.tasks.contract import Array, Batch, Encoded, Input

TOKENS_PER_BATCH = 4096
"""Tokens in one batch, padding included: enough to keep two cores busy, small enough for their caches."""
CHUNK = 8192
"""Inputs encoded at a time, so that memory stays bounded whatever the number of inputs."""

Advance = Callable[[int], None]


def length_sorted(lengths: Sequence[int], tokens_per_batch: int = TOKENS_PER_BATCH) -> Iterator[list[int]]:
    """Positions in batches of similar length, longest first, each of at most so many tokens once padded."""
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    batch: list[int] = []
    for position in order:
        if batch and (len(batch) + 1) * lengths[batch[0]] > tokens_per_batch:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def device_of(network: Any) -> torch.device:
    """Where the network's weights are."""
    device: torch.device = next(network.parameters()).device
    return device


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device."""
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}


@torch.inference_mode()
def run_encoded(
    network: Any,
    encoded: Sequence[Encoded],
    work: Callable[[Batch], torch.Tensor],
    *,
    precision: str = "fp32",
    advance: Advance | None = None,
) -> Array:
    """Apply ``work`` to encoded inputs in length-sorted batches; rows (n, k) float32 in the order given."""
    network.eval()
    device = device_of(network)
    result: Array | None = None
    for positions in length_sorted([item["length"] for item in encoded]):
        batch = to_device(network.collate([encoded[position] for position in positions]), device)
        with autocast(precision, device.type):
            rows = work(batch)
        found = rows.float().cpu().numpy()
        if result is None:
            result = np.empty((len(encoded), found.shape[1]), dtype=np.float32)
        result[positions] = found
        if advance:
            advance(len(positions))
    return result if result is not None else np.empty((0, 0), dtype=np.float32)


def _run(network: Any, inputs: Sequence[Input], work: Callable[[Batch], torch.Tensor], **options: Any) -> Array:
    chunks = [inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK)]
    found = [run_encoded(network, network.encode(chunk), work, **options) for chunk in chunks]
    return np.concatenate(found) if found else np.empty((0, 0), dtype=np.float32)


def features_of(
    network: Any, inputs: Sequence[Input], *, precision: str = "fp32", advance: Advance | None = None
) -> Array:
    """What the network's head would read, (n, d) float32."""
    return _run(network, inputs, network.features, precision=precision, advance=advance)


class NetworkPredictor:
    """A network in hand: inputs to raw outputs.

    Parameters
    ----------
    network : Network
        A torch module that offers encode, collate, save.
    precision : str
        "fp32" (default: the same answers on every machine) or "bf16".
    """

    kind = "network"

    def __init__(self, network: Any, precision: str = "fp32") -> None:
        self.network = network
        self.precision = precision

    def outputs(self, inputs: Sequence[Input], advance: Advance | None = None) -> Array:
        """Raw outputs (n, outputs) float32 in the order given."""
        if not inputs:
            return np.empty((0, self.network.head.out_features), dtype=np.float32)
        return _run(self.network, inputs, self.network, precision=self.precision, advance=advance)

    def embed(self, inputs: Sequence[Input]) -> Array:
        """What the head reads, (n, d) float32: a vector for each input."""
        return features_of(self.network, inputs, precision=self.precision)

    def outputs_and_vectors(self, inputs: Sequence[Input]) -> tuple[Array, Array]:
        """Raw outputs and what the head read for them, in one pass; for networks with a linear head."""
        network, n = self.network, self.network.head.out_features
        if not inputs:
            return np.empty((0, n), dtype=np.float32), np.empty((0, network.head.in_features), dtype=np.float32)

        def both(batch: Batch) -> torch.Tensor:
            features = network.features(batch)
            return torch.cat([network.head(features), features], dim=1)

        found = _run(network, inputs, both, precision=self.precision)
        return found[:, :n], found[:, n:]

    def save(self, folder: Path) -> None:
        """Weights and preprocessing as safetensors and JSON."""
        self.network.save(folder)
