"""What ``inspect`` and ``finetune`` both begin with: read, find roles, frame the problem, check, divide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.checks.audit import audit
from honed.checks.parts import check_parts
from honed.config import RunConfig, fill
from honed.data.read import read_table
from honed.data.roles import answer_kind, infer_roles
from honed.data.split import Split, as_given, given_parts, split_rows
from honed.data.table import Roles, Table
from honed.errors import DataError
from honed.finding import Finding, by_level
from honed.progress import Progress
from honed.tasks.contract import Array, Problem, Task, labelled
from honed.tasks.registry import AUTOMATIC, get_task, task_for

TOO_FEW_TO_TEST = 50
"""With fewer labelled rows none are kept back for a test unless a test file is given."""


@dataclass
class Prepared:
    """A table that was looked at; ``problem``, ``targets`` and ``split`` are None where a blocker stands in the way."""

    table: Table
    roles: Roles
    task: Task
    settings: Any
    findings: list[Finding]
    problem: Problem | None = None
    targets: Array | None = None
    split: Split | None = None


def prepare(data: Any, config: RunConfig, *, test: bool, progress: Progress) -> Prepared:
    """Read and check data; blockers are findings here, not errors.

    Parameters
    ----------
    test : bool
        Keep rows back for the final evaluation.
    """
    if config.task != AUTOMATIC:
        get_task(config.task)
    with progress.step("reading the data") as step:
        table = read_table(data)
        step.note(f"{table.n_rows:,} rows")
    chosen = config.data
    roles = infer_roles(
        table, target=chosen.target, text=chosen.text, time=chosen.time, group=chosen.group, entity=chosen.entity
    )
    task = get_task(config.task) if config.task != AUTOMATIC else task_for(roles.medium, answer_kind(table, roles))
    config.task = task.name
    settings = fill(task.config, config.task_settings)
    findings = [*table.findings, *task.validate(table, roles, settings)]
    if any(finding.level == "blocker" for finding in findings):
        findings += audit(table, roles, medium=task.medium, progress=progress, seed=config.training.seed)
        return Prepared(table, roles, task, settings, by_level(findings))
    problem = task.frame(table, roles, settings)
    targets = task.targets(table, problem)
    with progress.step("looking for near duplicates"):
        clusters = task.medium.clusters(table, problem.inputs, config.training.seed)
    split = _divide(table, roles, task, problem, targets, clusters, config, test)
    findings += audit(
        table, roles, medium=task.medium, targets=targets, labels_=problem.labels, clusters=clusters, split=split,
        seed=config.training.seed, progress=progress,
    )  # fmt: skip
    findings += _in_parts(task, problem, targets, split)
    return Prepared(table, roles, task, settings, by_level(findings), problem, targets, split)


def _in_parts(task: Task, problem: Problem, targets: Array, split: Split) -> list[Finding]:
    """Whether every label can be learnt and judged."""
    if not problem.labels:
        return []
    parts = {"training": split.train, "validation": split.validation, "test": split.test}
    n = len(problem.labels)
    counts = {name: task.judging.census(targets[rows], n) for name, rows in parts.items() if len(rows)}
    return check_parts(counts, problem.labels, problem.target)


def _divide(
    table: Table,
    roles: Roles,
    task: Task,
    problem: Problem,
    targets: Array,
    clusters: Array | None,
    config: RunConfig,
    test: bool,
) -> Split:
    """Divide the labelled rows; rows without a target or with nothing to read are in no part."""
    usable = labelled(targets)
    inputs = task.inputs(table, problem)
    rows = np.flatnonzero(usable & ~task.medium.empty(inputs))
    if len(rows) < task.facts.min_rows:
        raise DataError("D025", f"Only {len(rows)} rows have both a label and something to read.", "Label more rows.")
    hint = task.split_hint(table, roles, problem)
    keep_back = config.data.test if test and len(rows) >= TOO_FEW_TO_TEST else 0.0
    validation = config.data.validation if len(rows) >= task.facts.few_rows else 0.0

    def divided(some: Array, validation: float, test: float) -> Split:
        near = None if clusters is None else clusters[some]
        found = split_rows(
            table.take(some), hint, targets[some], validation=validation, test=test, clusters=near, seed=config.training.seed
        )  # fmt: skip
        return Split(some[found.train], some[found.validation], some[found.test], found.description)

    parts = given_parts(table)
    return (
        divided(rows, validation, keep_back)
        if parts is None
        else as_given(parts[rows], rows, divided, validation, keep_back)
    )
