"""What monitoring found, as plain dataclasses: terminal, JSON, page and gauges are drawn from these."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from honed.evaluation.results import Estimate, MetricResult

Family = Literal["quality", "inputs", "vectors", "predictions", "estimate", "performance"]
State = Literal["ok", "alert", "too early"]


@dataclass(frozen=True)
class Check:
    """One comparison of one window with the reference.

    Parameters
    ----------
    code : str
        M101 quality, M102 inputs, M103 vectors, M104 answers, M105 estimated performance, M106 real performance.
    name : str
        What was compared, such as ``text: words`` or ``predicted labels``.
    now, then : float
        The figure in the window and in the reference (for distances: the distance, and 0).
    unit : "%" or ""
    p_value, allowed : float
        Chance of so large a difference where nothing changed, and what this look may spend of the error budget.
    alert : bool
        Surprising (p_value below allowed) and large enough to matter.
    message : str
        One plain sentence.
    """

    code: str
    family: Family
    name: str
    now: float
    then: float
    unit: str
    p_value: float
    allowed: float
    alert: bool
    message: str


@dataclass(frozen=True)
class Window:
    """Some rows in a row. ``number`` counts from the first window of this version; times are UTC, ISO 8601."""

    number: int
    start: str
    end: str
    n: int
    complete: bool
    unsure: float
    confidence: float | None
    labels: dict[str, float]
    distance: float
    """Largest distance of any distribution from its reference."""
    estimated: Estimate | None
    real: Estimate | None
    n_labelled: int
    checks: list[Check]


@dataclass(frozen=True)
class Alert:
    """A check that fired: in which window first and last, and how often."""

    code: str
    family: Family
    name: str
    message: str
    first: int
    last: int
    since: str
    n: int
    current: bool
    """It fired at the last look."""


@dataclass(frozen=True)
class Monitoring:
    """All that monitoring says about a model.

    ``state`` is "alert" when a check fired and was not acknowledged, "too early" when there are too few rows for a look.
    """

    model: str
    version: str
    source: str
    made: str
    n_rows: int
    n_skipped: int
    n_labelled: int
    window: str
    state: State
    headline: str
    alerts: list[Alert]
    windows: list[Window]
    expected: Estimate | None
    real: Estimate | None
    metrics: list[MetricResult]
    advice: list[str]
    limits: list[str]
    examples: list[str] = field(default_factory=list)
    reference: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The result as plain JSON types."""
        return asdict(self)
