"""What ``inspect`` found, as plain dataclasses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from honed.data.table import Roles
from honed.finding import Finding


@dataclass(frozen=True)
class ColumnFacts:
    """One column: its type, the part it plays and why, the share of empty cells, distinct values, one example."""

    name: str
    kind: str
    role: str
    why: str
    missing_share: float
    distinct: int
    example: str


@dataclass(frozen=True)
class Inspection:
    """All that was noticed about the data before anything is learnt from it."""

    source: str
    digest: str
    n_rows: int
    n_columns: int
    reading: dict[str, str]
    columns: list[ColumnFacts]
    roles: Roles
    task: str
    kind: str
    labels: list[tuple[str, int]]
    findings: list[Finding]
    split: str
    suggestion: str
    seconds: float
    contact_sheet: str = ""
    """Some of the pictures with what is said of them, as a data URI; "" where the data are no pictures."""

    def as_dict(self) -> dict[str, Any]:
        """The inspection as plain JSON types, without the contact sheet."""
        found = asdict(self)
        del found["contact_sheet"]
        return found

    @property
    def blocked(self) -> bool:
        """True when nothing can be learnt from the data as it is."""
        return any(finding.level == "blocker" for finding in self.findings)
