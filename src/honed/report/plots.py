"""Plots as small inline SVG that takes its colours from the page, so that it is crisp and fits light and dark.

Every function returns markup that is safe to put into a page: all texts are escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from honed.evaluation.results import CalibrationBin, Estimate, RungResult
from honed.report.words import figure, shortened

WIDTH, NARROW = 640, 460
"""A plot of the narrow width is still read on a phone."""


def _svg(height: float, title: str, parts: Sequence[str], width: float = WIDTH) -> str:
    wide = ' class="wide"' if width >= WIDTH else ""  # too wide to be shrunk to a phone: it scrolls there
    return (
        f'<svg{wide} style="max-width:{1.1 * width:.0f}px" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def whiskers(rows: Sequence[tuple[str, Estimate, str]], unit: str, title: str) -> str:
    """One row for each (name, estimate, class): a dot with its 95 % interval on a common scale."""
    rows = [row for row in rows if row[1].value == row[1].value]
    if not rows:
        return ""
    low, high = min(row[1].low for row in rows), max(row[1].high for row in rows)
    pad = 0.06 * (high - low) or 0.05
    low, high = (math.floor(10 * low) / 10, math.ceil(10 * high) / 10) if unit == "%" else (low - pad, high + pad)
    left, right, bottom = 10.0, NARROW - 90.0, len(rows) * 44 + 2

    def x(value: float) -> float:
        return left + (value - low) / (high - low or 1) * (right - left)

    parts = [f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>']
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        value = low + share * (high - low)
        shown = f"{100 * value:.0f} %" if unit == "%" else figure(value, unit)
        parts.append(_text(x(value), bottom + 16, shown, anchor, "small"))
    for index, (name, estimate, kind) in enumerate(rows):
        y = index * 44 + 31
        parts += [
            _text(left, y - 14, shortened(name, 52), "start", kind),
            f'<line class="whisker {kind}" x1="{x(estimate.low):.1f}" x2="{x(estimate.high):.1f}" y1="{y}" y2="{y}"/>',
            f'<circle class="dot {kind}" cx="{x(estimate.value):.1f}" cy="{y}" r="5"/>',
            _text(right + 14, y + 5, figure(estimate.value, unit), "start", kind),
        ]
    return _svg(bottom + 24, title, parts, NARROW)


def ladder(rungs: Sequence[RungResult], unit: str) -> str:
    """The rungs as dots with intervals, the best one marked."""
    done = [rung for rung in rungs if rung.score is not None]
    rows = [(rung.title.split(" (")[0], rung.score, "best" if rung.best else "") for rung in done]
    return whiskers([row for row in rows if row[1]], unit, "The rungs of the ladder with their scores")  # type: ignore[misc]


def reliability(bins: Sequence[CalibrationBin]) -> str:
    """Confidence against the share that was right; on the diagonal confidence can be taken at its word."""
    size, left, top = 260.0, 50.0, 14.0

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x * size, top + (1 - y) * size

    points = [place(b.confidence, b.accuracy) for b in bins]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [
        f'<rect class="frame" x="{left}" y="{top}" width="{size}" height="{size}"/>',
        f'<line class="dashed" x1="{left}" y1="{top + size}" x2="{left + size}" y2="{top}"/>',
        f'<polyline class="line" points="{path}"/>',
        *(f'<circle class="dot best" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in points),
        _text(left + size / 2, top + size + 36, "confidence", "middle", "small"),
        _text(left - 8, top + 4, "100 %", "end", "small"),
        _text(left - 8, top + size, "0 %", "end", "small"),
        _text(left, top + size + 18, "0 %", "middle", "small"),
        _text(left + size, top + size + 18, "100 %", "middle", "small"),
        f'<text class="small" transform="translate(14 {top + size / 2}) rotate(-90)" text-anchor="middle">right</text>',
    ]
    return _svg(top + size + 44, "Reliability: confidence against the share that was right", parts, 340)


def curve(points: Sequence[tuple[float, float]], unit: str, title: str) -> str:
    """Share of rows answered (most confident first) against the metric on them."""
    if len(points) < 2:
        return ""
    width, height, left, top = 260.0, 260.0, 58.0, 14.0
    low = min(score for _, score in points)
    low, high = max(0.0, low - 0.02), max(1.0, max(score for _, score in points))
    path = " ".join(f"{left + s * width:.1f},{top + (high - v) / (high - low or 1) * height:.1f}" for s, v in points)
    parts = [
        f'<rect class="frame" x="{left}" y="{top}" width="{width}" height="{height}"/>',
        f'<polyline class="line" points="{path}"/>',
        _text(left - 6, top + 6, figure(high, unit), "end", "small"),
        _text(left - 6, top + height, figure(low, unit), "end", "small"),
        _text(left + width / 2, top + height + 36, "share of rows that get an answer", "middle", "small"),
        _text(left, top + height + 18, "0 %", "middle", "small"),
        _text(left + width, top + height + 18, "100 %", "middle", "small"),
    ]
    return _svg(top + height + 44, title, parts, 340)


def heat(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """A confusion matrix of at most 20 labels: rows are the truth, columns the answer."""
    cell = 34.0 if len(labels) <= 10 else 26.0
    left, top, n = 150.0, 110.0, len(labels)
    parts = []
    for i, row in enumerate(matrix):
        total = max(1, sum(row))
        parts.append(_text(left - 8, top + i * cell + cell * 0.65, shortened(labels[i], 20), "end", "small"))
        x = left + i * cell + cell / 2
        parts.append(
            f'<text class="small" transform="translate({x:.1f} {top - 8}) rotate(-45)">{escape(shortened(labels[i], 16))}</text>'
        )
        for j, count in enumerate(row):
            kind = "right" if i == j else "wrong"
            parts.append(
                f'<rect class="cell {kind}" style="fill-opacity:{0.08 + 0.92 * count / total if count else 0.02:.2f}" '
                f'x="{left + j * cell:.1f}" y="{top + i * cell:.1f}" width="{cell - 2:.1f}" height="{cell - 2:.1f}"/>'
            )
            if count:
                shade = "small light" if count / total > 0.5 else "small"
                parts.append(
                    _text(left + j * cell + cell / 2 - 1, top + i * cell + cell * 0.62, str(count), "middle", shade)
                )
    return _svg(
        top + n * cell + 8, "Confusion matrix: rows are the truth, columns the answer", parts, left + n * cell + 60
    )


def scatter(points: Sequence[tuple[float, float]]) -> str:
    """True against predicted numbers."""
    if not points:
        return ""
    low, high = min(min(p) for p in points), max(max(p) for p in points)
    size, left, top = 300.0, 60.0, 14.0

    def place(value: float) -> float:
        return (value - low) / (high - low or 1) * size

    parts = [
        f'<rect class="frame" x="{left}" y="{top}" width="{size}" height="{size}"/>',
        f'<line class="dashed" x1="{left}" y1="{top + size}" x2="{left + size}" y2="{top}"/>',
        *(
            f'<circle class="point" cx="{left + place(t):.1f}" cy="{top + size - place(p):.1f}" r="3"/>'
            for t, p in points
        ),
        _text(left + size / 2, top + size + 22, "true value", "middle", "small"),
        _text(left - 6, top + 6, f"{high:.3g}", "end", "small"),
        _text(left - 6, top + size, f"{low:.3g}", "end", "small"),
    ]
    return _svg(top + size + 34, "True against predicted values", parts, 400)


Point = tuple[float, float | None, float | None]
"""A value with the bounds of its interval, where it has one."""


def timeline(
    series: Sequence[tuple[str, Sequence[Point | None]]], marks: Sequence[bool], title: str, top: float = 1.0
) -> str:
    """Shares over windows: a line for each (name, values), bands for intervals, a mark below windows with an alert."""
    n = len(marks)
    series = [(name, points) for name, points in series if any(point is not None for point in points)]
    if n < 1 or not series:
        return ""
    left, right, high, low = 56.0, WIDTH - 12.0, 14.0, 190.0

    def x(index: int) -> float:
        return left + (right - left) * (index / (n - 1) if n > 1 else 0.5)

    def y(value: float) -> float:
        return low - (low - high) * min(max(value / top, 0.0), 1.0)

    parts = [f'<rect class="frame" x="{left}" y="{high}" width="{right - left}" height="{low - high}"/>']
    parts += [
        _text(left - 8, y(top * share) + 4, f"{100 * top * share:.0f} %", "end", "small") for share in (0.0, 0.5, 1.0)
    ]
    for number, (name, points) in enumerate(series):
        kind = ("", " second")[number % 2]
        parts += _band(points, x, y, kind) + _path(points, x, y, kind)
        parts.append(_text(left + 200 * number + 14, low + 48, name, "start", f"small key{kind}"))
        parts.append(
            f'<line class="line{kind}" x1="{left + 200 * number - 6}" x2="{left + 200 * number + 8}" y1="{low + 44}" y2="{low + 44}"/>'
        )
    parts += [f'<path class="mark" d="M{x(i):.1f} {low + 4} l5 9 h-10 z"/>' for i, alert in enumerate(marks) if alert]
    parts += [
        _text(left, low + 28, "oldest window", "start", "small"),
        _text(right, low + 28, "newest", "end", "small"),
    ]
    return _svg(low + 58, title, parts)


def _path(
    points: Sequence[Point | None], x: Callable[[int], float], y: Callable[[float], float], kind: str
) -> list[str]:
    there = [(x(i), y(point[0])) for i, point in enumerate(points) if point is not None]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in there)
    dots = (
        [f'<circle class="dot best{kind}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in there]
        if len(there) <= 40
        else []
    )
    return [f'<polyline class="line{kind}" points="{line}"/>', *dots]


def _band(
    points: Sequence[Point | None], x: Callable[[int], float], y: Callable[[float], float], kind: str
) -> list[str]:
    there = [
        (x(i), y(p[1]), y(p[2]))
        for i, p in enumerate(points)
        if p is not None and p[1] is not None and p[2] is not None
    ]
    if len(there) < 2:
        return []
    around = [f"{a:.1f},{b:.1f}" for a, b, _ in there] + [f"{a:.1f},{c:.1f}" for a, _, c in reversed(there)]
    return [f'<polygon class="band{kind}" points="{" ".join(around)}"/>']
