"""Which engine reads: ONNX Runtime where it computes the model on a processor, our own torch module, or transformers."""

from __future__ import annotations

from typing import Any

from honed.errors import GenerationError
from honed.generation.kinds import READERS, WEIGHTS, check_engine, check_weights
from honed.generation.reader import Reader
from honed.networks.decoders.loading import Loaded


def open_reader(
    loaded: Loaded,
    slots: int,
    context: int | None,
    engine: str = "auto",
    weights: str = "float32",
    threads: int | None = None,
) -> Reader:
    """A reader for a decoder.

    Raises
    ------
    GenerationError [G001, G006]
        Unknown engine or weights; an engine that cannot compute this model.
    """
    check_engine(engine, READERS)
    check_weights(weights)
    name = _possible(loaded, weights) if engine == "auto" else engine
    if name not in WEIGHTS[weights] or (name == "transformers") != (loaded.shape is None):
        own = (
            "is computed by transformers only"
            if loaded.shape is None
            else f"with weights in {weights} is not computed by {name}"
        )
        raise GenerationError("G006", f"The decoder in {loaded.folder} {own}.", 'Use engine="auto".')
    network = loaded.network
    if weights == "bfloat16":
        import copy

        import torch

        network = copy.deepcopy(network).to(torch.bfloat16)
    if name == "transformers":
        from honed.generation.foreign_reader import ForeignReader

        return ForeignReader(network, slots, min(context or loaded.context, loaded.context))
    if name == "torch":
        from honed.generation.torch_reader import TorchReader

        return TorchReader(network, slots, context)
    from honed.generation.onnx_reader import OnnxReader

    return OnnxReader(network, slots, context, weights=weights, threads=threads)


def _possible(loaded: Loaded, weights: str) -> str:
    if loaded.shape is None:
        return "transformers"
    if weights in ("int8", "int4"):
        return "onnx"
    place: Any = next(loaded.network.parameters()).device
    return "onnx" if weights == "float32" and place.type == "cpu" else "torch"
