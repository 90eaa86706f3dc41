"""A finding: one thing noticed about data or a model, with a code, a level, examples and a remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from honed.errors import DataError

Level = Literal["blocker", "issue", "tip", "passed", "not applicable"]
LEVELS: tuple[Level, ...] = ("blocker", "issue", "tip", "passed", "not applicable")


@dataclass(frozen=True)
class Finding:
    """One thing a check noticed.

    Parameters
    ----------
    code : str
        Stable code; ``honed explain CODE`` tells more.
    level : Level
        ``blocker`` stops a run, ``issue`` should be looked at, ``tip`` is worth knowing, ``passed`` means the
        check looked and found nothing, ``not applicable`` means it could not look.
    message : str
        One sentence with names and numbers.
    remedy : str
        One sentence: what to do.
    columns : tuple of str
        Columns concerned.
    rows : tuple of int
        Up to 20 row numbers as examples, counted from 1 for the first row of data (a header is not counted).
    n_rows : int
        How many rows are concerned in all.
    examples : tuple of str
        Up to 5 short quotations; personal data is masked.
    details : dict
        Figures for programs, plain JSON types.
    """

    code: str
    level: Level
    message: str
    remedy: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    n_rows: int = 0
    examples: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Finding:
        """The inverse of :meth:`as_dict`."""
        lists = {name: tuple(fields.get(name, ())) for name in ("columns", "rows", "examples")}
        return cls(**{**fields, **lists})


def stop_at_blockers(findings: Iterable[Finding]) -> None:
    """Raise the first blocker as DataError, under its own code."""
    for finding in findings:
        if finding.level == "blocker":
            raise DataError(finding.code, finding.message, finding.remedy, details={"columns": list(finding.columns)})


def by_level(findings: list[Finding]) -> list[Finding]:
    """The findings, gravest first; order within a level is kept."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))
