"""Files in a request: pictures as base64 in JSON, as the whole body, or as a form; inside they are bytes."""

from __future__ import annotations

import base64
import binascii
import email.parser
import email.policy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from honed.errors import ServeError

_HEAD = re.compile(r"data:[\w.+/-]{0,100}(;[\w=.+-]{0,100})*;base64,")
FORM = "multipart/form-data"


@dataclass(frozen=True)
class Attached:
    """Files that came as they are, not inside JSON."""

    files: tuple[bytes, ...]


def file_fields(schema: dict[str, Any]) -> list[str]:
    """Fields of an input that hold a file (``contentEncoding: base64``)."""
    return [name for name, field in schema.get("properties", {}).items() if field.get("contentEncoding") == "base64"]


def decoded(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows whose files, the fields of these names, are bytes. A text never stays one: nobody may name a file of the server.

    Raises
    ------
    ServeError [H007]
        A field is no base64.
    """
    if not names:
        return list(rows)
    return [{**row, **{name: _bytes(name, row[name]) for name in names if name in row}} for row in rows]


def _bytes(name: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    head = _HEAD.match(value)
    try:
        return base64.b64decode(value[head.end() if head else 0 :], validate=True)
    except (binascii.Error, ValueError):
        seen = f'"{name}" is no file in base64.'
        raise ServeError(
            "H007", seen, "Send the bytes of the file in base64, or the file itself as the body."
        ) from None


def attached(kind: str, header: str, body: bytes) -> Attached | None:
    """The files of a body that is no JSON; None where its kind is not taken.

    Raises
    ------
    ServeError [H004]
        The form cannot be read or has no file.
    """
    if kind.startswith("image/") or kind == "application/octet-stream":
        return Attached((body,))
    if kind != FORM:
        return None
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + header.encode("latin-1", "replace") + b"\r\n\r\n" + body
    )
    parts = [part.get_payload(decode=True) for part in message.iter_parts()] if message.is_multipart() else []
    files = tuple(part for part in parts if isinstance(part, bytes) and part)
    if not files:
        raise ServeError("H004", "The form has no file.", "Send it as: curl -F file=@picture.jpg URL.")
    return Attached(files)


def rows_with(files: Attached, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each file.

    Raises
    ------
    ServeError [H018]
        The model reads no file, or more than that.
    """
    names = file_fields(schema)
    if len(names) != 1 or list(schema.get("required", names)) != names:
        raise ServeError("H018", "This model reads no file alone.", "Send JSON; /docs shows examples.")
    return [{names[0]: base64.b64encode(file).decode()} for file in files.files]
