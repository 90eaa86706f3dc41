"""Any task's network as an ONNX file, with dynamic batch and length. Knows no task: only encode, collate and the call."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from honed.engines.onnx_runtime import FEATURES, OUTPUTS, OnnxRunner
from honed.errors import BundleError
from honed.networks.devices import on_processor
from honed.tasks.contract import Batch, Encoded, Input

OPSET = 23
"""The first version in which attention is one operator; a quarter faster than with its parts. Older ones are tried next."""
FALLBACK_OPSETS = (20, 18)
NEAR = 1e-3
"""Largest difference from torch's outputs, as a share of the largest."""
ENOUGH = 8
"""A length at which no dimension is special for the tracer (0 and 1 are)."""


class _Flat(torch.nn.Module):
    """The network with tensors in the order of ``names`` instead of a dictionary."""

    def __init__(self, network: Any, names: Sequence[str], with_features: bool) -> None:
        super().__init__()
        self.network, self.names, self.with_features = network, tuple(names), with_features

    def forward(self, *tensors: torch.Tensor) -> Any:
        batch = dict(zip(self.names, tensors, strict=True))
        if not self.with_features:
            return self.network(batch)
        features = self.network.features(batch)
        return self.network.head(features), features


def export_network(network: Any, inputs: Sequence[Input], path: Path, *, with_features: bool = True) -> None:
    """Write a network as ONNX with fp32 weights.

    Parameters
    ----------
    inputs : sequence
        At least one real input; its encoding shows the exporter the shapes.
    with_features : bool
        Also give what the head reads, as a second output; needs ``network.head(network.features(batch))``.

    Raises
    ------
    BundleError [B032]
        The network cannot be written as ONNX; the reason is the exporter's own.
    """
    network = on_processor(network).eval()
    first, second = _examples(network, inputs)
    network = getattr(network, "for_engines", network)
    wanted = getattr(network, "inputs", tuple(first))
    first, second = ({name: batch[name] for name in wanted} for batch in (first, second))
    flat = _Flat(network, list(first), with_features).eval()
    names = [OUTPUTS, FEATURES] if with_features else [OUTPUTS]
    trouble = ""
    for opset in (OPSET, *FALLBACK_OPSETS):
        try:
            with _silent(), torch.no_grad():
                program: Any = torch.onnx.export(
                    flat, tuple(first.values()), dynamo=True, dynamic_shapes=(_varying(first, second),),
                    input_names=list(first), output_names=names, opset_version=opset, verbose=False,
                    custom_translation_table=_explained(),
                )  # fmt: skip
                program.save(path)
            _check(path, network, (first, second))
            return
        except Exception as error:  # the exporter raises errors of many kinds
            trouble = trouble or f"{type(error).__name__}: {_first_line(error)}"
    seen = f"This network cannot be written as ONNX ({trouble})."
    raise BundleError("B032", seen, "Use the engine torch-fp32, or export to transformers.")


def _explained() -> dict[Any, Any]:
    """Operators that the exporter does not know, in those of ONNX: what libraries check that their shapes fit."""
    import onnxscript

    operators: Any = onnxscript.opset18

    def all_true(x: Any) -> Any:
        return operators.Cast(operators.ReduceMin(operators.Cast(x, to=6), keepdims=0), to=9)  # bool, int32, bool

    return {torch.ops.aten._is_all_true.default: all_true}


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or ["no message"])[0][:160]


def _examples(network: Any, inputs: Sequence[Input]) -> tuple[Batch, Batch]:
    """Two batches of different sizes and, where encodings are sequences, of different lengths."""
    longest = max(network.encode(list(inputs[:64])), key=lambda row: row["length"])
    while 1 < longest["length"] < ENOUGH:
        longest = _resized(longest, 2)
    shorter = _resized(longest, 0.5) if longest["length"] >= ENOUGH else longest
    return network.collate([longest, shorter]), network.collate([shorter] * 3)


def _resized(row: Encoded, factor: float) -> Encoded:
    """An encoding cut or repeated: every list that is as long as the encoding is a sequence."""
    length = int(row["length"] * factor)
    times = -(-length // row["length"])
    return {
        name: length if name == "length" else (list(value) * times)[:length] if _sequence(value, row) else value
        for name, value in row.items()
    }


def _sequence(value: Any, row: Encoded) -> bool:
    return isinstance(value, list | tuple) and len(value) == row["length"]


def _varying(first: Batch, second: Batch) -> tuple[dict[int, Any], ...]:
    """For each tensor the dimensions that differ between two batches: those are dynamic."""
    dynamic = torch.export.Dim.AUTO
    return tuple(
        {place: dynamic for place, (a, b) in enumerate(zip(value.shape, second[name].shape, strict=True)) if a != b}
        for name, value in first.items()
    )


def _check(path: Path, network: Any, batches: Sequence[Batch]) -> None:
    """The file opens and gives torch's outputs for both batches."""
    from honed.networks.gap import gap_between

    runner = OnnxRunner(path)
    for batch in batches:
        with torch.inference_mode():
            wanted = network(batch).float()
        if not gap_between(network, torch.from_numpy(runner.outputs(batch)), wanted) <= NEAR:
            raise ValueError("the exported network gives other outputs")


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without the exporter's remarks about optional packages and its own future."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "torch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
