"""The messages of a chat, checked."""

from __future__ import annotations

from typing import Any

from honed.errors import ServeError

ROLES = ("system", "developer", "user", "assistant")
READ = ("role", "content", "refusal")


def messages_of(given: list[Any]) -> list[dict[str, str]]:
    """Messages with a role and a text each; a developer speaks as the system.

    Raises
    ------
    ServeError [H007]
        A message that is no text, has another role or more parts; a chat that ends with an answer.
    """
    found = [_message(place, one) for place, one in enumerate(given)]
    if not found:
        raise _wrong("messages is empty", "Send at least one message of the user")
    if found[-1]["role"] == "assistant":
        raise _wrong("The last message is one of the assistant", "End with a message of the user")
    return found


def _message(place: int, one: Any) -> dict[str, str]:
    if not isinstance(one, dict) or one.get("role") not in ROLES:
        raise _wrong(f"Message {place} has no role that is known", f"It may be {', '.join(ROLES)}")
    strange = [name for name, value in one.items() if name not in READ and value not in (None, [], "")]
    if strange or one.get("refusal"):
        raise _wrong(
            f'Message {place} has "{str(strange[0] if strange else "refusal")[:40]}", which is not read', "Leave it out"
        )
    role = "system" if one["role"] == "developer" else one["role"]
    return {"role": role, "content": _text(place, one.get("content"))}


def _text(place: int, content: Any) -> str:
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts]
    whole = [text for text in texts if isinstance(text, str)]
    if len(whole) != len(parts) or not parts:
        raise _wrong(f"Message {place} is no text", "Texts alone are read")
    text = "".join(whole)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _wrong(f"Message {place} holds half a character (a lone surrogate)", "Send whole characters")
    return text


def _wrong(seen: str, remedy: str) -> ServeError:
    return ServeError("H007", f"{seen}.", f"{remedy}.", details={"param": "messages"})
