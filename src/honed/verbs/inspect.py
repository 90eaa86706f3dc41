"""``inspect``: everything noticed about the data, before anything is learnt from it."""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from honed.config import RunConfig, override
from honed.data.table import Roles, Table
from honed.errors import DataError
from honed.files import as_uri
from honed.progress import Progress, Silent
from honed.report.inspection import ColumnFacts, Inspection
from honed.verbs.prepare import Prepared, prepare

OBJECTS = "objects"
"""Column of annotated sets of pictures."""


def inspect(
    data: Any,
    *,
    target: str | None = None,
    text: Sequence[str] | None = None,
    time: str | None = None,
    group: Sequence[str] | None = None,
    entity: str | None = None,
    task: str | None = None,
    settings: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Inspection:
    """Look at data and say everything at once: roles of columns, problem, split, findings with remedies.

    Parameters
    ----------
    data : path, list, or pandas / polars / Arrow frame
    target, text, time, group, entity : column names
        Override what would be chosen.

    Raises
    ------
    DataError
        The data cannot be read at all, or a named column does not exist. Anything less is a finding.
    """
    begin, config = clock.monotonic(), RunConfig()
    changes = {**({"task": task} if task else {}), "data.target": target, "data.text": list(text or []), "data.time": time,
               "data.group": list(group or []), "data.entity": entity, **(settings or {})}  # fmt: skip
    override(config, changes)
    prepared = prepare(data, config, test=True, progress=progress or Silent())
    return inspection_of(prepared, clock.monotonic() - begin)


def inspection_of(prepared: Prepared, seconds: float) -> Inspection:
    """The plain result of what was prepared."""
    table, problem = prepared.table, prepared.problem
    return Inspection(
        source=table.source,
        digest=table.digest,
        n_rows=table.n_rows,
        n_columns=len(table.names),
        reading=table.reading,
        columns=[_column(table, name, prepared.roles) for name in table.names],
        roles=prepared.roles,
        task=prepared.task.name,
        kind=problem.kind if problem else "",
        labels=_labels(prepared),
        findings=prepared.findings,
        split=prepared.split.description if prepared.split else "",
        suggestion=_suggestion(prepared),
        seconds=seconds,
        contact_sheet=_contact_sheet(table, prepared.roles),
    )


def _contact_sheet(table: Table, roles: Roles) -> str:
    """Pictures of every label in turn, with boxes and outlines where the data have them."""
    if roles.image is None:
        return ""
    from honed.report.contact_sheet import contact_sheet

    labels = table.texts(roles.target) if roles.target in table.names else None
    objects = table.column(OBJECTS) if OBJECTS in table.names and labels is None else None
    try:
        return as_uri(contact_sheet(table.column(roles.image), labels, objects), "image/jpeg")
    except DataError:  # a picture that cannot be opened is a finding
        return ""


def _column(table: Table, name: str, roles: Roles) -> ColumnFacts:
    column = table.arrow.column(name)
    nested = pa.types.is_nested(column.type)
    distinct = (
        len({str(value) for value in column.slice(0, 10_000).to_pylist()})
        if nested
        else pc.count_distinct(column).as_py()
    )
    example = next((str(value) for value in column.slice(0, 100).to_pylist() if value not in (None, "")), "")
    share = column.null_count / max(1, len(column))
    return ColumnFacts(
        name, str(column.type), role_of(name, roles), roles.reasons.get(name, ""), share, int(distinct), example[:60]
    )


def role_of(name: str, roles: Roles) -> str:
    """The part a column plays, in one word."""
    if name in roles.inputs:
        return roles.medium
    if name in roles.group:
        return "group"
    singles = {"target": roles.target, "time": roles.time, "entity": roles.entity, "id": roles.id}
    return next((role for role, holder in singles.items() if holder == name), "ignored")


def _labels(prepared: Prepared) -> list[tuple[str, int]]:
    if prepared.problem is None or prepared.targets is None or not prepared.problem.labels:
        return []
    names = prepared.problem.labels
    counts = prepared.task.judging.census(prepared.targets, len(names))
    return [(names[i], int(counts[i])) for i in np.argsort(-counts, kind="stable") if counts[i]]


def _suggestion(prepared: Prepared) -> str:
    if prepared.problem is None:
        return "Mend the blockers first."
    return f"honed finetune {prepared.table.source} --target {prepared.problem.target}"
