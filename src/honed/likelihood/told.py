"""Texts as a decoder is told them: what stands before, and what it is to go on with."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

One = TypeVar("One")
MOST_LETTERS = 20_000_000
"""Letters of training text that are searched for repetitions."""


@dataclass(frozen=True)
class Told:
    """A text, with the tokens that are read before it.

    Parameters
    ----------
    text : str
    before : tuple of int
        Tokens of what was asked, or of what begins a text.
    asked : str
        What was asked, in words; "" where the text stands alone.
    """

    text: str
    before: tuple[int, ...] = ()
    asked: str = ""


class Heard:
    """Texts that were learnt from, to be asked how often something stands in them; case and blanks play no part."""

    def __init__(self, texts: Sequence[Told]) -> None:
        self.texts: list[str] = []
        room = MOST_LETTERS
        for one in texts:
            if room <= 0:
                break
            self.texts.append(plain(one.text))
            room -= len(one.text)
        self._whole = "\x1e".join(self.texts)

    def times(self, text: str) -> int:
        """How often a text stands in them."""
        return self._whole.count(plain(text))

    def texts_with(self, text: str) -> int:
        """In how many of them a text stands."""
        wanted = plain(text)
        return sum(wanted in one for one in self.texts)


def plain(text: str) -> str:
    """A text with blanks and case made alike."""
    return " ".join(text.lower().split())


def some(texts: Sequence[One], most: int, seed: int) -> list[One]:
    """Up to so many by lot, in their order."""
    if len(texts) <= most:
        return list(texts)
    places = sorted(random.Random(seed).sample(range(len(texts)), most))
    return [texts[place] for place in places]
