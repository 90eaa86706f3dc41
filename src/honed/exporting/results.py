"""What an export is and what its check found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ExportReport:
    """What was exported and what the check found; it lies in the folder as ``export.json``.

    Parameters
    ----------
    rows, rows_source : int, str
        Rows the copy was checked on: "yours", "validation" or "example".
    difference : float
        Largest difference of an output from the model's, relative to the largest output.
    changed : float
        Share of answers that differ from the model's.
    loss_points : float or None
        Points of the deciding metric that the copy loses, measured where the rows have labels.
    """

    target: str
    title: str
    model: str
    folder: str
    packages: tuple[str, ...]
    rows: int
    rows_source: str
    difference: float
    changed: float
    loss_points: float | None
    metric: str
    created: str
    honed_version: str
    files: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return asdict(self)
