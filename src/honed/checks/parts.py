"""Whether every label is there in every part that the data are divided into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from honed.finding import Finding
from honed.wording import counted

Array = np.ndarray[Any, np.dtype[Any]]
MOST_NAMED = 5
ABSENT_FROM = {
    "validation": "methods are chosen without regard to {them}",
    "test": "the evaluation says nothing of {them}",
}
"""What follows where a label is missing in a part."""


def check_parts(counts: Mapping[str, Array], labels: tuple[str, ...], target: str) -> list[Finding]:
    """D144 labels that nothing is learnt of, D145 labels that are learnt and not judged.

    Parameters
    ----------
    counts : mapping of "training", "validation" and "test" to int arrays (labels,)
        How often each label is true in a part; parts without rows are left out.
    """
    whole = np.sum(list(counts.values()), axis=0)
    findings = _unlearnt(counts["training"], whole, labels, target)
    for part, follows in ABSENT_FROM.items():
        gone = np.flatnonzero((counts[part] == 0) & (counts["training"] > 0)) if part in counts else np.zeros(0, int)
        if len(gone):
            them = "it" if len(gone) == 1 else "them"
            message = f"{_named(gone, whole, labels)} not among the {part} data: {follows.format(them=them)}."
            remedy = f"Add examples, or keep back a larger share with data.{part}."
            findings.append(_finding("D145", "tip", message, remedy, gone, labels, target))
    return findings or [Finding("D144", "passed", "Every label is in every part of the data.")]


def _unlearnt(training: Array, whole: Array, labels: tuple[str, ...], target: str) -> list[Finding]:
    gone = np.flatnonzero(training == 0)
    if not len(gone):
        return []
    message = f"{_named(gone, whole, labels)} not among the training data and cannot be learnt."
    remedy = "Add examples, or join them with another label."
    return [_finding("D144", "issue", message, remedy, gone, labels, target)]


def _named(gone: Array, whole: Array, labels: tuple[str, ...]) -> str:
    names = "; ".join(f'"{labels[k]}", {int(whole[k])} in all' for k in gone[:MOST_NAMED])
    more = "; ..." if len(gone) > MOST_NAMED else ""
    return f"{counted(len(gone), 'label')} ({names}{more}) {'is' if len(gone) == 1 else 'are'}"


def _finding(
    code: str, level: Any, message: str, remedy: str, gone: Array, labels: tuple[str, ...], target: str
) -> Finding:
    return Finding(code, level, message, remedy, (target,), details={"labels": [labels[k] for k in gone]})
