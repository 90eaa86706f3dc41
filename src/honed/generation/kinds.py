"""The engines that write, as facts."""

from __future__ import annotations

from honed.errors import GenerationError

READERS = ("auto", "onnx", "torch", "transformers")
"""What our own generator computes with."""
ENGINES = (*READERS, "vllm")
READS_FOLDERS = ("vllm",)
"""Engines that read the weights of a folder by themselves, so that nobody else need."""
WEIGHTS = {
    "float32": ("onnx", "torch", "transformers", "vllm"),
    "bfloat16": ("torch", "transformers", "vllm"),
    "int8": ("onnx",),
    "int4": ("onnx",),
}
"""Which engines compute with which weights."""
AS_KINDS = {"torch-fp32": ("auto", ""), "onnx-fp32": ("onnx", "float32"), "onnx-int8": ("onnx", "int8")}
"""For names of ``honed engines``, which say what computes answers of all kinds: the engine that writes, and its weights."""


def check_engine(name: str, among: tuple[str, ...] = ENGINES) -> str:
    """The name, where there is such an engine. Raises GenerationError [G001]."""
    if name not in among:
        raise GenerationError("G001", f"engine is {name!r}.", f"Use one of {', '.join(among)}.")
    return name


def check_weights(name: str) -> str:
    """The name, where there is such a format of weights. Raises GenerationError [G001]."""
    if name not in WEIGHTS:
        raise GenerationError("G001", f"weights is {name!r}.", f"Use one of {', '.join(WEIGHTS)}.")
    return name


def engine_for_texts(name: str, weights: str) -> tuple[str, str]:
    """Which engine writes texts, and with which weights, where a name of ``honed engines`` or of :data:`ENGINES` was given.

    Raises
    ------
    GenerationError [G001]
        Nothing of that name writes.
    """
    engine, own = AS_KINDS.get(name, (name, ""))
    return check_engine(engine), own or weights
