"""A fitted model asked over a chat or as a text: in the shape of the rows it learnt from, so that it answers as ``predict`` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from honed.data.chats import as_text
from honed.errors import GenerationError
from honed.generation.asking import Manner, Message, Prompt
from honed.tasks.contract import Input


class RowAsking:
    """A decoder that learnt to answer rows; see :class:`~honed.generation.asking.Asking`.

    Parameters
    ----------
    writer : Writer
    shots_of : callable, optional
        Rows with their texts that are shown before a row.
    """

    def __init__(self, writer: Any, shots_of: Callable[[Input], list[tuple[Input, str]]] | None = None) -> None:
        self._writer, self._shots_of = writer, shots_of
        self.loaded = writer.loaded()

    @property
    def manner(self) -> Manner:
        """Rows are answered one at a time, but for chats and where a template can tell what was said before."""
        layout, writer = self._writer.layout, self._writer
        turns = layout.messages or (layout.chat and len(layout.names) == 1 and self._shots_of is None)
        return Manner(True, turns, tuple(layout.names), writer.context, writer.most_tokens, 0.0)

    def text(self, given: str) -> Prompt:
        """A row: the text itself, or a JSON object with the columns where there are several."""
        return self._prompt(self._row(given))

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """What the user said is the row; a model of chats gets all of it."""
        layout, last = self._writer.layout, messages[-1]
        if layout.messages:
            row = (as_text(list[dict[str, Any]](messages)),)
            return self._said(messages, row) if layout.chat and self._shots_of is None else self._prompt(row)
        if len(messages) == 1 and last["role"] == "user":
            return self._prompt(self._row(last["content"]))
        if not self.manner.turns:
            seen = f"The model learnt to answer single rows; the chat has {len(messages)} messages."
            raise GenerationError("G010", seen, "Send one message with the role user.")
        if layout.instruction and messages[0]["role"] == "system":
            seen = "The model learnt with an instruction of its own, which no message of the system can replace."
            raise GenerationError("G010", seen, "Leave the message of the system out.")
        return self._said(messages, (last["content"],))

    def _said(self, messages: Sequence[Message], row: tuple[str, ...]) -> Prompt:
        instruction = self._writer.layout.instruction
        told: list[Any] = [{"role": "system", "content": instruction}] if instruction else []
        return Prompt(self._writer.vocabulary.chat_prompt([*told, *messages]), row, anew=True)

    def _row(self, given: str) -> tuple[str, ...]:
        names = self._writer.layout.names
        if len(names) == 1:
            return (given,)
        try:
            fields = json.loads(given)
        except (ValueError, RecursionError):
            fields = None
        if (
            isinstance(fields, dict)
            and set(fields) == set(names)
            and all(isinstance(one, str) for one in fields.values())
        ):
            return tuple(fields[name] for name in names)
        example = json.dumps(dict.fromkeys(names, "..."), ensure_ascii=False)
        seen = f"The model reads {len(names)} columns, so what is asked must be a JSON object with a text for each."
        raise GenerationError("G010", seen, f"Send {example}.")

    def _prompt(self, row: tuple[str, ...]) -> Prompt:
        """As ``predict`` has it; a row that is too long loses nothing here but is refused later."""
        writer = self._writer
        ids = writer.layout.prompt(writer.vocabulary, row)
        if self._shots_of is not None and len(ids) <= writer.context - writer.most_tokens:
            ids = writer.encode([row], [self._shots_of(row)])[0]["tokens"]
        return Prompt(list(ids), row, anew=True)
