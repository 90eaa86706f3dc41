"""Examples: rows with their answers, which a model is shown; which column is what, and what is to be answered."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from honed.data.read import read_table
from honed.data.roles import TARGET_NAMES, WRITTEN_NAMES
from honed.data.table import Table, need_columns
from honed.errors import DataError, GenerationError
from honed.shots.schema import as_json, as_written, read_schema, schema_of
from honed.shots.settings import FewShotConfig

Row = tuple[str, ...]
LONGEST_LABEL = 80
_KEY = re.compile(r"(?i)^(id|key|uuid|nr|no)$|_(id|key|uuid)$")


@dataclass(frozen=True)
class Examples:
    """What is asked and shown.

    Parameters
    ----------
    names : tuple of str
        Columns the model reads.
    answer : str
        Column that is answered.
    kind : str
        "label", "fields" or "text".
    rows : tuple of tuple of str
    answers : tuple of str
        As the model is to write them: JSON for fields.
    labels : tuple of str
        All that may be answered, for labels.
    schema : dict, optional
        For fields.
    """

    names: tuple[str, ...]
    answer: str
    kind: str
    rows: tuple[Row, ...] = ()
    answers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.rows)


def read_examples(
    source: Any, data: Sequence[str], config: FewShotConfig, *, target: str | None = None,
    labels: Sequence[str] = (), schema: str | Path | Mapping[str, Any] | None = None,
) -> Examples:  # fmt: skip
    """Examples for data with these columns (none: whatever columns the examples have); ``source`` None shows none.

    Raises
    ------
    DataError [D001.., D022]
        A file that cannot be read; a column that only one of the two has.
    GenerationError [G021, G022, G023]
        No column of answers, or several; a schema without fields; nothing says what may be answered.
    """
    wanted = read_schema(schema) if schema is not None else None
    if source is None:
        return _without(data, config, target, tuple(labels), wanted)
    table = read_table(source, name="the examples")
    answer = _answer_column(table, data, target, wanted is not None)
    names = _input_columns(table, data, answer, config)
    values = table.column(answer)
    there = [k for k, value in enumerate(values) if value is not None and str(value).strip()]
    if not there:
        raise GenerationError("G021", f'Column "{answer}" of the examples is empty.', "Fill in what is to be answered.")
    values = [values[k] for k in there]
    columns = [table.texts(name) for name in names]
    rows = tuple(tuple(column[k] for column in columns) for k in there)
    objects = _objects(values)
    kind = _kind(config, answer, values, objects, bool(labels), wanted is not None)
    if kind == "fields":
        return _with_fields(names, answer, rows, objects, wanted)
    words = tuple(str(value).strip() for value in values)
    if kind == "text":
        return Examples(names, answer, kind, rows, words)
    return _with_labels(names, answer, rows, words, tuple(labels))


def is_key(name: str) -> bool:
    """True for a column that by its name says which row it is, and nothing about it."""
    return _KEY.search(name) is not None


def row_texts(table: Table, names: Sequence[str]) -> list[Row]:
    """The columns that the model reads, row by row. Raises DataError [D022]."""
    need_columns(table, names, "which the examples have")
    return list(zip(*(table.texts(name) for name in names), strict=True))


def _without(
    data: Sequence[str], config: FewShotConfig, target: str | None, labels: tuple[str, ...], schema: Any
) -> Examples:
    kind = "label" if labels else "fields" if schema else "text"
    if config.kind not in ("auto", kind):
        seen = f"Without examples nothing says which {'labels' if config.kind == 'label' else 'fields'} there are."
        raise GenerationError("G023", seen, "Pass --examples, --label or --schema.")
    usual = {"label": "label", "fields": "fields", "text": "answer"}[kind]
    answer = target or usual
    names = config.text or [name for name in data if name != answer and not is_key(name)] or ["text"]
    return Examples(tuple(names), answer, kind, labels=labels, schema=schema)


def _answer_column(table: Table, data: Sequence[str], target: str | None, fields: bool) -> str:
    if target is not None:
        need_columns(table, [target], "which you named as the answer")
        return target
    own = [name for name in table.names if name not in data]
    candidates = own or table.names
    nested = [name for name in candidates if pa.types.is_struct(table.arrow.schema.field(name).type)]
    for found in (own, nested, [name for name in candidates if name.lower() in (*TARGET_NAMES, *WRITTEN_NAMES)]):
        if len(found) == 1:
            return found[0]
    seen = f"The examples have the columns {', '.join(table.names[:12])}; it is not clear which holds the answer."
    raise GenerationError("G021", seen, "Name it with --target.")


def _input_columns(table: Table, data: Sequence[str], answer: str, config: FewShotConfig) -> tuple[str, ...]:
    if config.text:
        need_columns(table, config.text, "which you named")
        return tuple(config.text)
    found = [name for name in table.names if name != answer and (not data or name in data) and not is_key(name)]
    found = [name for name in found if not pa.types.is_nested(table.arrow.schema.field(name).type)]
    if not found:
        seen = f"Examples and data share no column to read: {', '.join(table.names[:8])} and {', '.join(data[:8])}."
        raise DataError("D022", seen, "Give the columns the same names.")
    return tuple(found)


def _objects(values: Sequence[Any]) -> list[dict[str, Any]] | None:
    """The answers as objects, or None where they are none."""
    found = []
    for value in values:
        if isinstance(value, str):
            if not value.lstrip().startswith("{"):
                return None
            try:
                value = json.loads(value)
            except ValueError:
                return None
        if not isinstance(value, dict) or not value:
            return None
        found.append(value)
    return found


def _kind(config: FewShotConfig, answer: str, values: list[Any], objects: Any, labels: bool, schema: bool) -> str:
    if config.kind != "auto":
        return config.kind
    if schema or objects is not None:
        return "fields"
    words = [str(value).strip() for value in values]
    short = all(len(word) <= LONGEST_LABEL and "\n" not in word for word in words)
    repeated = len(set(words)) <= len(words) / 2
    return "label" if labels or (short and (repeated or answer.lower() in TARGET_NAMES)) else "text"


def _with_labels(
    names: tuple[str, ...], answer: str, rows: tuple[Row, ...], words: tuple[str, ...], given: tuple[str, ...]
) -> Examples:
    strange = sorted(set(words) - set(given)) if given else []
    if strange:
        seen = f'The label "{strange[0]}" of the examples is none of those that you named.'
        raise GenerationError("G023", seen, "Name it as well, or leave --label away.")
    labels = given or tuple(dict.fromkeys(sorted(words)))
    if len(labels) < 2:
        seen = f'The only label is "{labels[0]}".'
        raise GenerationError("G023", seen, "Add examples of another label, or name all labels with --label.")
    return Examples(names, answer, "label", rows, words, labels)


def _with_fields(
    names: tuple[str, ...], answer: str, rows: tuple[Row, ...], objects: list[dict[str, Any]] | None, schema: Any
) -> Examples:
    if objects is None:
        seen = f'Not every answer in "{answer}" is a JSON object.'
        raise GenerationError("G022", seen, 'Write each as {"field": value, ...}.')
    found = schema or schema_of(objects)
    fields = list(found["properties"])
    strange = sorted({name for one in objects for name in one} - set(fields))
    if strange:
        seen = f'The examples have the field "{strange[0]}", which the schema does not have.'
        raise GenerationError("G022", seen, "Add it to the schema, or take it out of the examples.")
    needed = set(found.get("required", ())) | ({*fields} if schema is None else set())
    parts = found["properties"]
    written = [{name: as_written(one.get(name), parts[name]) for name in fields} for one in objects]
    answers = tuple(
        as_json({name: value for name, value in one.items() if value is not None or name in needed}) for one in written
    )
    return Examples(names, answer, "fields", rows, answers, schema=dict(found))
