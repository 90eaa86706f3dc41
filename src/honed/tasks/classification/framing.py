"""What kind of problem a target column poses: binary, multi-class, multi-label or regression."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from honed.errors import DataError
from honed.wording import counted

SEPARATORS = (";", "|", ",")
MOST_CLASS_VALUES = 20
"""Whole numbers with at most this many distinct values are classes, with more they are a quantity."""


def present(values: Sequence[Any]) -> list[Any]:
    """The values that are there: not None, not NaN, not blank text."""
    return [value for value in values if not missing(value)]


def missing(value: Any) -> bool:
    """True for None, NaN and blank text."""
    return (
        value is None or (isinstance(value, float) and value != value) or (isinstance(value, str) and not value.strip())
    )


def label_name(value: Any) -> str:
    """How one class value is written: whole floats lose their ".0", surrounding blanks go."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def numbers(values: Sequence[Any]) -> list[float] | None:
    """The values as finite floats, or None if one is no number."""
    try:
        found = [float(value) for value in values if not isinstance(value, list | dict)]
    except (TypeError, ValueError):
        return None
    return found if len(found) == len(values) and all(np.isfinite(found)) else None


def infer_kind(values: Sequence[Any]) -> tuple[str, str]:
    """Kind of problem and the separator of labels ("" when a row has one label)."""
    if any(isinstance(value, list | tuple) for value in values):
        return "multilabel", ""
    if all(isinstance(value, bool) for value in values):
        return "binary", ""
    found = numbers(values)
    if found is not None:
        distinct = set(found)
        whole = all(value.is_integer() for value in distinct)
        if not whole or len(distinct) > MOST_CLASS_VALUES:
            return "regression", ""
        return ("binary" if len(distinct) == 2 else "multiclass"), ""
    separator = infer_separator([str(value) for value in values])
    if separator:
        return "multilabel", separator
    return ("binary" if len({label_name(value) for value in values}) == 2 else "multiclass"), ""


def infer_separator(values: Sequence[str]) -> str:
    """The separator of a multi-label column, or "": some rows hold several parts, and the parts recur alone."""
    if sum(value.lstrip().startswith("[") and value.rstrip().endswith("]") for value in values) > len(values) / 2:
        return "json" if all(_json_list(value) is not None for value in values[:50]) else ""
    for separator in SEPARATORS:
        parts = [split_labels(value, separator) for value in values]
        several = sum(len(row) > 1 for row in parts)
        counts = Counter(part for row in parts for part in row)
        if several >= max(2, len(values) // 50) and len(counts) < len(set(values)) and _recur(counts, parts):
            return separator
    return ""


def _recur(counts: Counter[str], parts: list[list[str]]) -> bool:
    alone = {row[0] for row in parts if len(row) == 1}
    known = sum(part in alone for part in counts)
    return len(counts) <= 200 and min(counts.values()) >= 2 and known >= len(counts) / 2


def split_labels(value: Any, separator: str) -> list[str]:
    """The labels of one row, in order, each once."""
    if isinstance(value, list | tuple | set):
        parts = [label_name(part) for part in value if not missing(part)]
    elif missing(value):
        parts = []
    elif separator == "json":
        parts = [label_name(part) for part in _json_list(str(value)) or []]
    else:
        parts = [part.strip() for part in str(value).split(separator)] if separator else [label_name(value)]
    return list(dict.fromkeys(part for part in parts if part))


def _json_list(value: str) -> list[Any] | None:
    try:
        found = json.loads(value.replace("'", '"'))
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def sorted_labels(names: set[str]) -> tuple[str, ...]:
    """Labels in a stable order: by number where all are numbers, else by name."""
    found = numbers(list(names))
    return tuple(sorted(names, key=float)) if found is not None else tuple(sorted(names))


def encode_targets(values: Sequence[Any], kind: str, labels: tuple[str, ...], separator: str) -> np.ndarray[Any, Any]:
    """Targets as class indices (n,), a 0/1 matrix (n, labels) or numbers (n,); -1 or NaN where missing.

    Raises
    ------
    DataError [D023, D028]
        Labels the problem does not know (rows and names in ``details``); words where numbers are needed.
    """
    if kind == "regression":
        return _encode_numbers(values)
    index = {label: position for position, label in enumerate(labels)}
    rows = [split_labels(value, separator) if kind == "multilabel" else _single(value) for value in values]
    unknown = {row: name for row, names in enumerate(rows) for name in names if name not in index}
    if unknown:
        raise _unknown(unknown, labels)
    if kind == "multilabel":
        matrix = np.zeros((len(rows), len(labels)), dtype=np.int64)
        for row, names in enumerate(rows):
            matrix[row, [index[name] for name in names]] = 1
        return matrix
    return np.array([index[names[0]] if names else -1 for names in rows], dtype=np.int64)


def _single(value: Any) -> list[str]:
    return [] if missing(value) else [label_name(value)]


def _encode_numbers(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    encoded = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if missing(value):
            continue
        try:
            encoded[row] = float(value)
        except (TypeError, ValueError):
            raise DataError(
                "D028", f'Row {row + 1} has "{value}" as its target, where a number is needed.', "Check --target."
            ) from None
    return encoded


def _unknown(unknown: dict[int, str], labels: tuple[str, ...]) -> DataError:
    names = sorted(set(unknown.values()))
    shown = ", ".join(f'"{name}"' for name in names[:3]) + (", ..." if len(names) > 3 else "")
    first = ", ".join(f'"{label}"' for label in labels[:5]) + (", ..." if len(labels) > 5 else "")
    return DataError(
        "D023",
        f"{counted(len(unknown), 'row')} with labels the model does not know: {shown}. It knows {first}.",
        "Correct the labels, or train again with data that contains them.",
        details={"rows": sorted(unknown), "labels": names},
    )
