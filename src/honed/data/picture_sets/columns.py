"""Ordinary tables that name pictures: which column holds their paths, and where the pictures lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.locate import Finder
from honed.data.pictures.kinds import is_picture_name
from honed.data.table import Table
from honed.errors import DataError

LOOKED_AT = 200
"""Values of a column that are looked at."""
ENOUGH = 0.8
"""Share of them that must name pictures."""
FOLDERS = ("images", "imgs", "pictures", "train", "test", "data")
DEPTH = 3
"""Levels of folders below the table that are looked through."""
NAMED_LIKE_ONE = re.compile(r"im(g|age)|pic|photo|file|path|scan", re.IGNORECASE)
"""Columns called like this, or "id", may hold names of pictures without their ending."""


def find_picture_column(table: Table, beside: Path) -> str | None:
    """The column whose values are paths of pictures, or None.

    A column counts when four values in five end like a picture's name, or, in a column called so, are names without
    their ending of pictures that lie in the folder ``beside`` or below it. Of several columns the one with most files
    wins, then the first.
    """
    finder = finder_beside(beside)
    scores = {name: _share(_sample(table, name), finder, name) for name in table.names}
    best = max(scores, key=lambda name: scores[name], default=None)
    return best if best is not None and max(scores[best]) >= ENOUGH else None


def finder_beside(beside: Path) -> Finder:
    """What finds the pictures that a table names, in its folder and the folders below it."""
    return Finder([beside, *(beside / name for name in FOLDERS)], beside, DEPTH)


def _sample(table: Table, name: str) -> list[str]:
    if pa.types.is_nested(table.arrow.schema.field(name).type):
        return []
    step = max(1, table.n_rows // LOOKED_AT)
    rows = table.take(range(0, table.n_rows, step))
    return [value.strip() for value in rows.texts(name) if value.strip()]


def _share(values: Sequence[str], finder: Finder, column: str) -> tuple[float, float]:
    """Which share of the values are files that are there, and which end like pictures."""
    if not values or any(len(value) > 1024 or "\n" in value for value in values):
        return 0.0, 0.0
    named = sum(is_picture_name(Path(value).name) for value in values) / len(values)
    if named < ENOUGH and not NAMED_LIKE_ONE.search(column) and column.lower() != "id":
        return 0.0, 0.0
    return sum(finder.find(value) is not None for value in values) / len(values), named


def resolve_pictures(table: Table, column: str, beside: Path, *, leave_out: bool = True) -> Table:
    """The table with absolute paths in ``column``; relative ones are looked for in ``beside`` and the folders below it.

    Parameters
    ----------
    leave_out : bool
        Leave out rows whose picture is not there, with a finding [D066]; False gives them None in place of the path.

    Raises
    ------
    DataError [D064]
        Not one picture is there.
    """
    finder, ledger = finder_beside(beside), Ledger()
    names = [text.strip() for text in table.texts(column)]
    paths = [finder.find(name) if name else None for name in names]
    there = [row for row, path in enumerate(paths) if path is not None]
    absent = [row for row, path in enumerate(paths) if path is None]
    if not there:
        first = next((value for value in table.column(column) if value), "")
        raise DataError(
            "D064", f'Of the pictures in column "{column}" none is there, for example {first}.',
            f"Put them into {beside}, or write their whole paths.",
        )  # fmt: skip
    for row in absent:
        ledger.note("absent", names[row] or f"row {row + 1} has no path")
    place = table.names.index(column)
    arrow = table.arrow.set_column(place, column, pa.array(paths, pa.string()))
    found = tuple(replace(one, columns=(column,), rows=_rows(absent)) for one in ledger.findings({}))
    whole = replace(table, arrow=arrow, findings=table.findings + found)
    return whole.take(there) if absent and leave_out else whole


def _rows(absent: Sequence[int]) -> tuple[int, ...]:
    return tuple(row + 1 for row in absent[:20])
