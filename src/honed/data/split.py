"""Dividing rows into training, validation and test data, so that the test says what will happen in production."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from honed.data.table import Table

Array = np.ndarray[Any, np.dtype[Any]]
FEW, SHARE_OF_FEW = 200, 0.2
"""With little data a part is enlarged to 200 rows, but never beyond a fifth of all rows."""
LARGEST_CLUSTER = 0.3
"""Near duplicates are found by chains: one that holds more than this share of all rows joins rows that are not alike, as
texts made from one template do. It is not kept together; what is alike is left out of the claim by the evaluation."""


@dataclass(frozen=True)
class SplitHint:
    """How rows should be divided: ``stratify`` by the target, keep ``group`` together, or order by ``time``."""

    kind: Literal["random", "stratify", "group", "time"]
    column: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Split:
    """Row positions (from 0) of each part, ascending, and one sentence on how they were divided."""

    train: Array
    validation: Array
    test: Array
    description: str


def given_parts(table: Table) -> Array | None:
    """The part of every row ("train", "validation" or "test") where the data themselves carry parts, else None."""
    if table.reading.get("parts") != "given" or "part" not in table.names:
        return None
    return np.array([value or "train" for value in table.column("part")])


def as_given(
    parts: Array, rows: Array, divided: Callable[[Array, float, float], Split], validation: float, test: float
) -> Split:
    """The rows as their parts say; what the data lack of validation and test rows is taken from the training rows.

    Parameters
    ----------
    parts : array of str, length n
        Of each of the ``rows``.
    divided : callable (rows, validation, test)
        Divides rows by shares.
    validation, test : float
        Shares, used where the data have no such part; a test part is held back in every case.
    """
    kept = {name: rows[parts == name] for name in ("train", "validation", "test")}
    has_validation, has_test = len(kept["validation"]) > 0, len(kept["test"]) > 0
    rest = divided(kept["train"], 0.0 if has_validation else validation, 0.0 if has_test else test)
    for_choosing = kept["validation"] if has_validation else rest.validation
    for_test = kept["test"] if has_test else rest.test
    counts = f"{len(rest.train):,} rows to learn from, {len(for_choosing):,} to choose with, {len(for_test):,} for the final evaluation"
    named = " and ".join(name for name in ("validation", "test") if len(kept[name]))
    return Split(rest.train, for_choosing, for_test, f"{counts}; the folders say which are for {named or 'training'}")


def split_rows(
    table: Table,
    hint: SplitHint,
    targets: Array,
    *,
    validation: float = 0.1,
    test: float = 0.1,
    clusters: Array | None = None,
    seed: int = 0,
) -> Split:
    """Divide rows as the hint says; rows of one cluster (number >= 0) stay on one side.

    Parameters
    ----------
    targets : array
        Encoded targets, for stratification.
    validation, test : float
        Shares of the rows; 0 leaves that part empty.
    """
    n = table.n_rows
    sizes, together = [_size(n, test), _size(n, validation)], False
    if hint.kind == "time" and hint.column:
        order = _by_time(table.column(hint.column))
        parts = _cut(order, sizes)
    else:
        units = _units(table, hint, clusters)
        together = hint.kind != "group" and len(np.unique(units)) < n
        parts = _draw(units, _strata(targets), sizes, np.random.default_rng(seed))
    held, watched, rest = parts
    return Split(rest, watched, held, _described(hint, rest, watched, held, together))


def _size(n: int, share: float) -> int:
    if share <= 0:
        return 0
    return max(1, round(max(share * n, min(FEW, SHARE_OF_FEW * n))))


def _by_time(values: list[Any]) -> Array:
    keys = np.array([str(value) if value is not None else "" for value in values])
    from datetime import datetime

    def parsed(value: str) -> float:
        for form in ("", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"):
            try:
                found = datetime.fromisoformat(value) if not form else datetime.strptime(value[:10], form)
                return found.replace(tzinfo=None).timestamp()
            except ValueError:
                continue
        return float("nan")

    stamps = np.array([parsed(key) for key in keys])
    usable = np.isfinite(stamps).mean() > 0.9
    return np.argsort(np.nan_to_num(stamps, nan=-np.inf) if usable else keys, kind="stable")


def _cut(order: Array, sizes: list[int]) -> list[Array]:
    test, validation = sizes
    n = len(order)
    held, watched, rest = order[n - test :], order[n - test - validation : n - test], order[: n - test - validation]
    return [np.sort(part) for part in (held, watched, rest)]


def _units(table: Table, hint: SplitHint, clusters: Array | None) -> Array:
    """A number for each row; rows with one number go together."""
    n = table.n_rows
    units = np.arange(n)
    if clusters is not None and n:
        sizes = np.bincount(clusters[clusters >= 0], minlength=1)
        small = (clusters >= 0) & (sizes[np.maximum(clusters, 0)] <= max(2, LARGEST_CLUSTER * n))
        units = np.where(small, clusters + n, units)
    if hint.kind == "group" and hint.column:
        names = {name: number for number, name in enumerate(dict.fromkeys(table.texts(hint.column)))}
        units = np.array([names[name] for name in table.texts(hint.column)])
    return np.unique(units, return_inverse=True)[1]


def _strata(targets: Array) -> Array:
    """A number for each row by which the mix is kept: class, rarest label, or fifth of the range."""
    if targets.ndim == 2:
        frequency = targets.sum(axis=0)
        rarest = np.where(targets == 1, frequency, np.iinfo(np.int64).max).argmin(axis=1)
        return np.where(targets.any(axis=1), rarest, -1)
    if targets.dtype.kind == "O":
        return np.zeros(len(targets), dtype=np.int64)
    if targets.dtype.kind == "f":
        return np.digitize(targets, np.nanquantile(targets, [0.2, 0.4, 0.6, 0.8]))
    return targets


def _draw(units: Array, strata: Array, sizes: list[int], rng: np.random.Generator) -> list[Array]:
    """Deal whole units, stratum by stratum, to test, validation and training in proportion to their sizes."""
    n = len(units)
    first = np.full(units.max() + 1, n, dtype=np.int64)
    np.minimum.at(first, units, np.arange(n))
    stratum_of, size_of = strata[first], np.bincount(units)
    part_of = np.full(len(first), 2)
    for stratum in np.unique(stratum_of):
        members = rng.permutation(np.flatnonzero(stratum_of == stratum))
        total = size_of[members].sum()
        members = members[np.argsort(size_of[members] > max(2, total // 20), kind="stable")]
        taken = np.concatenate([[0], np.cumsum(size_of[members])[:-1]])
        offset = rng.random()
        test, validation = (total * size / n for size in sizes)
        test, validation = (int(np.floor(want + offset)) if total >= 3 else 0 for want in (test, validation))
        spare = max(0, total - 1 - test - validation)
        part_of[members[(taken < test)]] = 0
        part_of[members[(taken >= test) & (taken < test + validation)]] = 1
        part_of[members[size_of[members] > max(2, total // 2)]] = 2
        if spare == 0 and len(members):
            part_of[members[-1]] = 2
    return [np.flatnonzero(part_of[units] == part) for part in range(3)]


def _described(hint: SplitHint, train: Array, validation: Array, test: Array, together: bool) -> str:
    last = f"{len(test):,}" if len(test) else "none kept back"
    sizes = f"{len(train):,} rows to learn from, {len(validation):,} to choose with, {last} for the final evaluation"
    return f"{sizes}; {hint.reason}{'; near duplicates were kept on one side' if together else ''}"
