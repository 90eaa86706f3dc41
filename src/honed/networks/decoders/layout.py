"""How a row becomes what the model reads, and where its own text begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from honed.data.chats import messages_in
from honed.networks.decoders.vocabulary import Vocabulary

BREAK = "\n"
"""Between what is asked and what is written, where a model has no chat template."""
APART = "\n\n"
"""Between rows that are shown, where answers are named."""


@dataclass(frozen=True)
class Layout:
    """Rows into tokens.

    Parameters
    ----------
    names : tuple of str
        Columns of a row; with several, each is written with its name.
    instruction : str
        Said before every row; "" for nothing.
    chat : bool
        Rows are written in the words of the model's chat template.
    messages : bool
        A row is itself a chat, each message beginning a line with its role.
    answer : str
        Name of what is written, put before it; "" for none, as models that learnt to answer have it.
    block : bool
        What is written begins on a line of its own after its name.
    """

    names: tuple[str, ...]
    instruction: str = ""
    chat: bool = False
    messages: bool = False
    answer: str = ""
    block: bool = False

    @property
    def gap(self) -> str:
        """What stands between the name of the answer and the answer."""
        return "" if self.chat or not self.answer else BREAK if self.block else " "

    def asked(self, row: Sequence[str]) -> str:
        """A row as one text; one that was put together already stays as it is."""
        if len(row) == 1 and (self.chat or not self.answer):
            return str(row[0])
        return BREAK.join(f"{name}: {value}" for name, value in zip(self.names, row, strict=True))

    def prompt(self, vocabulary: Vocabulary, row: Sequence[str], shots: Sequence[tuple[Any, str]] = ()) -> list[int]:
        """Tokens up to where the model is to write; ``shots`` are rows with the texts that go with them, shown before."""
        if self.chat:
            return vocabulary.chat_prompt(self.said(row, shots))
        begin = [vocabulary.begin] if vocabulary.begin is not None else []
        return begin + vocabulary.encode(self.text(row, shots), special=False)

    def said(self, row: Sequence[str], shots: Sequence[tuple[Any, str]] = ()) -> list[dict[str, str]]:
        """The prompt as messages of a chat."""
        told: list[dict[str, str]] = [{"role": "system", "content": self.instruction}] if self.instruction else []
        for one, text in shots:
            told += [*self._said(one), {"role": "assistant", "content": text}]
        return [*told, *self._said(row)]

    def text(self, row: Sequence[str], shots: Sequence[tuple[Any, str]] = ()) -> str:
        """The prompt as one text."""
        before = [self.instruction] if self.instruction else []
        if self.answer:
            parts = [self.shot(one, text) for one, text in shots]
            return APART.join([*before, *parts, f"{self.asked(row)}{BREAK}{self.answer}:"]) + (BREAK * self.block)
        parts = [f"{self.asked(one)}{BREAK}{text}{BREAK}" for one, text in shots]
        return BREAK.join([*before, *parts, self.asked(row)]) + BREAK

    def shot(self, row: Sequence[str], text: str) -> str:
        """A row with its named answer."""
        return f"{self.asked(row)}{BREAK}{self.answer}:{self.gap}{text}"

    def _said(self, row: Sequence[str]) -> list[dict[str, str]]:
        return messages_in(self.asked(row)) if self.messages else [{"role": "user", "content": self.asked(row)}]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "names": list(self.names),
            "instruction": self.instruction,
            "chat": self.chat,
            "messages": self.messages,
            "answer": self.answer,
            "block": self.block,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Layout:
        """The inverse of :meth:`as_dict`; bundles from before answers had names are read as well."""
        given = (fields["instruction"], fields["chat"], fields["messages"])
        return cls(tuple(fields["names"]), *given, fields.get("answer", ""), fields.get("block", False))
