"""Rows that come again: exactly, nearly, with another label, or on both sides of a split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from honed.checks.shingles import cluster_near_duplicates
from honed.data.table import Table
from honed.finding import Finding

Array = np.ndarray[Any, np.dtype[Any]]


def joined_texts(table: Table, columns: tuple[str, ...]) -> pa.ChunkedArray:
    """The text columns of each row as one text."""
    parts = [pc.fill_null(table.arrow.column(name).cast(pa.string()), "") for name in columns]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "\x1f")


def exact_codes(texts: pa.ChunkedArray) -> Array:
    """A number for each text; equal texts have the same."""
    return np.asarray(texts.combine_chunks().dictionary_encode().indices if texts.num_chunks else [])


def repeated(codes: Array) -> Array:
    """Rows whose code came before, ascending."""
    first = np.unique(codes, return_index=True)[1] if len(codes) else np.array([], int)
    return np.setdiff1d(np.arange(len(codes)), first)


def near_only(clusters: Array, codes: Array) -> Array:
    """Rows of clusters that hold more than one distinct code."""
    rows = np.flatnonzero(clusters >= 0)
    if not len(rows):
        return rows
    pairs = np.unique(np.stack([clusters[rows], codes[rows]]), axis=1)
    several = np.flatnonzero(np.bincount(pairs[0]) > 1)
    return rows[np.isin(clusters[rows], several)]


def torn(codes: Array, targets: Array, usable: Array) -> tuple[int, Array]:
    """How many codes stand with different labels, and their rows, those of one code together."""
    label = np.unique(targets, axis=0, return_inverse=True)[1].reshape(-1)
    rows = np.flatnonzero(usable & ((targets >= 0) if targets.ndim == 1 else True))
    pairs = np.unique(np.stack([codes[rows], label[rows]]), axis=1) if len(rows) else np.empty((2, 0), int)
    several = np.flatnonzero(np.bincount(pairs[0]) > 1) if pairs.size else np.array([], int)
    bad = rows[np.isin(codes[rows], several)]
    return len(several), bad[np.argsort(codes[bad], kind="stable")]


def on_both_sides(codes: Array, clusters: Array | None, split: Any) -> tuple[Array, Array]:
    """For each test row whether it stands among the training and validation rows: exactly, and nearly. Codes below 0 are
    equal to none."""
    known = np.concatenate([split.train, split.validation])
    exact = np.isin(codes[split.test], codes[known]) & (codes[split.test] >= 0)
    near = np.zeros(len(split.test), dtype=bool)
    if clusters is not None:
        near = (clusters[split.test] >= 0) & np.isin(clusters[split.test], clusters[known]) & ~exact
    return exact, near


def check_duplicates(
    table: Table, columns: tuple[str, ...], clusters: Array | None = None, seed: int = 0
) -> list[Finding]:
    """D110 exact and D111 near duplicates."""
    texts = joined_texts(table, columns)
    codes = exact_codes(texts)
    counts = np.bincount(codes) if len(codes) else np.array([0])
    extra = repeated(codes)
    findings = []
    if len(extra):
        repeat = "repeats" if len(extra) == 1 else "repeat"
        most = f" (one text comes {counts.max():,} times)" if counts.max() > 2 else ""
        message = f"{len(extra):,} of {table.n_rows:,} rows {repeat} a text that came before{most}."
        rows = tuple((extra[:20] + 1).tolist())
        remedy = "Keep one of each, unless they really are that frequent. Honed keeps them on one side of the split."
        findings.append(Finding("D110", "issue", message, remedy, columns, rows, len(extra), _quoted(texts, extra)))
    clusters = cluster_near_duplicates(texts, seed=seed) if clusters is None else clusters
    near = near_only(clusters, codes)
    if len(near):
        message = f"{len(near):,} rows are nearly the same as another row (they share 80 % of their letter groups)."
        rows = tuple((near[:20] + 1).tolist())
        remedy = "Look at some: templates and forwarded messages are fine, copies are not. Honed keeps them on one side of the split."
        findings.append(Finding("D111", "tip", message, remedy, columns, rows, len(near), _quoted(texts, near)))
    return findings or [Finding("D110", "passed", "No text comes twice, exactly or nearly.")]


def _quoted(texts: pa.ChunkedArray, rows: Array) -> tuple[str, ...]:
    from honed.checks.personal_data import mask_personal

    return tuple(mask_personal(texts[int(row)].as_py())[:80] for row in rows[:3])


def check_conflicts(table: Table, columns: tuple[str, ...], targets: Array) -> list[Finding]:
    """D120: the same text with different labels (texts compared without case and punctuation); numbers and texts are no labels."""
    if targets.dtype.kind in "fO":
        return []
    from honed.checks.shingles import normalised

    texts = joined_texts(table, columns)
    codes = np.asarray(normalised(texts, digits=True).dictionary_encode().indices)
    filled = np.asarray(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0))
    n_torn, bad = torn(codes, targets, filled)
    if not len(bad):
        return [Finding("D120", "passed", "Equal texts always have the same label.")]
    occur = "text occurs" if n_torn == 1 else "texts occur"
    message = f"{n_torn:,} {occur} with different labels ({len(bad):,} rows): one of the labels must be wrong."
    return [
        Finding(
            "D120",
            "issue",
            message,
            "Decide on one label for each.",
            columns,
            tuple((bad[:20] + 1).tolist()),
            len(bad),
            _quoted(texts, bad),
        )
    ]


def check_across_split(
    table: Table, columns: tuple[str, ...], split: Any, clusters: Array | None = None
) -> list[Finding]:
    """D112: test rows whose text stands in the training or validation rows as well, exactly or nearly."""
    codes = exact_codes(joined_texts(table, columns))
    exact, near = on_both_sides(codes, clusters, split)
    both = split.test[exact | near]
    if not len(both):
        return [Finding("D112", "passed", "No test row stands in the training rows as well, exactly or nearly.")]
    nearly = f" ({int(near.sum()):,} of them nearly)" if near.any() else ""
    message = (
        f"{len(both):,} of {len(split.test):,} test rows stand in the training rows as well{nearly}; "
        "they are left out of the claim."
    )
    return [
        Finding(
            "D112",
            "issue",
            message,
            "Nothing, the evaluation leaves them out.",
            columns,
            tuple((both[:20] + 1).tolist()),
            len(both),
        )
    ]
