"""All checks of the data, one after another; a check that cannot run says so instead of stopping the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from honed.checks import columns, duplicates, labels, leakage, personal_data
from honed.data.table import Roles, Table
from honed.finding import Finding, by_level
from honed.progress import Progress, Silent

Check = Callable[[], list[Finding]]


def audit(
    table: Table,
    roles: Roles,
    *,
    targets: Any = None,
    labels_: tuple[str, ...] = (),
    clusters: Any = None,
    split: Any = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Finding]:
    """Everything noticed about the data, gravest first.

    Parameters
    ----------
    targets : array or None
        Encoded targets (-1 or NaN where missing); None leaves out the checks that need them.
    labels_ : tuple of str
        Names of the labels, in the order of the encoding.
    clusters : int array or None
        Clusters of near duplicates where they were computed already.
    split : Split or None
        Adds the check for test rows that stand in the training rows.
    """
    texts = tuple(name for name in roles.text if name in table.names)
    checks: dict[str, Check] = {
        "reading": lambda: columns.check_reading(table),
        "columns": lambda: columns.check_columns(table, roles),
    }
    if texts and table.n_rows:
        checks["texts"] = lambda: columns.check_texts(table, texts)
        checks["personal data"] = lambda: personal_data.check_personal(table, texts)
        checks["duplicates"] = lambda: duplicates.check_duplicates(table, texts, clusters, seed)
    if split is not None and texts and len(split.test):
        checks["split"] = lambda: duplicates.check_across_split(table, texts, split, clusters)
    if targets is not None and table.n_rows:
        checks["names of labels"] = lambda: labels.check_alike(labels_, roles.target or "")
        checks["balance"] = lambda: labels.check_balance(targets, labels_, roles.target or "")
        checks["leaking columns"] = lambda: leakage.check_leaking_columns(table, roles, targets)
        if texts:
            checks["conflicts"] = lambda: duplicates.check_conflicts(table, texts, targets)
            checks["leaking words"] = lambda: leakage.check_leaking_words(table, roles, targets, labels_)
            checks["label errors"] = lambda: labels.check_label_errors(table, roles, targets, labels_, seed)
    findings: list[Finding] = []
    with (progress or Silent()).step("checking the data", len(checks)) as step:
        for name, check in checks.items():
            step.note(name)
            findings += _safely(name, check)
            step.advance()
    return by_level(findings)


def _safely(name: str, check: Check) -> list[Finding]:
    try:
        return check()
    except (ValueError, TypeError, IndexError, KeyError, np.linalg.LinAlgError) as error:
        message = f"The check of {name} could not run on this data ({type(error).__name__}: {error})."
        return [Finding("D199", "not applicable", message, "Please report it with a few made-up rows that show it.")]
