"""A table in memory, and the roles its columns play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa

from honed.errors import DataError
from honed.finding import Finding


@dataclass(frozen=True)
class Table:
    """Rows and named columns (Arrow), with where they came from and how they were read.

    Parameters
    ----------
    arrow : pyarrow.Table
        Column names are unique strings.
    source : str
        File name, or "python list", "pandas frame", ... for messages and reports.
    digest : str
        SHA-256 of the file, or of the contents for tables from memory.
    reading : dict of str to str
        How it was read: ``{"format": "csv", "encoding": "utf-8-sig", "separator": ";", "header": "yes", ...}``.
    findings : tuple of Finding
        What was noticed while reading, for example annotations without a picture.
    """

    arrow: pa.Table
    source: str
    digest: str
    reading: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def n_rows(self) -> int:
        return int(self.arrow.num_rows)

    @property
    def names(self) -> list[str]:
        return list(self.arrow.column_names)

    def column(self, name: str) -> list[Any]:
        """One column as Python objects (None where missing)."""
        values: list[Any] = self.arrow.column(name).to_pylist()
        return values

    def texts(self, name: str) -> list[str]:
        """One column as text; "" where missing, numbers as they print."""
        return ["" if value is None else str(value) for value in self.column(name)]

    def take(self, rows: Sequence[int] | Any) -> Table:
        """The rows of these positions (from 0), in this order."""
        return replace(self, arrow=self.arrow.take(pa.array(rows, type=pa.int64())))


@dataclass(frozen=True)
class Roles:
    """Which column plays which part, and why.

    Parameters
    ----------
    text : tuple of str
        Columns of text the model reads, one or two (a pair).
    target : str or None
        The column to predict.
    time, entity, id : str or None
        When a row happened; whom it belongs to (rows of one entity stay on one side of a split); its key.
    group : tuple of str
        Sensitive or business groups to compare in the evaluation; never an input of the model.
    ignored : tuple of str
        Columns that play no part.
    reasons : dict of str to str
        One sentence for each column.
    yours : tuple of str
        Names of the roles the user fixed, for example ``("target",)``; the rest was inferred.
    image : str or None
        Column of pictures the model reads; then it reads no text.
    candidates : tuple of str
        Columns of which each could be the target, where none stands out and none was named.
    """

    text: tuple[str, ...] = ()
    target: str | None = None
    time: str | None = None
    group: tuple[str, ...] = ()
    entity: str | None = None
    id: str | None = None
    ignored: tuple[str, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)
    yours: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    image: str | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns the model reads."""
        return (self.image,) if self.image else self.text

    @property
    def medium(self) -> str:
        """What they hold: "image" or "text"."""
        return "image" if self.image else "text"

    def as_dict(self) -> dict[str, Any]:
        """The roles as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Roles:
        """The inverse of :meth:`as_dict`."""
        tuples = {name: tuple(fields.get(name, ())) for name in ("text", "group", "ignored", "yours", "candidates")}
        return cls(**{**fields, **tuples})


def need_columns(table: Table, names: Sequence[str], why: str) -> None:
    """Raise DataError [D022] for the first of these columns that is absent; ``why`` says what it is for."""
    absent = [name for name in names if name not in table.names]
    if absent:
        seen = f'Column "{absent[0]}", {why}, is absent from {table.source}.'
        raise DataError("D022", seen, f"Columns there: {', '.join(table.names[:12])}.", details={"columns": absent})
