"""Rows on which engines are compared: the user's, else those the run kept for choosing, else none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from honed.data.read import read_table
from honed.data.table import Table
from honed.errors import DataError
from honed.files import read_json
from honed.model import Model
from honed.tasks.contract import Array, Input, labelled

MOST = 3000
"""Rows compared at most: two cores read so many in a few seconds with the slowest engine."""


@dataclass
class Rows:
    """Inputs, their targets where they are known, and where they come from.

    ``source`` is one of "yours", "validation" and "none".
    """

    inputs: list[Input]
    targets: Array | None
    source: str

    @property
    def n(self) -> int:
        return len(self.inputs)

    def first(self, n: int) -> Rows:
        """At most so many of them."""
        if n >= self.n:
            return self
        return Rows(self.inputs[:n], None if self.targets is None else self.targets[:n], self.source)


def rows_for(model: Model, data: Any = None) -> Rows:
    """The best rows there are.

    Raises
    ------
    DataError
        The data given cannot be read or lack a column the model reads.
    """
    if data is not None:
        return _of_table(model, data if isinstance(data, Table) else read_table(data), "yours")
    found = _validation(model)
    return found if found is not None else Rows([], None, "none")


def _of_table(model: Model, table: Table, source: str) -> Rows:
    if table.n_rows > MOST:
        table = table.take(np.sort(np.random.default_rng(0).permutation(table.n_rows)[:MOST]))
    targets = _targets(model, table)
    if targets is not None:
        there = np.flatnonzero(labelled(targets))
        table, targets = table.take(there), targets[there]
    inputs = model.task.inputs(table, model.problem)
    good = np.flatnonzero(~model.task.medium.unreadable(inputs))
    return Rows([inputs[row] for row in good.tolist()], None if targets is None else targets[good], source)


def _targets(model: Model, table: Table) -> Array | None:
    """Targets of the rows, None where the column is absent or empty; labels the model does not know are left out."""
    if model.problem.target not in table.names:
        return None
    try:
        found = model.task.targets(table, model.problem)
    except DataError as error:
        unknown = error.details.get("rows")
        if error.code != "D023" or unknown is None:
            raise
        known = np.setdiff1d(np.arange(table.n_rows), unknown)
        found = np.full(table.n_rows, -1, dtype=np.int64)
        if model.task.targets(table.take(known), model.problem).ndim != 1:
            return None
        found[known] = model.task.targets(table.take(known), model.problem)
    return found if labelled(found).any() else None


def _validation(model: Model) -> Rows | None:
    """The rows the run held out for choosing, when the run's folder and its unchanged data are still there."""
    if model.folder is None:
        return None
    run = Path(model.folder).parent
    try:
        state = read_json(run / "state.json")
        with np.load(run / "rows.npz", allow_pickle=False) as kept:
            positions = kept["validation"]
        if not len(positions) or not state["data"] or not Path(state["data"]).exists():
            return None
        table = read_table(state["data"])
        if table.digest != state["data_digest"]:
            return None
        return _of_table(model, table.take(positions), "validation")
    except (OSError, ValueError, KeyError, DataError):
        return None
