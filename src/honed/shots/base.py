"""What a model must offer to answer by examples, wherever it computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from honed.networks.decoders.layout import Layout
from honed.shots.examples import Row
from honed.tasks.answers import Array

Shot = tuple[Row, str]


@dataclass(frozen=True)
class Asked:
    """A row with the examples shown before it, as the model reads it.

    Parameters
    ----------
    row : tuple of str
    shots : tuple of (row, answer)
        In the order shown.
    prompt : tokens or messages
    shortened : bool
        The row did not fit and lost some of its end.
    """

    row: Row
    shots: tuple[Shot, ...]
    prompt: Any
    shortened: bool = False


@dataclass(frozen=True)
class Wish:
    """What an answer must be like.

    Parameters
    ----------
    max_tokens : int
    stop : tuple of str
    schema : dict, optional
    """

    max_tokens: int
    stop: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None


@dataclass(frozen=True)
class Written:
    """An answer: its text, whether it came to its own end, and its probability where the model tells it."""

    text: str
    ended: bool
    chance: float | None = None


class Base(Protocol):
    """A model that answers.

    Parameters
    ----------
    name : str
    scores : bool
        It tells how likely a given answer is.
    chat : bool
        It is asked by messages.
    at_once : int
        Rows to hand over at a time.
    """

    name: str
    scores: bool
    chat: bool
    at_once: int

    def asked(self, layout: Layout, row: Row, shots: Sequence[Shot], room: int) -> Asked:
        """A row with as many of the shots, the best first, as leave ``room`` tokens for the answer."""

    def again(self, layout: Layout, asked: Asked, row: Row) -> Asked:
        """The same examples with another row."""

    def chances(self, layout: Layout, asked: Sequence[Asked], answers: Sequence[str]) -> Array:
        """Log-probability of each answer after each row, and how many tokens it has: (n, answers, 2)."""

    def write(self, asked: Sequence[Asked], wish: Wish) -> list[Written]:
        """An answer for each row."""

    def length(self, text: str) -> int:
        """Tokens of a text, about."""

    def shown(self, asked: Asked) -> str:
        """What the model reads, for people."""
