"""Figures in the words and forms that reports use."""

from __future__ import annotations

from typing import Any

from honed.evaluation.results import Estimate
from honed.tasks.judging import Measured
from honed.wording import number


def figure(value: float, unit: str) -> str:
    """A value in its unit: shares as per cent, numbers with three digits."""
    if value != value:
        return "–"
    return f"{100 * value:.1f} %" if unit == "%" else number(value)


def interval(estimate: Estimate, unit: str) -> str:
    """ "93.1 – 95.0" for shares, without the sign that the value carries."""
    if estimate.low != estimate.low or estimate.high != estimate.high:
        return "–"
    if unit == "%":
        return f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}"
    nothing = 1e-3 * max(abs(estimate.low), abs(estimate.high))
    low, high = (0.0 if abs(bound) < nothing else bound for bound in (estimate.low, estimate.high))
    return f"{number(low)} – {number(high)}"


def cell(value: Any) -> str:
    """A cell of a table that only answers of one kind have: shares as per cent, with interval where they come with one."""
    if value is None:
        return "–"
    if isinstance(value, Measured):
        unit = f" {value.unit}" if value.unit else ""
        around = f" ({interval(Estimate(value.value, value.low, value.high), '')})" if value.low < value.high else ""
        return f"{figure(value.value, '')}{unit}{around}"
    if isinstance(value, tuple):
        return f"{figure(value[0], '%')} ({interval(Estimate(*value), '%')})"
    return figure(value, "%") if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def shortened(text: str, length: int) -> str:
    """The text on one line, cut to a length with an ellipsis."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"
