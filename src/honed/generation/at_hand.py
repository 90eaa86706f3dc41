"""Texts continued by a decoder in memory, just as it stands: no weight is copied, and afterwards it may go on learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from honed.generation.generator import Generator
from honed.generation.settings import Completion, Request, Settings
from honed.networks.decoders.loading import Loaded

SLOTS = 32
"""Texts at a time; more gain nothing on a few cores."""


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
    if not prompts:
        return []
    was = loaded.network.training
    engine = "transformers" if loaded.shape is None else "torch"
    slots = min(SLOTS, len(prompts))
    longest = max(map(len, prompts))
    generator = Generator(loaded, slots=slots, engine=engine, chunk=slots * longest, kept_mib=0.0)
    order = sorted(range(len(prompts)), key=lambda k: -len(prompts[k]))
    streams = {
        k: generator.submit(Request(prompts[k], settings if settings.seed is None else replace(settings, seed=settings.seed + k)))
        for k in order
    }  # fmt: skip
    found = {}
    for k in order:
        found[k] = streams[k].result()
        if advance:
            advance(1)
    loaded.network.train(was)
    return [found[k] for k in range(len(prompts))]
