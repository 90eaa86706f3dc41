"""A few dozen rows, and a tiny decoder that learns to answer them in seconds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from honed.data.table import Table
from honed.files import passing_folder
from honed.tasks.contract import Sample
from honed.tasks.text_classification.sample import FILLERS, WORDS

REPLIES = {
    "network": "please restart the router",
    "printing": "we refill the printer today",
    "accounts": "your password was reset",
}


def sample() -> Sample:
    """96 made-up tickets with the reply that each kind gets, and a tiny decoder whose vocabulary covers them."""
    rng = np.random.default_rng(7)
    kinds = [kind for kind in WORDS for _ in range(32)]
    tickets = [" ".join([*rng.choice(WORDS[kind], 2), *rng.choice(FILLERS, 3)]) for kind in kinds]
    order = rng.permutation(len(tickets))
    arrow = pa.table({"ticket": [tickets[i] for i in order], "reply": [REPLIES[kinds[i]] for i in order]})
    return Sample(Table(arrow, "sample", "sample"), "reply", _tiny_base(), {})


@cache
def _tiny_base() -> Path:
    from honed.testing.tiny_decoders import tiny_word_decoder

    folder = passing_folder("honed-tiny-") / "tiny-decoder"
    words = [*FILLERS, *(word for words in WORDS.values() for word in words), *" ".join(REPLIES.values()).split()]
    return tiny_word_decoder(folder, words=words)
