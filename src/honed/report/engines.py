"""The table of engines and the result of an export on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

from honed.engines.results import EngineChoice, EngineResult
from honed.exporting.results import ExportReport

SOURCES = {
    "yours": "your rows",
    "validation": "the rows the run held out for choosing",
    "carried": "rows that are not here; what was measured of them came with the bundle",
    "none": "no rows; pass --data with labelled rows, and faster engines can be considered",
}


def print_engines(console: Console, choice: EngineChoice) -> None:
    """Every engine with its time, speed, loss and the reason why it may be used or not."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for name, side in (
        ("engine", "left"),
        ("one request", "right"),
        ("rows/s", "right"),
        ("loss", "right"),
        ("", "left"),
    ):
        grid.add_column(name, justify=side, no_wrap=name != "")  # type: ignore[arg-type]
    for row in choice.engines:
        grid.add_row(*_cells(row, choice.chosen), style="bold" if row.name == choice.chosen else None)
    console.print(grid)
    where = f"{choice.rows:,} of {SOURCES[choice.rows_source]}" if choice.rows else SOURCES[choice.rows_source]
    purpose = "one request at a time" if choice.use == "single" else "files of many rows"
    told = f"\nFor {purpose} on this machine: {choice.chosen}. Answers compared on {where}."
    console.print(told, markup=False, soft_wrap=True)


def _cells(row: EngineResult, chosen: str) -> tuple[str, ...]:
    ms = f"{row.single_ms:.1f} ms" if row.single_ms is not None else "-"
    speed = f"{row.rows_per_s:,.0f}" if row.rows_per_s is not None else "-"
    loss = (
        "-" if row.loss_points is None else f"{row.loss_points:+.2f}" if row.measured else f"<= {row.loss_points:.2f}"
    )
    mark = "chosen: " if row.name == chosen else f"{row.state}: " if row.state != "accepted" else ""
    return row.name, ms, speed, loss, mark + row.reason


def print_export(console: Console, report: ExportReport) -> None:
    """Where an export lies and what its check found."""
    size = sum(path.stat().st_size for path in Path(report.folder).rglob("*") if path.is_file()) / 2**20
    console.print(f"Written: {report.folder}, {report.title}, {size:.0f} MiB", markup=False, soft_wrap=True)
    told = f"In a fresh process without Honed {100 * report.changed:.2f} % of {report.rows:,} answers differ from the model's"
    if report.loss_points is not None:
        told += f"; {report.metric} {0.0 - report.loss_points:+.2f} points"
    console.print(f"{told}. Its README.md shows how to run it.", markup=False, soft_wrap=True)
