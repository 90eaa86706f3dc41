"""How a text is continued: what a request may ask for, and what it gets back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from honed.errors import GenerationError

Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Settings:
    """How a text is continued.

    Parameters
    ----------
    max_tokens : int
        New tokens at most, from 1.
    temperature : float
        0 takes the likeliest token; 1 draws as the model says; more is bolder. At most 100.
    top_p, top_k, min_p : float, int, float
        Draw among the fewest tokens that have this share together (1: all); among so many (0: all); among those that have
        at least this share of the likeliest one's (0: all). Applied in the order top_k, top_p, min_p.
    repetition_penalty : float
        Logits of tokens seen in prompt or answer are divided by it where positive, multiplied where negative; 1 for none.
    presence_penalty, frequency_penalty : float
        Taken off the logit of a token that the answer holds already: once; for each time. From -2 to 2.
    seed : int, optional
        The same seed gives the same answer, alone or in company. Drawn where left out.
    stop : sequence of str
        Texts at which the answer ends; they are not part of it.
    logprobs : int, optional
        Give the logarithm of the probability of each token, and of so many likeliest ones beside it (0 to 100).
    logit_bias : mapping of int to float
        Added to the logits of tokens, before everything else.
    ignore_end : bool
        Go on after the token that ends a text.
    regex, json_schema : str, dict
        The answer must match it, as a whole. At most one of the two.
    look_up : int
        Up to so many tokens are guessed from an earlier place with the same last tokens, and checked in one pass. The answer
        is the one without guessing; for greedy answers that repeat their prompt it comes sooner. 0 for none.
    """

    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: Sequence[str] = ()
    logprobs: int | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    ignore_end: bool = False
    regex: str = ""
    json_schema: Mapping[str, Any] | None = None
    look_up: int = 0

    def __post_init__(self) -> None:
        """Check every bound.

        Raises
        ------
        GenerationError [G001]
        """
        bounds: dict[str, tuple[float, float]] = {
            "max_tokens": (1, 2**31), "temperature": (0, 100), "top_p": (1e-9, 1), "top_k": (0, 2**31), "min_p": (0, 1),
            "repetition_penalty": (1e-3, 1e3), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2), "look_up": (0, 64),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            whole = isinstance(bounds[name][1], int) and name in ("max_tokens", "top_k", "look_up")
            if (
                not isinstance(value, int if whole else (int, float))
                or isinstance(value, bool)
                or not low <= value <= high
            ):
                raise _wrong(name, value, f"a {'whole ' if whole else ''}number from {low:g} to {high:g}")
        if self.logprobs is not None and not (type(self.logprobs) is int and 0 <= self.logprobs <= 100):
            raise _wrong("logprobs", self.logprobs, "a whole number from 0 to 100")
        if isinstance(self.stop, str) or not all(isinstance(one, str) and one for one in self.stop):
            raise _wrong("stop", self.stop, "a list of texts that are not empty")
        if not all(type(one) is int and one >= 0 and not math.isnan(value) for one, value in self.logit_bias.items()):
            raise _wrong("logit_bias", dict(self.logit_bias), "numbers by token id")
        if self.regex and self.json_schema is not None:
            raise _wrong("regex and json_schema", "both", "one of the two")

    @property
    def constrained(self) -> bool:
        """True where the answer must have a form."""
        return bool(self.regex) or self.json_schema is not None

    @property
    def plain(self) -> bool:
        """True where the likeliest token is taken as the model gives it, and nothing else is wanted."""
        return self.temperature == 0 and not self.adjusts and self.logprobs is None and not self.constrained

    @property
    def adjusts(self) -> bool:
        """True where logits are changed before a token is chosen."""
        penalised = self.repetition_penalty != 1 or self.presence_penalty or self.frequency_penalty
        return bool(penalised) or bool(self.logit_bias)


def _wrong(name: str, value: Any, wanted: str) -> GenerationError:
    return GenerationError("G001", f"{name} is {value!r}.", f"Give {wanted}.")


@dataclass(frozen=True)
class Request:
    """A text to be continued.

    Parameters
    ----------
    prompt : str or sequence of int
        A text, or its tokens as they are.
    settings : Settings
    on_token : callable, optional
        Gets every :class:`Token` at once, in the thread that steps; keep it short.
    anew : bool
        The answer is a text of its own, not the rest of the prompt's: no blank is shown before its first word.
    """

    prompt: str | Sequence[int]
    settings: Settings = field(default_factory=Settings)
    on_token: Callable[[Token], None] | None = None
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """One new token.

    Parameters
    ----------
    id : int
    text : str
        What can be shown now: never half a character, and nothing that may be the beginning of a stop text.
    logprob : float, optional
        Logarithm of its probability by the model, before temperature and penalties.
    top : tuple of (id, logprob)
        The likeliest tokens at this place, the likeliest first.
    """

    id: int
    text: str
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Completion:
    """A finished answer.

    Parameters
    ----------
    text : str
    tokens : tuple of Token
        Without the one that ends a text.
    finish : str
        "stop" at an end token, a stop text or the end of a wanted form; "length"; "cancelled".
    n_prompt, n_reused : int
        Tokens of the prompt, and how many of them were known from earlier requests.
    seed : int
        With which it can be repeated.
    first_s, total_s : float
        Seconds from the request to the first token and to the end.
    end_logprob : float, optional
        Of the token that ended it, where one did and probabilities were asked for.
    """

    text: str
    tokens: tuple[Token, ...]
    finish: Finish
    n_prompt: int
    n_reused: int
    seed: int
    first_s: float
    total_s: float
    end_logprob: float | None = None

    @property
    def sure(self) -> float:
        """Mean logarithm of the probability of its tokens, with the one that ended it; 0 where none was asked for."""
        found = [one for one in (*(token.logprob for token in self.tokens), self.end_logprob) if one is not None]
        return sum(found) / max(1, len(found))

    @property
    def ids(self) -> list[int]:
        """Ids of the new tokens."""
        return [token.id for token in self.tokens]
