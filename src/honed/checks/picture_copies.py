"""Pictures that come again: the same file, or nearly the same picture, perhaps with another label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from honed.finding import Finding
from honed.wording import counted

Array = np.ndarray[Any, np.dtype[Any]]
CODE = "D077"
MOST_ONE_SCENE = 0.5
"""Share of pictures with a near copy from which on a fixed camera, not copying, is the likelier reason."""


def check_copies(
    names: Sequence[str], contents: Array, clusters: Array, labels: Sequence[Any] | None = None
) -> list[Finding]:
    """D077: equal and nearly equal pictures, and those among them that carry different labels.

    Parameters
    ----------
    names : sequence of str
        Paths, for the examples.
    contents : uint64 array (n,)
        As :func:`honed.checks.picture_likeness.content_hashes` gives it.
    clusters : int64 array (n,)
        As :func:`honed.checks.picture_likeness.cluster_near_duplicates` gives it; -1 for none.
    labels : sequence, optional
        One label a picture, None where missing.
    """
    equal = np.unique(contents, return_inverse=True)[1].reshape(-1)
    extra = np.setdiff1d(np.arange(len(equal)), np.unique(equal, return_index=True)[1])
    near = _near_only(clusters, equal)
    findings = []
    if len(extra):
        message = f"{counted(len(extra), 'picture')} of {len(names):,} {_are(extra)} equal to another, byte for byte."
        remedy = "Keep one of each. Honed keeps equal pictures on one side of the split."
        findings.append(_finding("issue", message, remedy, extra, names))
    if len(near):
        message = f"{counted(len(near), 'picture')} of {len(names):,} {_are(near)} nearly the same as another."
        findings.append(_finding("tip", message, _why(near, names), near, names))
    if labels is not None:
        findings += _torn(names, equal, clusters, labels)
    return findings or [Finding(CODE, "passed", "No picture comes twice, exactly or nearly.")]


def _are(rows: Array) -> str:
    return "is" if len(rows) == 1 else "are"


def _why(near: Array, names: Sequence[str]) -> str:
    if len(near) > MOST_ONE_SCENE * len(names):
        return "Pictures of one fixed camera look so; then it is right. Honed keeps them on one side of the split."
    return "Look at some: frames of one film, or copies. Honed keeps them on one side of the split."


def _near_only(clusters: Array, equal: Array) -> Array:
    """Rows of clusters that hold more than one distinct picture."""
    rows = np.flatnonzero(clusters >= 0)
    pairs = np.unique(np.stack([clusters[rows], equal[rows]]), axis=1)
    several = np.flatnonzero(np.bincount(pairs[0].astype(np.int64), minlength=1) > 1)
    return rows[np.isin(clusters[rows], several)]


def _torn(names: Sequence[str], equal: Array, clusters: Array, labels: Sequence[Any]) -> list[Finding]:
    """Equal pictures with different labels are a fault; nearly equal ones may differ in what matters."""
    there = np.array([label is not None for label in labels], dtype=bool)
    codes = np.unique([str(label) for label in labels], return_inverse=True)[1]
    wrong = _several_labels(equal, codes, there)
    doubtful = np.setdiff1d(_several_labels(clusters, codes, there & (clusters >= 0)), wrong)
    findings = []
    if len(wrong):
        message = f"{counted(len(wrong), 'picture')} equal to another, byte for byte, with a different label: one of them must be wrong."
        findings.append(_finding("issue", message, "Decide on one label for each.", wrong, names))
    if len(doubtful):
        message = f"{counted(len(doubtful), 'picture')} nearly the same as another with a different label."
        remedy = "Look at some: unless a small detail makes the difference, one of the labels is wrong."
        findings.append(_finding("tip", message, remedy, doubtful, names))
    return findings


def _several_labels(groups: Array, codes: Array, usable: Array) -> Array:
    rows = np.flatnonzero(usable)
    pairs = np.unique(np.stack([groups[rows], codes[rows]]), axis=1)
    torn = np.flatnonzero(np.bincount(pairs[0].astype(np.int64), minlength=1) > 1)
    found: Array = rows[np.isin(groups[rows], torn)]
    return found[np.argsort(groups[found], kind="stable")]


def _finding(level: Any, message: str, remedy: str, rows: Array, names: Sequence[str]) -> Finding:
    shown = tuple((rows[:20] + 1).tolist())
    examples = tuple(Path(names[row]).name for row in rows[:5])
    return Finding(CODE, level, message, remedy, (), shown, len(rows), examples)
