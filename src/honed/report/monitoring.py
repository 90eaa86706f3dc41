"""What monitoring found, for the terminal and as one self-contained page with plots over time."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from honed.evaluation.results import Estimate
from honed.monitoring.results import Monitoring, Window
from honed.report import plots
from honed.report.html import template
from honed.report.plots import Point
from honed.report.terminal import grid_of, heading
from honed.report.words import figure, interval, shortened
from honed.wording import counted

STYLES = {"ok": "bold green", "alert": "bold red", "too early": "bold magenta"}
TONES = {"ok": "good", "alert": "bad", "too early": "unsure"}
SHOWN_WINDOWS, PLOTTED_WINDOWS, PLOTTED_LABELS = 6, 200, 6


def print_monitoring(console: Console, result: Monitoring) -> None:
    """State first, then alerts, figures, what to do, and what cannot be seen."""
    heading(
        console,
        f"{result.model} {result.version}: {counted(result.n_rows, 'row')} of {result.source}, looked at by {result.window}",
    )
    console.print(Text(result.state.upper(), style=STYLES[result.state]))
    console.print(escape(result.headline))
    if result.alerts:
        heading(console, "What changed")
        grid = grid_of(("", "left"), ("seen", "left"), ("", "left"))
        for alert in result.alerts:
            when = f"since {alert.since[:16]}" + ("" if alert.current else ", not at the last look")
            grid.add_row(Text(alert.code, style="dim"), escape(when), escape(alert.message))
        console.print(grid)
    _print_figures(console, result)
    _print_windows(console, result.windows)
    if result.examples:
        heading(console, "Rows the model was least sure of (personal data masked)")
        for example in result.examples:
            console.print(escape(f"- {shortened(example, 120)}"))
    for title, lines in (("What to do", result.advice), ("What this cannot see", result.limits)):
        if lines:
            heading(console, title)
            for line in lines:
                console.print(escape(f"- {line}"))


def _print_figures(console: Console, result: Monitoring) -> None:
    heading(console, "How right it is")
    then = result.reference.get("share_right")
    when_made = f"; {figure(then, '%')} when it was made" if then is not None else ""
    if result.expected is not None:
        console.print(escape(f"Judged by its confidence: {_told(result.expected)} of the newest window{when_made}"))
    if result.real is not None:
        console.print(
            escape(
                f"Where the truth is known: {_told(result.real)} of the newest {counted(min(1000, result.n_labelled), 'labelled row')}"
            )
        )
    for metric in result.metrics:
        console.print(
            escape(
                f"  {metric.title}: {figure(metric.model.value, metric.unit)} ({interval(metric.model, metric.unit)})"
            ),
            style="dim",
        )
    if result.expected is None and result.real is None and not result.metrics:
        console.print("Not known: no labels, and no confidence to judge by.")


def _told(estimate: Estimate) -> str:
    return f"{figure(estimate.value, '%')} ({interval(estimate, '%')})"


def _print_windows(console: Console, windows: list[Window]) -> None:
    if not windows:
        return
    heading(console, "Newest windows")
    grid = grid_of(
        ("window", "right"),
        ("until", "left"),
        ("rows", "right"),
        ("unsure", "right"),
        ("furthest", "right"),
        ("estimate", "right"),
        ("alerts", "left"),
    )
    for window in windows[-SHOWN_WINDOWS:]:
        estimate = figure(window.estimated.value, "%") if window.estimated else "–"
        fired = ", ".join(dict.fromkeys(check.code for check in window.checks)) or (
            "" if window.complete else "not yet full"
        )
        grid.add_row(
            str(window.number),
            window.end[:16],
            f"{window.n:,}",
            figure(window.unsure, "%"),
            figure(window.distance, "%"),
            estimate,
            fired,
        )
    console.print(grid)


def monitoring_page(result: Monitoring) -> str:
    """The result as a page."""
    from markupsafe import Markup

    windows = result.windows[-PLOTTED_WINDOWS:]
    marks = [bool(window.checks) for window in windows]
    page: str = template("monitoring.html").render(
        result=result,
        tone=TONES[result.state],
        title=f"Honed: {result.model}",
        windows=windows,
        drawn=[(name, Markup(svg)) for name, svg in drawings(windows, marks)],
    )
    return page


def drawings(windows: list[Window], marks: list[bool]) -> list[tuple[str, str]]:
    """Plots over time as (title, SVG)."""
    right: list[tuple[str, list[Point | None]]] = [
        ("judged by confidence", [_point(window.estimated) for window in windows]),
        ("where the truth is known", [_point(window.real) for window in windows]),
    ]
    sure: list[tuple[str, list[Point | None]]] = [
        (
            "mean confidence",
            [None if window.confidence is None else (window.confidence, None, None) for window in windows],
        ),
        ("share unsure", [(window.unsure, None, None) for window in windows]),
    ]
    far: list[tuple[str, list[Point | None]]] = [
        ("largest distance", [(window.distance, None, None) for window in windows])
    ]
    top = min(1.0, max([0.2, *(window.distance for window in windows)]))
    found = [
        ("Share of right answers", plots.timeline(right, marks, "Share of right answers over time")),
        ("How sure it is", plots.timeline(sure, marks, "Confidence over time")),
        (
            "Distance of rows and answers from those it was made with",
            plots.timeline(far, marks, "Distance over time", top),
        ),
        *_label_plots(windows, marks),
    ]
    return [(title, drawn) for title, drawn in found if drawn]


def _label_plots(windows: list[Window], marks: list[bool]) -> list[tuple[str, str]]:
    """The labels whose shares moved most."""
    if not windows or not windows[0].labels:
        return []
    spread = {
        label: max(w.labels.get(label, 0.0) for w in windows) - min(w.labels.get(label, 0.0) for w in windows)
        for label in windows[0].labels
    }
    most = sorted(spread, key=lambda label: -spread[label])[:PLOTTED_LABELS]
    pairs = [most[i : i + 2] for i in range(0, len(most), 2)]
    found = []
    for pair in pairs:
        series = [(shortened(label, 26), [(w.labels.get(label, 0.0), None, None) for w in windows]) for label in pair]
        found.append(
            (
                f"Share of answers: {', '.join(shortened(label, 30) for label in pair)}",
                plots.timeline(series, marks, "Shares of answers over time"),
            )
        )
    return found


def _point(estimate: Estimate | None) -> Point | None:
    return None if estimate is None else (estimate.value, estimate.low, estimate.high)
