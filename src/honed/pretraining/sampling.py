"""Samples while a decoder trains."""

from __future__ import annotations

from typing import Any

from honed.generation.at_hand import continued
from honed.generation.settings import Settings
from honed.networks.decoders.vocabulary import Vocabulary
from honed.pretraining.engine import Learner

LENGTH, WARMTH = 120, 0.8


def sample(learner: Learner, tokenizer: Any, prompt: str, seed: int, length: int = LENGTH) -> str:
    """Text that the network makes of a prompt; the beginning of a document where there is none.

    Where the context is full, the latter half of it is read anew and the text goes on.
    """
    vocabulary = Vocabulary(tokenizer, begin=learner.boundary, ends=[learner.boundary])
    loaded, context = learner.loaded(vocabulary), learner.network.shape.context
    tokens = [learner.boundary, *tokenizer.encode(prompt, add_special_tokens=False).ids]
    last, ended = len(tokens) + length, False
    while len(tokens) < last and not ended:
        wanted = Settings(max_tokens=last - len(tokens), temperature=WARMTH, seed=seed + len(tokens))
        seen = tokens if len(tokens) < context else tokens[-(context // 2) :]
        (more,) = continued(loaded, [seen], wanted)
        tokens += more.ids
        ended = more.finish == "stop"
    found: str = tokenizer.decode([token for token in tokens if token != learner.boundary], skip_special_tokens=False)
    return found
