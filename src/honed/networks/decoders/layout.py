"""How a row becomes what the model reads, and where its own text begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from honed.data.chats import messages_in
from honed.networks.decoders.vocabulary import Vocabulary

BREAK = "\n"
"""Between what is asked and what is written, where a model has no chat template."""


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
    """

    names: tuple[str, ...]
    instruction: str = ""
    chat: bool = False
    messages: bool = False

    def asked(self, row: Sequence[str]) -> str:
        """A row as one text; one that was put together already stays as it is."""
        if len(row) == 1:
            return str(row[0])
        return BREAK.join(f"{name}: {value}" for name, value in zip(self.names, row, strict=True))

    def prompt(self, vocabulary: Vocabulary, row: Sequence[str], shots: Sequence[tuple[Any, str]] = ()) -> list[int]:
        """Tokens up to where the model is to write; ``shots`` are rows with the texts that go with them, shown before."""
        if self.chat:
            told: list[dict[str, str]] = [{"role": "system", "content": self.instruction}] if self.instruction else []
            for one, text in shots:
                told += [*self._said(one), {"role": "assistant", "content": text}]
            return vocabulary.chat_prompt([*told, *self._said(row)])
        before = [self.instruction] if self.instruction else []
        parts = [f"{self.asked(one)}{BREAK}{text}{BREAK}" for one, text in shots]
        whole = BREAK.join([*before, *parts, self.asked(row)]) + BREAK
        begin = [vocabulary.begin] if vocabulary.begin is not None else []
        return begin + vocabulary.encode(whole, special=False)

    def _said(self, row: Sequence[str]) -> list[dict[str, str]]:
        return messages_in(self.asked(row)) if self.messages else [{"role": "user", "content": self.asked(row)}]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "names": list(self.names),
            "instruction": self.instruction,
            "chat": self.chat,
            "messages": self.messages,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Layout:
        """The inverse of :meth:`as_dict`."""
        return cls(tuple(fields["names"]), fields["instruction"], fields["chat"], fields["messages"])
