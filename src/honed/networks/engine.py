"""Running a network over many inputs: length-sorted batches of a bounded number of tokens, order restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from honed.networks.precision import autocast, exact_convolutions
from honed.networks.products import fast_products
from honed.resources import return_freed_memory
from honed.tasks.contract import Array, Batch, Encoded, Input

TOKENS_PER_BATCH = 1024
"""Tokens in one batch, padding included: enough to keep a few cores busy, small enough for their caches. Measured on two
cores with a small encoder, in thousands of rows a second for 1024, 4096 and 8192: fp32 1.04, 0.87, 0.71; bf16 1.6, 1.3, 1.2."""
TOKENS_PER_BATCH_CUDA = 16_384
"""The same on a graphics card, which wants more at a time."""
CHUNK = 1024
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


def run_batches(
    network: Any,
    encoded: Sequence[Encoded],
    work: Callable[[Batch], Array],
    *,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    advance: Advance | None = None,
) -> Array:
    """Collate encoded inputs in length-sorted batches and apply ``work``; rows (n, k) float32 in the order given.

    A single input goes straight through: no sorting, no copy.
    """
    if len(encoded) == 1:
        alone = np.asarray(work(network.collate(encoded)), dtype=np.float32)
        if advance:
            advance(1)
        return alone
    result: Array | None = None
    for positions in length_sorted([item["length"] for item in encoded], tokens_per_batch):
        found = work(network.collate([encoded[position] for position in positions]))
        if result is None:
            result = np.empty((len(encoded), found.shape[1]), dtype=np.float32)
        result[positions] = found
        if advance:
            advance(len(positions))
    return result if result is not None else np.empty((0, 0), dtype=np.float32)


@torch.inference_mode()
def run_encoded(
    network: Any,
    encoded: Sequence[Encoded],
    work: Callable[[Batch], torch.Tensor],
    *,
    precision: str = "fp32",
    advance: Advance | None = None,
) -> Array:
    """:func:`run_batches` for torch: ``work`` runs in evaluation mode on the network's device."""
    network.eval()
    device = device_of(network)

    def on_device(batch: Batch) -> Array:
        with exact_convolutions(device.type), fast_products(), autocast(precision, device.type):
            rows = work(to_device(batch, device))
        found: Array = rows.float().cpu().numpy()
        return found

    own = getattr(network, "tokens_in_fp32", TOKENS_PER_BATCH)
    tokens = TOKENS_PER_BATCH_CUDA if device.type == "cuda" else own if precision == "fp32" else TOKENS_PER_BATCH
    return run_batches(network, encoded, on_device, tokens_per_batch=tokens, advance=advance)


def outputs_of(
    network: Any, encoded: Sequence[Encoded], *, precision: str = "fp32", advance: Advance | None = None
) -> Array:
    """Raw outputs of encoded inputs, in the order given: batch by batch, or as the network has its own way to compute many."""
    own = getattr(network, "outputs_of", None)
    if own is None:
        return run_encoded(network, encoded, network, precision=precision, advance=advance)
    found: Array = own(encoded, advance)
    return found


def in_chunks(network: Any, inputs: Sequence[Input], work: Callable[[Sequence[Encoded]], Array]) -> Array:
    """Encode inputs a bounded number at a time, apply ``work`` to each part, and put the rows together."""
    if len(inputs) <= CHUNK:
        return work(network.encode(inputs)) if len(inputs) else np.empty((0, 0), dtype=np.float32)
    found = []
    for start in range(0, len(inputs), CHUNK):
        found.append(work(network.encode(inputs[start : start + CHUNK])))
        return_freed_memory()
    return np.concatenate(found)


def _run(network: Any, inputs: Sequence[Input], work: Callable[[Batch], torch.Tensor], **options: Any) -> Array:
    return in_chunks(network, inputs, lambda encoded: run_encoded(network, encoded, work, **options))


def features_of(
    network: Any, inputs: Sequence[Input], *, precision: str = "fp32", advance: Advance | None = None
) -> Array:
    """What the network's head would read, (n, d) float32."""
    return _run(network, inputs, network.features, precision=precision, advance=advance)


def n_outputs(network: Any) -> int:
    """Numbers that the network gives for each input."""
    return int(getattr(network, "n_outputs", None) or network.head.out_features)


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
        self.engine = f"torch-{precision}"

    def outputs(self, inputs: Sequence[Input], advance: Advance | None = None) -> Array:
        """Raw outputs (n, outputs) float32 in the order given."""
        if not inputs:
            return np.empty((0, n_outputs(self.network)), dtype=np.float32)
        options: dict[str, Any] = {"precision": self.precision, "advance": advance}
        return in_chunks(self.network, inputs, lambda encoded: outputs_of(self.network, encoded, **options))

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
