"""All that can be wrong with the target of a classification, told at once."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.tasks.classification import framing
from honed.wording import counted

MIN_ROWS = 8


def absent_columns(table: Table, names: Sequence[str]) -> list[Finding]:
    """D022 for columns that are not there, with a close name."""
    absent = [name for name in names if name not in table.names]
    if not absent:
        return []
    close = difflib.get_close_matches(absent[0], table.names, n=1)
    hint = f'Did you mean "{close[0]}"?' if close else f"Columns: {', '.join(table.names[:12])}."
    return [
        Finding("D022", "blocker", f'There is no column "{absent[0]}" in {table.source}.', hint, columns=tuple(absent))
    ]


def check_target(table: Table, roles: Roles, config: Any) -> list[Finding]:
    """Blockers and issues of the target column; never raises for bad data."""
    if roles.target is None or roles.target not in table.names:
        return absent_columns(table, [roles.target]) if roles.target is not None else [_no_target(roles)]
    values = table.column(roles.target)
    there = framing.present(values)
    column = (roles.target,)
    if not there:
        message = f'Column "{roles.target}" is empty in all {table.n_rows:,} rows.'
        return [Finding("D026", "blocker", message, "Check --target.", columns=column)]
    findings = list(_unlabelled(values, there, column))
    if len(there) < MIN_ROWS:
        have = f"{counted(len(there), 'row')} {'has' if len(there) == 1 else 'have'}"
        message = f"Only {have} a label. At least {MIN_ROWS} are needed to learn and to measure."
        findings.append(Finding("D025", "blocker", message, "Label more rows.", columns=column))
    return findings + _values(there, roles.target, config)


def _no_target(roles: Roles) -> Finding:
    if not roles.candidates:
        return Finding("D020", "blocker", "No column was found to predict.", "Name it with --target.")
    more = f", and {len(roles.candidates) - 8} more" if len(roles.candidates) > 8 else ""
    message = f"Several columns could be the one to predict: {', '.join(roles.candidates[:8])}{more}."
    return Finding("D020", "blocker", message, "Name it with --target.", roles.candidates)


def _unlabelled(values: list[Any], there: list[Any], column: tuple[str, ...]) -> list[Finding]:
    if len(there) == len(values):
        return []
    rows = tuple(row + 1 for row, value in enumerate(values) if framing.missing(value))
    message = f'{len(rows):,} of {len(values):,} rows have no value in "{column[0]}" and are left out of training.'
    remedy = "Label them, or leave them: predictions can be made for them afterwards."
    return [Finding("D027", "issue", message, remedy, columns=column, rows=rows[:20], n_rows=len(rows))]


def _values(there: list[Any], target: str, config: Any) -> list[Finding]:
    kind = config.kind if config.kind != "auto" else framing.infer_kind(there)[0]
    if kind == "regression":
        return _numbers(there, target)
    if kind == "multilabel":
        separator = framing.infer_kind(there)[1] if config.separator == "auto" else config.separator
        counts = Counter(part for value in there for part in framing.split_labels(value, separator))
    else:
        counts = Counter(framing.label_name(value) for value in there)
    return _classes(counts, there, target, kind)


def _numbers(there: list[Any], target: str) -> list[Finding]:
    found = framing.numbers(there)
    if found is None:
        message = f'Column "{target}" has values that are no numbers, such as "{_odd(there)}".'
        return [Finding("D028", "blocker", message, "Choose another kind or another target.", columns=(target,))]
    if len(set(found)) == 1:
        message = (
            f'Column "{target}" has 1 distinct value ({found[0]:g}) in {len(there):,} rows. There is nothing to learn.'
        )
        return [Finding("D021", "blocker", message, "Check --target.", columns=(target,))]
    return []


def _odd(values: list[Any]) -> str:
    return str(next((value for value in values if framing.numbers([value]) is None), values[0]))[:40]


def _classes(counts: Counter[str], there: list[Any], target: str, kind: str) -> list[Finding]:
    if len(counts) < (1 if kind == "multilabel" else 2):
        label = next(iter(counts), "")
        message = f'Column "{target}" has 1 distinct value ("{label}") in {counted(len(there), "row")}. Classification needs at least 2.'
        return [
            Finding("D021", "blocker", message, "Check --target, or add examples of another class.", columns=(target,))
        ]
    if kind == "binary" and len(counts) > 2:
        message = f'Column "{target}" has {len(counts)} distinct values, where a yes/no problem has 2.'
        return [Finding("D028", "blocker", message, "Leave the kind to Honed.", columns=(target,))]
    if kind != "multilabel" and len(counts) > max(2, len(there) // 2):
        message = (
            f'Column "{target}" has {len(counts):,} distinct values in {len(there):,} rows, too many to be classes.'
        )
        return [Finding("D029", "blocker", message, "Check --target.", columns=(target,))]
    return []
