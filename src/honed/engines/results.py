"""What was measured of every engine, and which one was chosen and why: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

State = Literal["accepted", "refused", "not available"]
Use = Literal["single", "batch"]


@dataclass(frozen=True)
class EngineResult:
    """One engine on this machine.

    Parameters
    ----------
    state : str
        ``"accepted"``, ``"refused"`` (it loses too much) or ``"not available"``.
    reason : str
        One sentence: why.
    single_ms : float or None
        Milliseconds for one request, the weighed mean of a short and a long one.
    rows_per_s : float or None
        Rows a second in batches.
    loss_points, measured, changed, difference
        See :class:`honed.engines.agreement.Agreement`.
    short_ms, long_ms : float or None
        Milliseconds for a short and for a long request, each the median of several.
    """

    name: str
    title: str
    state: State
    reason: str
    single_ms: float | None = None
    rows_per_s: float | None = None
    loss_points: float | None = None
    measured: bool = False
    changed: float | None = None
    difference: float | None = None
    short_ms: float | None = None
    long_ms: float | None = None


@dataclass(frozen=True)
class EngineChoice:
    """The table of engines and the one that was picked.

    Parameters
    ----------
    chosen : str
        The fastest accepted engine for the use.
    use : str
        ``"single"``: one request at a time, for serving. ``"batch"``: many rows, for files.
    rows, rows_source : int, str
        On how many rows answers were compared: "yours", "validation", "carried" (elsewhere, see :mod:`honed.engines.proof`)
        or "none".
    rows_key : str
        Says whether two choices were measured on the same rows.
    max_loss_points : float
        The bound that was asked for.
    """

    chosen: str
    use: Use
    engines: tuple[EngineResult, ...]
    rows: int
    rows_source: str
    rows_key: str
    max_loss_points: float
    host: str
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The choice as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> EngineChoice:
        """The inverse of :meth:`as_dict`."""
        return cls(**{**fields, "engines": tuple(EngineResult(**row) for row in fields["engines"])})

    def result(self, name: str) -> EngineResult:
        """What was measured of one engine."""
        return next(row for row in self.engines if row.name == name)

    def for_use(self, use: Use) -> EngineChoice:
        """The same measurements, with the engine picked for another use."""
        return EngineChoice(**{**vars(self), "use": use, "chosen": fastest(self.engines, use)})


def fastest(engines: tuple[EngineResult, ...], use: Use) -> str:
    """Name of the fastest accepted engine."""
    accepted = [row for row in engines if row.state == "accepted"]
    if use == "batch":
        return max(accepted, key=lambda row: row.rows_per_s or 0.0).name
    return min(accepted, key=lambda row: row.single_ms or float("inf")).name
