"""Which engine writes: our own generator on one of its readers, or vLLM."""

from __future__ import annotations

from pathlib import Path

from honed.errors import GenerationError
from honed.generation import engine as readers
from honed.generation.text_engine import TextEngine
from honed.networks.decoders.loading import Loaded, load_decoder
from honed.networks.decoders.unread import Unread, look_at_decoder

ENGINES = (*readers.ENGINES, "vllm")
READS_FOLDERS = ("vllm",)
"""Engines that read the weights of a folder by themselves, so that nobody else need."""
AS_KINDS = {"torch-fp32": ("auto", ""), "onnx-fp32": ("onnx", "float32"), "onnx-int8": ("onnx", "int8")}
"""For names of ``honed engines``, which say what computes answers of all kinds: the engine that writes, and its weights."""


def open_engine(
    decoder: Loaded | Unread, *, engine: str = "auto", slots: int = 16, context: int | None = None, weights: str = "float32",
    threads: int | None = None,
) -> TextEngine:  # fmt: skip
    """What writes texts with a decoder.

    Parameters
    ----------
    decoder : Loaded or Unread
        As :func:`decoder_for` gives it.
    engine : str
        One of :data:`ENGINES`.
    slots, context, weights, threads
        See :class:`~honed.generation.generator.Generator` and :class:`~honed.generation.vllm_engine.VllmEngine`.

    Raises
    ------
    GenerationError [G001, G006, G007, G008]
        Unknown engine or weights; an engine that cannot compute this model, or is not there.
    """
    check_engine(engine)
    if engine == "vllm":
        from honed.generation.vllm_engine import VllmEngine

        return VllmEngine(decoder, slots=slots, context=context, weights=weights, threads=threads)
    from honed.generation.generator import Generator

    loaded = decoder if isinstance(decoder, Loaded) else load_decoder(decoder.folder)
    return Generator(loaded, slots=slots, context=context, engine=engine, weights=weights, threads=threads)


def decoder_for(folder: Path | str, engine: str) -> Loaded | Unread:
    """The decoder of a folder in hub format, its weights in memory where the engine wants them.

    Raises
    ------
    GenerationError [G001], ZooError
    """
    return look_at_decoder(folder) if check_engine(engine) in READS_FOLDERS else load_decoder(folder)


def engine_for_texts(name: str, weights: str) -> tuple[str, str]:
    """Which engine writes texts, and with which weights, where a name of ``honed engines`` or of :data:`ENGINES` was given.

    Raises
    ------
    GenerationError [G001]
        Nothing of that name writes.
    """
    engine, own = AS_KINDS.get(name, (name, ""))
    return check_engine(engine), own or weights


def check_engine(name: str) -> str:
    """The name, where there is such an engine. Raises GenerationError [G001]."""
    if name not in ENGINES:
        raise GenerationError("G001", f"engine is {name!r}; it writes no texts.", f"Use one of {', '.join(ENGINES)}.")
    return name
