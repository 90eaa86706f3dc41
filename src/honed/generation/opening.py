"""Which engine writes: our own generator on one of its readers, or vLLM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from honed.generation.engine import open_reader
from honed.generation.kinds import READS_FOLDERS, check_engine
from honed.generation.likelihood import Likelihood, Scores
from honed.generation.text_engine import TextEngine
from honed.generation.weights import best_weights
from honed.networks.decoders.loading import Loaded, load_decoder
from honed.networks.decoders.unread import Unread, look_at_decoder
from honed.networks.devices import best_device


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
        One of :data:`~honed.generation.kinds.ENGINES`.
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

    return Generator(_in_memory(decoder), slots=slots, context=context, engine=engine, weights=weights, threads=threads)


def likelihood_of(
    decoder: Loaded | Unread, writing: Callable[[], TextEngine], *, engine: str = "auto", weights: str = "float32"
) -> Scores:
    """What tells how likely texts are, on the same engine.

    Parameters
    ----------
    writing : callable
        Gives the engine that writes, for those that are opened once for both.
    """
    if engine == "vllm":
        from honed.generation.vllm_likelihood import VllmLikelihood

        return VllmLikelihood(writing())
    return Likelihood(open_reader(_in_memory(decoder), 1, None, engine, weights))


def settled_weights(decoder: Loaded | Unread, engine: str, weights: str) -> str:
    """The weights, "auto" settled once by a test on this machine; vLLM settles it by itself."""
    return best_weights(decoder, engine) if weights == "auto" and isinstance(decoder, Loaded) else weights


def _in_memory(decoder: Loaded | Unread) -> Loaded:
    return decoder if isinstance(decoder, Loaded) else load_decoder(decoder.folder, device=best_device())


def decoder_for(folder: Path | str, engine: str) -> Loaded | Unread:
    """The decoder of a folder in hub format, its weights in memory where the engine wants them.

    Raises
    ------
    GenerationError [G001], ZooError
    """
    if check_engine(engine) in READS_FOLDERS:
        return look_at_decoder(folder)
    return load_decoder(folder, device="cpu" if engine == "onnx" else best_device())
