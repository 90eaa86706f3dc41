"""Columns and words that give the answer away."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa

from honed.checks.duplicates import joined_texts
from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.wording import counted, listed

Array = np.ndarray[Any, np.dtype[Any]]
NEARLY_ALL, MOST_OF_A_CLASS, HARDLY_ELSEWHERE = 0.97, 0.8, 0.9
MOST_ROWS = 30_000
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")


def check_leaking_columns(table: Table, roles: Roles, targets: Array) -> list[Finding]:
    """D130: a column, read by the model or not, from which the target can be told nearly always."""
    if targets.ndim != 1 or targets.dtype.kind != "i":
        return []
    shares: dict[str, float] = {}
    there = np.flatnonzero(targets >= 0)[:MOST_ROWS]
    usual = np.bincount(targets[there]).max() / max(1, len(there)) if len(there) else 1.0
    alone = roles.inputs if len(roles.inputs) == 1 else ()  # a lone text is what the model is there for
    for name in table.names:
        column = table.arrow.column(name)
        if name in (roles.target, *alone) or pa.types.is_nested(column.type) or len(there) < 20:
            continue
        codes = np.asarray(
            column.take(pa.array(there)).combine_chunks().dictionary_encode(null_encoding="encode").indices
        )
        share = told_by(codes, targets[there])
        if share >= NEARLY_ALL and share - usual > 0.05 and len(np.unique(codes)) <= len(there) / 4:
            shares[name] = share
    read = {name: share for name, share in shares.items() if name in roles.inputs}
    beside = {name: share for name, share in shares.items() if name not in roles.inputs}
    return _told_by_columns(beside, roles.target or "") + _told_by_inputs(read, roles.target or "")


def _told_by_inputs(shares: dict[str, float], target: str) -> list[Finding]:
    """The same for columns the model reads: ``read`` in the details says so."""
    return [
        Finding(
            "D130",
            "issue",
            f'"{name}", which the model reads, alone tells "{target}" in {100 * share:.0f} of 100 rows.',
            f'If it is filled in afterwards, leave "{name}" out of --text: it will be missing when a prediction is needed.',
            (name,),
            details={"share": share, "read": True},
        )
        for name, share in shares.items()
    ]


def _told_by_columns(shares: dict[str, float], target: str) -> list[Finding]:
    if not shares:
        return []
    names = sorted(shares, key=lambda name: -shares[name])
    one, least = len(names) == 1, f"{100 * min(shares.values()):.0f} of 100 rows"
    message = (
        f'{listed(names)} {"alone tells" if one else "each tell"} "{target}" in {"" if one else "at least "}{least}. '
        f"{'It was' if one else 'They were'} probably filled in afterwards."
    )
    remedy = (
        f"The model does not read {'it' if one else 'them'}, and should not: "
        f"{'it' if one else 'they'} will be missing when a prediction is needed."
    )
    return [Finding("D130", "issue", message, remedy, tuple(names), details={"share": max(shares.values())})]


def told_by(codes: Array, targets: Array) -> float:
    """Share of rows whose target is the most frequent one of their code."""
    table = np.zeros((int(codes.max()) + 1, int(targets.max()) + 1), dtype=np.int64)
    np.add.at(table, (codes, targets), 1)
    return float(table.max(axis=1).sum() / len(codes))


def check_leaking_words(table: Table, roles: Roles, targets: Array, labels: tuple[str, ...]) -> list[Finding]:
    """D131: a word that stands in nearly all texts of one label and in hardly any other, or the number to predict itself."""
    if targets.ndim == 1 and targets.dtype.kind == "f":
        return _told_by_numbers(table, roles, targets)
    if targets.ndim != 1 or targets.dtype.kind != "i" or len(targets) < 50:
        return []
    from sklearn.feature_extraction.text import CountVectorizer

    there = np.flatnonzero(targets >= 0)[:MOST_ROWS]
    texts = [value or "" for value in joined_texts(table, roles.text).take(pa.array(there)).to_pylist()]
    counter = CountVectorizer(binary=True, token_pattern=r"\S*\w\S*", max_features=50_000, min_df=10)
    try:
        matrix: Any = counter.fit_transform(texts).tocsc()
    except ValueError:
        return []
    words, telling = counter.get_feature_names_out(), {}
    total = np.asarray(matrix.sum(axis=0)).ravel()
    for label in np.unique(targets[there]):
        rows = targets[there] == label
        if rows.sum() < 10 or rows.all():
            continue
        inside = np.asarray(matrix[rows].sum(axis=0)).ravel()
        hits = np.flatnonzero((inside >= MOST_OF_A_CLASS * rows.sum()) & (inside >= HARDLY_ELSEWHERE * total))
        if len(hits):
            word, name = words[hits[np.argmax(inside[hits])]], labels[label] if label < len(labels) else str(label)
            share = f"{inside[hits].max():,.0f} of {rows.sum():,}"
            telling[name] = (str(word), share)
    return [_told_by_words(telling, roles)]


def _told_by_numbers(table: Table, roles: Roles, targets: Array) -> list[Finding]:
    """Whether the number to predict stands in the text."""
    there = np.flatnonzero(np.isfinite(targets))[:MOST_ROWS]
    if len(there) < 50 or len(np.unique(targets[there])) <= 20:
        return []
    texts = joined_texts(table, roles.text).take(pa.array(there)).to_pylist()
    found = [{float(part.replace(",", ".")) for part in _NUMBER.findall(text or "")} for text in texts]
    hits = sum(target in numbers for target, numbers in zip(targets[there].tolist(), found, strict=True))
    if hits < MOST_OF_A_CLASS * len(there):
        return [Finding("D131", "passed", "The number to predict does not stand in the texts.")]
    message = f'The value of "{roles.target}" itself stands in {hits:,} of {counted(len(there), "text")}.'
    remedy = "If it was added when the value was known, remove it from the texts; in production it will be missing."
    return [Finding("D131", "issue", message, remedy, roles.text, details={"share": hits / len(there)})]


def _told_by_words(telling: dict[str, tuple[str, str]], roles: Roles) -> Finding:
    """One finding for all labels that a word of their own gives away."""
    if not telling:
        return Finding("D131", "passed", "No single word gives a label away.")
    details = {"word": next(iter(telling.values()))[0], "words": {name: word for name, (word, _) in telling.items()}}
    remedy = "If it was added when the label was given, remove it from the texts; in production it will be missing."
    if len(telling) == 1:
        [(name, (word, share))] = telling.items()
        message = f'"{word}" stands in {share} texts of "{name}" and hardly anywhere else.'
    else:
        shown = ", ".join(f'"{word}" in "{name}"' for name, (word, _) in list(telling.items())[:4])
        more = f", and {len(telling) - 4} more" if len(telling) > 4 else ""
        message = f"{len(telling)} labels have a word that stands in nearly all their texts and hardly elsewhere: {shown}{more}."
        remedy = remedy.replace("it was", "they were").replace("it from", "them from").replace("it will", "they will")
    return Finding("D131", "issue", message, remedy, roles.text, details=details)
