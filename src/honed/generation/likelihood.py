"""How likely given texts are after a prompt, the prompt read once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from honed.generation.choosing import log_softmax
from honed.generation.reader import Logits, Reader
from honed.generation.row import shared

Tokens = Sequence[int]


class Scores(Protocol):
    """What tells how likely texts are."""

    def after(self, prompt: Tokens, continuations: Sequence[Tokens]) -> NDArray[np.float64]:
        """Natural logarithm of the probability of each continuation, (n,); none may be empty, nor the prompt."""


class Likelihood:
    """Log-probabilities of continuations.

    Each prompt and each beginning that continuations share is read once; what a prompt has in common with the one before
    is not read again.

    Parameters
    ----------
    reader : Reader
        Its first slot is used.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._held: list[int] = []
        self.n_read = self.n_reused = 0

    def after(self, prompt: Tokens, continuations: Sequence[Tokens]) -> NDArray[np.float64]:
        """Natural logarithm of the probability of each continuation, (n,); none may be empty, nor the prompt."""
        if not self.reader.rewinds:
            return np.array([self._alone(prompt, one) for one in continuations])
        start = min(shared(self._held, prompt), len(prompt) - 1)
        logits = self.reader.read(0, prompt[start:], start)[-1]
        self._held = list(prompt)
        self.n_read += len(prompt) - start
        self.n_reused += start
        found = np.zeros(len(continuations))
        self._below(logits, len(prompt), list(enumerate(continuations)), found)
        return found

    def _below(self, logits: Any, place: int, left: list[tuple[int, Tokens]], found: NDArray[np.float64]) -> None:
        """Add what follows at a place, for continuations that are alike up to there."""
        logs = log_softmax(logits)
        groups: dict[int, list[tuple[int, Tokens]]] = {}
        for number, tokens in left:
            found[number] += logs[tokens[0]]
            if len(tokens) > 1:
                groups.setdefault(tokens[0], []).append((number, tokens[1:]))
        for token, rest in groups.items():
            n = min(shared(rest[0][1], tokens) for _, tokens in rest)
            n = min(n, min(len(tokens) for _, tokens in rest) - 1)
            common = list(rest[0][1][:n])
            rows = self.reader.read(0, [token, *common], place, every=True).copy()
            known = sum(float(log_softmax(row)[one]) for row, one in zip(rows, common, strict=False))
            for number, _ in rest:
                found[number] += known
            self._below(rows[-1], place + 1 + n, [(number, tokens[n:]) for number, tokens in rest], found)

    def _alone(self, prompt: Tokens, tokens: Tokens) -> float:
        """Prompt and continuation read as one text, for decoders whose memory cannot be rewound."""
        rows: Logits = self.reader.read(0, [*prompt, *tokens[:-1]], 0, every=True)
        self.n_read += len(prompt) + len(tokens) - 1
        last = rows[-len(tokens) :]
        return sum(float(log_softmax(row)[token]) for row, token in zip(last, tokens, strict=True))
