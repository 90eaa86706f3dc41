"""Which examples are shown with a row: those most alike, every label in turn, the most alike last."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from honed.shots.examples import Examples, Row

MOST_TOKENS = 128


class Choice:
    """Orders examples by how well they go with a row; the same rows give the same order every time.

    Parameters
    ----------
    examples : Examples
    how : str
        "alike", "random" (by lot, others for each row) or "first" (the same for all rows, in the order given).
    seed : int
    """

    def __init__(self, examples: Examples, how: str = "alike", seed: int = 0) -> None:
        self.examples, self.how, self.seed = examples, how, seed
        self._vectors = vectors_of(examples.rows) if how == "alike" and len(examples) else None
        self._last: tuple[tuple[Row, ...], Any] = ((), None)

    def ordered(self, rows: Sequence[Row], most: int, *, others: bool = False) -> list[list[int]]:
        """Positions of at most ``most`` examples for each row, the best first; with ``others`` none equal to the row."""
        if not len(self.examples) or most <= 0 or not rows:
            return [[] for _ in rows]
        found = []
        for row, scores in zip(rows, self._scores(rows), strict=True):
            order = np.argsort(-scores, kind="stable").tolist()
            if others:
                order = [k for k in order if self.examples.rows[k] != row]
            found.append(self._in_turn(order)[:most] if self.examples.kind == "label" else order[:most])
        return found

    def nearest(self, rows: Sequence[Row]) -> list[int]:
        """The example most alike for each row."""
        if self._vectors is None:
            self._vectors = vectors_of(self.examples.rows)
        return [int(k) for k in self.likeness(rows).argmax(axis=1)]

    def likeness(self, rows: Sequence[Row]) -> Any:
        """How alike rows and examples are, (rows, examples); asked for the same rows again it is not computed again."""
        key = tuple(rows)
        if self._last[0] != key:
            assert self._vectors is not None
            self._last = key, vectors_of(rows) @ self._vectors.T
        return self._last[1]

    def _scores(self, rows: Sequence[Row]) -> Any:
        n = len(self.examples)
        if self.how == "alike":
            return self.likeness(rows)
        if self.how == "first":
            return np.broadcast_to(-np.arange(n, dtype=float), (len(rows), n))
        return np.stack([np.random.default_rng([self.seed, _number(row)]).random(n) for row in rows])

    def _in_turn(self, order: list[int]) -> list[int]:
        """The best of each label, then the second best of each, and so on; within a turn the best first."""
        turns: dict[str, int] = {}
        turn_of = {}
        for k in order:
            label = self.examples.answers[k]
            turn_of[k] = turns[label] = turns.get(label, -1) + 1
        return sorted(order, key=lambda k: turn_of[k])


def _number(row: Row) -> int:
    from hashlib import blake2b

    return int.from_bytes(blake2b("\x1f".join(row).encode("utf-8", "replace"), digest_size=6).digest(), "big")


def vectors_of(rows: Sequence[Row]) -> Any:
    """A vector of length 1 for each row, by the encoder that comes with Honed, (n, width) float32."""
    texts = [" ".join(row) or " " for row in rows]
    places = {text: k for k, text in enumerate(dict.fromkeys(texts))}
    found = _encoder().embed([(text,) for text in places])
    found = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return found[[places[text] for text in texts]]


@cache
def _encoder() -> Any:
    from honed.networks.encoder import EncoderClassifier
    from honed.networks.engine import NetworkPredictor
    from honed.zoo.resolve import resolve

    network = EncoderClassifier.from_base(
        resolve(None), n_outputs=1, kind="regression", labels=(), max_length=MOST_TOKENS
    )
    return NetworkPredictor(network)
