"""How a model that writes is asked: a text or a chat into the tokens of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from honed.networks.decoders.loading import Loaded
from honed.networks.decoders.unread import Unread

Message = dict[str, str]


@dataclass(frozen=True)
class Prompt:
    """What is read before the answer.

    Parameters
    ----------
    ids : list of int
    row : tuple of str, optional
        The row of a table that was asked, as ``predict`` takes it; None where the model knows no rows.
    anew : bool
        The answer is a text of its own; see :class:`~honed.generation.settings.Request`.
    """

    ids: list[int]
    row: tuple[str, ...] | None = None
    anew: bool = False


@dataclass(frozen=True)
class Manner:
    """What may be asked, and how answers are written where a request does not say.

    Parameters
    ----------
    chat : bool
        Chats are answered.
    turns : bool
        A chat may have more than one message.
    columns : tuple of str
        Columns of a row; () for a model that knows no rows.
    context : int
        Tokens of prompt and answer together.
    most_tokens : int
        Tokens of an answer by default; 0 for no opinion.
    temperature : float
        By default.
    """

    chat: bool
    turns: bool
    columns: tuple[str, ...]
    context: int
    most_tokens: int = 0
    temperature: float = 1.0


class Asking(Protocol):
    """A model that writes, and how it is asked.

    Parameters
    ----------
    loaded : Loaded or Unread
        What writes, for an engine.
    """

    loaded: Loaded | Unread

    @property
    def manner(self) -> Manner:
        """What may be asked."""

    def text(self, given: str) -> Prompt:
        """The prompt for a text. Raises GenerationError [G010]."""

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """The prompt for a chat. Raises GenerationError [G010], ZooError [Z044]."""


class PlainAsking:
    """A decoder as it came: texts are continued, chats are written by its template.

    Parameters
    ----------
    loaded : Loaded or Unread
    """

    def __init__(self, loaded: Loaded | Unread) -> None:
        self.loaded = loaded

    @property
    def manner(self) -> Manner:
        """Chats only where the model came with a template."""
        chat = self.loaded.vocabulary.chat is not None
        return Manner(chat, chat, (), self.loaded.context)

    def text(self, given: str) -> Prompt:
        """Its tokens, with those that the model expects around a text."""
        return Prompt(self.loaded.vocabulary.encode(given))

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """The words of the template."""
        return Prompt(self.loaded.vocabulary.chat_prompt(list[Any](messages)), anew=True)
