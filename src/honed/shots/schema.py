"""JSON schemas of answers that are objects: read, worked out from examples, bounded, and as columns of a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from honed.errors import GenerationError

Schema = Mapping[str, Any]
MOST_LETTERS, MOST_ITEMS, MOST_NUMBER = 300, 30, 10**15
"""Bounds for texts, lists and numbers whose schema has none, so that an answer comes to an end."""
_ARROW = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}


def read_schema(path: str | Path | Schema) -> dict[str, Any]:
    """A schema of objects from a file.

    Raises
    ------
    GenerationError [G022]
        It is absent, no JSON, or says nothing about the fields of an object.
    """
    if isinstance(path, Mapping):
        found: Any = dict(path)
    else:
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) else str(error)
            raise GenerationError("G022", f"The schema {path} cannot be read: {told}.", "Pass a JSON schema.") from None
    properties = found.get("properties") if isinstance(found, dict) else None
    if not isinstance(properties, dict) or not properties or found.get("type", "object") != "object":
        seen = "The schema names no fields: it needs the type object, with properties."
        raise GenerationError(
            "G022", seen, 'For example {"type": "object", "properties": {"sum": {"type": "number"}}}.'
        )
    return found


def schema_of(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A schema that all these objects keep: every field, null where one of them has none."""
    names = list(dict.fromkeys(name for one in objects for name in one))
    parts = {name: _value_schema([one.get(name) for one in objects]) for name in names}
    return {"type": "object", "properties": parts, "required": names, "additionalProperties": False}


def _value_schema(values: Sequence[Any]) -> dict[str, Any]:
    there = [value for value in values if value is not None]
    found = _present(there)
    if there and len(there) < len(values):
        found["type"] = [found["type"], "null"]
    return found


def _present(values: Sequence[Any]) -> dict[str, Any]:
    if not values:
        return {"type": "null"}
    if all(isinstance(value, bool) for value in values):
        return {"type": "boolean"}
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return {"type": "integer", **_range(values)}
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        decimals = max(2, *(len(repr(float(value)).partition(".")[2]) for value in values))
        return {"type": "number", **_range(values), "multipleOf": 10.0**-decimals}
    if all(isinstance(value, list | tuple) for value in values):
        items = [item for value in values for item in value] or [""]
        return {"type": "array", "items": _value_schema(items), "maxItems": 2 * max(map(len, values)) + 2}
    if all(isinstance(value, Mapping) for value in values):
        return schema_of(values)
    longest = max(len(str(value)) for value in values)
    return {"type": "string", "maxLength": 2 * longest + 16}


def _range(values: Sequence[float]) -> dict[str, float]:
    """Bounds two digits beyond the largest number, negative ones only where there are some."""
    most = 10 ** min(15, len(str(int(max(map(abs, values))))) + 2)
    return {"minimum": -most if min(values) < 0 else 0, "maximum": most}


def longest(schema: Schema) -> int:
    """Letters of an answer at most, about; for texts of any length that the schema allows."""
    found = 8
    for name, part in schema.get("properties", {}).items():
        found += len(json.dumps(name)) + 2 + (longest(part) if isinstance(part, Mapping) else 8)
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "enum" in schema:
        return max(len(json.dumps(value)) for value in schema["enum"])
    if "string" in kinds:
        found += int(schema.get("maxLength", MOST_LETTERS))
    if "integer" in kinds or "number" in kinds:
        found += 24
    if "array" in kinds and isinstance(schema.get("items"), Mapping):
        found += int(schema.get("maxItems", MOST_ITEMS)) * (longest(schema["items"]) + 1)
    return found


def as_json(value: Any) -> str:
    """JSON without blanks, as answers of a wanted form are written."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_written(value: Any, part: Schema) -> Any:
    """A value as its field has it: text where values of several kinds make it one."""
    kinds = part.get("type", ())
    text = "string" in ([kinds] if isinstance(kinds, str) else kinds)
    if not text or value is None or isinstance(value, str):
        return value
    return as_json(value) if isinstance(value, Mapping | list | tuple) else str(value)


def bounded(schema: Schema) -> dict[str, Any]:
    """The schema with bounds wherever an answer could go on for ever, and no fields but those it names."""
    found = {name: _bounded_part(name, value) for name, value in schema.items()}
    kinds = found.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "properties" in found:
        found.setdefault("additionalProperties", False)
    told = found.keys() & {"enum", "const", "pattern", "format"}
    if "string" in kinds and not told:
        found.setdefault("maxLength", MOST_LETTERS)
    if "array" in kinds:
        found.setdefault("maxItems", MOST_ITEMS)
    if ("integer" in kinds or "number" in kinds) and not told:
        if not found.keys() & {"minimum", "exclusiveMinimum"}:
            found["minimum"] = -MOST_NUMBER
        if not found.keys() & {"maximum", "exclusiveMaximum"}:
            found["maximum"] = MOST_NUMBER
    return found


def _bounded_part(name: str, value: Any) -> Any:
    if name in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
        return {key: bounded(part) if isinstance(part, Mapping) else part for key, part in value.items()}
    if name in ("items", "additionalProperties") and isinstance(value, Mapping):
        return bounded(value)
    if name in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, Sequence):
        return [bounded(part) if isinstance(part, Mapping) else part for part in value]
    return value


def column_type(part: Schema) -> pa.DataType:
    """The Arrow type of a field: of its own where it holds one kind of value, else text (JSON)."""
    kinds = part.get("type", ())
    named = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    if "enum" in part and all(isinstance(value, str) or value is None for value in part["enum"]):
        return pa.string()
    if len(named) == 1 and named[0] in _ARROW:
        return _ARROW[named[0]]
    if named == ["array"] and isinstance(part.get("items"), Mapping):
        inner = column_type(part["items"])
        if part["items"].get("type") in _ARROW:
            return pa.list_(inner)
    return pa.string()


def column_of(values: Sequence[Any], part: Schema) -> pa.Array:
    """Values of a field as a column; what has no type of its own becomes JSON text."""
    kind = column_type(part)
    if kind == pa.string():
        values = [
            value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for value in values
        ]
    if kind == pa.float64():
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, type=kind)
