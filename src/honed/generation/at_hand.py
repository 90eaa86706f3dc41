"""Texts continued by a decoder in memory, just as it stands: no weight is copied, and afterwards it may go on learning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from honed.generation.generator import Generator
from honed.generation.settings import Completion, Request, Settings
from honed.networks.decoders.loading import Loaded

SLOTS = {"cpu": 96, "cuda": 256}
"""Texts at a time at most. On one core 256 texts of 40 tokens took 11.2 s with 32 slots, 10.0 with 64 and 9.4 with 128."""
HELD = {"cpu": 16_384, "cuda": 65_536}
"""Tokens for which there is room at a time: long texts are written fewer at a time."""


def continued(
    loaded: Loaded,
    prompts: Sequence[Sequence[int]],
    settings: Settings,
    *,
    advance: Callable[[int], None] | None = None,
) -> list[Completion]:
    """What follows each prompt; where tokens are drawn, each text has a seed of its own, counted from that of the settings.

    Parameters
    ----------
    prompts : sequence of sequences of int
        Tokens, fewer than the decoder reads.
    advance : callable, optional
        Called with 1 for each text that is done.

    Raises
    ------
    GenerationError [G002, G003]
    """
    was, found = loaded.network.training, dict[int, Completion]()
    device = "cuda" if next(loaded.network.parameters()).device.type == "cuda" else "cpu"
    lengths = [min(len(prompt) + settings.max_tokens, loaded.context) for prompt in prompts]
    try:
        for part, slots in _parts(lengths, SLOTS[device], HELD[device]):
            generator = _at_hand(loaded, min(slots, len(part)), HELD[device])
            streams = [generator.submit(Request(prompts[k], _seeded(settings, k))) for k in part]
            for k, stream in zip(part, streams, strict=True):
                found[k] = stream.result()
                if advance:
                    advance(1)
    finally:
        loaded.network.train(was)
    return [found[k] for k in range(len(prompts))]


def _at_hand(loaded: Loaded, slots: int, chunk: int) -> Generator:
    """A generator that computes with the very weights of the decoder."""
    engine = "transformers" if loaded.shape is None else "torch"
    return Generator(loaded, slots=slots, engine=engine, chunk=chunk, kept_mib=0.0)


def _seeded(settings: Settings, k: int) -> Settings:
    return settings if settings.seed is None else replace(settings, seed=settings.seed + k)


def _parts(lengths: Sequence[int], most: int, held: int) -> Iterator[tuple[list[int], int]]:
    """Texts, the longest first, that are written with one generator, and with how many slots: where there is not room for ``most``
    texts as long as the longest, those at least half as long are written by themselves."""
    order = sorted(range(len(lengths)), key=lambda k: -lengths[k])
    while order:
        longest = max(1, lengths[order[0]])
        slots = max(1, min(most, held // longest))
        n = len(order) if slots == most else sum(2 * lengths[k] > longest for k in order)
        yield order[:n], slots
        order = order[n:]
