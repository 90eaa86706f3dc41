"""All checks of the data, one after another; a check that cannot run says so instead of stopping the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from honed.checks import columns, labels, leakage
from honed.data.table import Roles, Table
from honed.finding import Finding, by_level
from honed.media.medium import Check, Looked, Medium
from honed.progress import Progress, Silent


def audit(
    table: Table,
    roles: Roles,
    *,
    medium: Medium,
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
    medium : Medium
        What the columns that the model reads are; it brings checks of its own.
    targets : array or None
        Encoded targets (-1 or NaN where missing); None leaves out the checks that need them.
    labels_ : tuple of str
        Names of the labels, in the order of the encoding.
    clusters : int array or None
        Clusters of near duplicates where they were computed already.
    split : Split or None
        Adds the check for test rows that stand in the training rows.
    """
    read = tuple(name for name in roles.inputs if name in table.names)
    checks: dict[str, Check] = {
        "reading": lambda: columns.check_reading(table),
        "columns": lambda: columns.check_columns(table, roles),
    }
    if read and table.n_rows:
        checks |= medium.checks(Looked(table, roles, read, targets, labels_, clusters, split, seed))
    if targets is not None and table.n_rows:
        checks["names of labels"] = lambda: labels.check_alike(labels_, roles.target or "")
        checks["balance"] = lambda: labels.check_balance(targets, labels_, roles.target or "")
        checks["leaking columns"] = lambda: leakage.check_leaking_columns(table, roles, targets)
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
