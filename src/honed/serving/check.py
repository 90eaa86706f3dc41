"""What a client sent, checked before it meets the model: JSON that is JSON, and rows that fit the schema."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from honed.errors import ServeError

DEEPEST = 16
MOST_TROUBLES = 5
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,), "object": (dict,), "array": (list,),
    "null": (type(None),),
}  # fmt: skip


def parsed(body: bytes) -> Any:
    """The JSON value of a body.

    Raises
    ------
    ServeError [H004, H005]
        No UTF-8 or no JSON; nested too deeply.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ServeError("H004", f"The body is no UTF-8 (byte {error.start}).", "Send JSON in UTF-8.") from None
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise ServeError("H004", f"The body is no JSON: {error}.", "Send JSON; /docs shows examples.") from None
    if _deeper_than(value, DEEPEST):
        raise _too_deep()
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _too_deep() -> ServeError:
    return ServeError("H005", f"The body is nested more than {DEEPEST} levels deep.", "Send flat rows; see /docs.")


def _deeper_than(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        level = [
            item
            for whole in level
            if isinstance(whole, list | dict)
            for item in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(item, list | dict)
        ]
        if not level:
            return False
    return True


def rows_of(value: Any, schema: dict[str, Any], most_rows: int) -> tuple[list[dict[str, Any]], bool]:
    """The rows of a request, and whether it was a single one.

    Raises
    ------
    ServeError [H006, H007]
        Too many rows; a row does not fit the schema.
    """
    single = not isinstance(value, list)
    rows = [value] if single else value
    if not rows:
        raise ServeError("H007", "The list has no rows.", "Send at least one.")
    if len(rows) > most_rows:
        seen = f"The request has {len(rows):,} rows; at most {most_rows:,} are taken at once."
        raise ServeError("H006", seen, "Send them in several requests.")
    troubles: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        troubles += [{"row": number, **trouble} for trouble in troubles_of(row, schema)]
        if len(troubles) >= MOST_TROUBLES:
            break
    if troubles:
        first = troubles[0]
        seen = f"Row {first['row']}: {first['trouble']}"
        example = json.dumps((schema.get("examples") or [{}])[0], ensure_ascii=False)
        raise ServeError("H007", seen, f"An input looks like {example[:300]}.", details={"troubles": troubles})
    return rows, single


def troubles_of(row: Any, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What is wrong with one row: fields that are missing, unknown or of the wrong kind."""
    if not isinstance(row, dict):
        return [{"field": "", "trouble": f"an input is an object, not {_kind_of(row)}."}]
    fields = schema.get("properties", {})
    found = [
        {"field": name, "trouble": f'the field "{name}" is missing.'}
        for name in schema.get("required", ())
        if name not in row
    ]
    for name, value in row.items():
        if name not in fields:
            known = ", ".join(f'"{field}"' for field in fields)
            shown = name.encode("utf-8", "replace").decode()[:80]
            found.append({"field": shown, "trouble": f'there is no field "{shown}"; the model reads {known}.'})
            continue
        trouble = _value_trouble(value, fields[name])
        if trouble:
            found.append({"field": name, "trouble": f'"{name}" {trouble}.'})
    return found


def _value_trouble(value: Any, schema: dict[str, Any]) -> str:
    wanted = schema.get("type")
    kinds = [wanted] if isinstance(wanted, str) else list(wanted or ())
    if kinds and not any(_is(value, kind) for kind in kinds):
        return f"is {_kind_of(value)}, not {' or '.join(kinds)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"is none of {', '.join(map(str, schema['enum'][:12]))}"
    if isinstance(value, str):
        return _text_trouble(value, schema)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_trouble(value, schema)
    if isinstance(value, list) and "items" in schema:
        return next((trouble for item in value if (trouble := _value_trouble(item, schema["items"]))), "")
    return ""


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, KINDS.get(kind, ()))


def _text_trouble(value: str, schema: dict[str, Any]) -> str:
    if len(value) > schema.get("maxLength", len(value)):
        return f"has {len(value):,} characters; at most {schema['maxLength']:,} are taken"
    if len(value) < schema.get("minLength", 0):
        return f"has {len(value):,} characters; at least {schema['minLength']:,} are needed"
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        return "holds half a character (a lone surrogate)"
    return ""


def _number_trouble(value: float, schema: dict[str, Any]) -> str:
    if abs(value) > 1e308:
        return "is too large a number"
    if value < schema.get("minimum", value):
        return f"is {value}; the least is {schema['minimum']}"
    if value > schema.get("maximum", value):
        return f"is {value}; the most is {schema['maximum']}"
    return ""


def _kind_of(value: Any) -> str:
    names = {
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        dict: "an object",
        list: "an array",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)
