"""Chats: a column of messages becomes what was said before, as one text, and the last answer of the assistant."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import pyarrow as pa

ROLES = ("system", "developer", "user", "assistant", "tool")
PROMPT, ANSWER = "prompt", "completion"
CHOSEN, OTHER = "chosen", "rejected"
_TURN = re.compile(rf"^({'|'.join(ROLES)}):[ \t]*", re.M | re.I)
Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)


def chat_column(schema: pa.Schema) -> str | None:
    """The column of messages, each with a role and a content, or None."""
    for field in schema:
        if _is_chat(field.type):
            return str(field.name)
    return None


def with_chats(rows: Rows) -> Rows:
    """The rows with ``prompt`` and ``completion`` in place of a column of messages; as they are, where there is none."""
    if {CHOSEN, OTHER} <= set(rows.schema.names):
        return _with_pairs(rows)
    name = chat_column(rows.schema)
    if name is None:
        return rows
    pairs = [_divided(messages or []) for messages in rows.column(name).to_pylist()]
    arrays = {key: rows.column(key) for key in rows.schema.names if key not in (name, PROMPT, ANSWER)}
    arrays |= {PROMPT: pa.array([asked for asked, _ in pairs], pa.string())}
    arrays |= {ANSWER: pa.array([answer for _, answer in pairs], pa.string())}
    return type(rows).from_pydict(arrays)


def _with_pairs(rows: Rows) -> Rows:
    """Pairs of which one was preferred: where they are chats, what was said before becomes the prompt and their last answers the
    texts."""
    chats = {field.name for field in rows.schema if _is_chat(field.type)}
    if not chats & {PROMPT, CHOSEN, OTHER}:
        return rows
    columns = {name: rows.column(name).to_pylist() for name in rows.schema.names}
    given = columns.get(PROMPT) or [None] * rows.num_rows
    if PROMPT in chats:
        given = [as_text(messages or []) or None for messages in given]
    asked: list[str | None] = list(given)
    for name in {CHOSEN, OTHER} & chats:
        parts = [_divided(messages or []) for messages in columns[name]]
        columns[name] = [answer for _, answer in parts]
        asked = [one or before for one, (before, _) in zip(asked, parts, strict=True)]
    texts = {PROMPT: asked, CHOSEN: columns[CHOSEN], OTHER: columns[OTHER]}
    arrays = {name: rows.column(name) for name in rows.schema.names if name not in texts}
    return type(rows).from_pydict({**arrays, **{name: pa.array(value, pa.string()) for name, value in texts.items()}})


def _is_chat(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(kind.value_type):
        return False
    return {"role", "content"} <= {kind.value_type.field(k).name for k in range(kind.value_type.num_fields)}


def _divided(messages: list[dict[str, Any]]) -> tuple[str | None, str | None]:
    """What was said, and the answer to it, None where the last message is none of the assistant's."""
    told = [message for message in messages if message and message.get("content") is not None]
    answer = None
    if told and str(told[-1]["role"]).lower() == "assistant":
        answer = str(told.pop()["content"])
    return (as_text(told) or None), answer


def as_text(messages: list[dict[str, Any]]) -> str:
    """Messages as people read them: each begins a line with its role."""
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)


def messages_in(text: str) -> list[dict[str, str]]:
    """The inverse of :func:`as_text`; a text without roles is one message of the user."""
    turns = list(_TURN.finditer(text))
    if not turns:
        return [{"role": "user", "content": text}]
    before = text[: turns[0].start()].strip()
    found = [{"role": "user", "content": before}] if before else []
    ends = [turn.start() for turn in turns[1:]] + [len(text)]
    for turn, end in zip(turns, ends, strict=True):
        found.append({"role": turn[1].lower(), "content": text[turn.end() : end].removesuffix("\n")})
    return found


def begins_with_role(text: str) -> bool:
    """True for a text that :func:`as_text` could have written."""
    return _TURN.match(text) is not None
