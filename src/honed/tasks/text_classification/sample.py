"""A few dozen rows that a tiny random model learns in seconds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from honed.data.table import Table
from honed.files import passing_folder
from honed.tasks.contract import Sample

WORDS = {
    "network": ("router", "wifi", "cable", "vpn", "signal", "internet"),
    "printing": ("printer", "toner", "paper", "jam", "scanner", "tray"),
    "accounts": ("password", "login", "account", "locked", "reset", "permission"),
}
FILLERS = ("please", "help", "the", "is", "not", "working", "today", "again", "my", "office", "since", "morning")


def sample() -> Sample:
    """96 made-up tickets of three teams and a tiny BERT whose vocabulary covers them."""
    rng = np.random.default_rng(7)
    teams = [team for team in WORDS for _ in range(32)]
    texts = [" ".join(_sentence(rng, team)) for team in teams]
    order = rng.permutation(len(texts))
    arrow = pa.table({"text": [texts[row] for row in order], "team": [teams[row] for row in order]})
    settings = {"max_length": 32}
    return Sample(Table(arrow, "sample", "sample"), "team", _tiny_base(), settings)


def _sentence(rng: np.random.Generator, team: str) -> list[str]:
    words = [*rng.choice(WORDS[team], 2), *rng.choice(FILLERS, 4)]
    return [str(word) for word in rng.permutation(words)]


@cache
def _tiny_base() -> Path:
    from honed.testing.tiny_models import tiny_model

    folder = passing_folder("honed-tiny-") / "tiny-bert"
    vocabulary = [*FILLERS, *(word for words in WORDS.values() for word in words)]
    return tiny_model("bert", folder, sentences=[" ".join(vocabulary)])
