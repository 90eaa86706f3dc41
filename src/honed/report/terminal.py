"""Results as text for a terminal: short, plain, readable without colour and at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid
from rich.text import Text

from honed.errors import HonedError
from honed.evaluation.results import Estimate, Evaluation, RungResult, RunReport, Verdict
from honed.finding import Finding, by_level
from honed.media.registry import medium_of
from honed.report.inspection import Inspection
from honed.report.words import cell, figure, interval, shortened
from honed.tasks.judging import Detail
from honed.tasks.registry import get_task
from honed.wording import counted, duration, shown_title

LEVEL_STYLE = {"blocker": "bold red", "issue": "yellow", "tip": "cyan", "passed": "green", "not applicable": "dim"}
VERDICT_STYLE = {
    "ship": "bold green",
    "ship with care": "bold yellow",
    "do not ship": "bold red",
    "cannot tell": "bold magenta",
}
BAR = 16
LONG_ENOUGH = 12
"""Shorter examples, such as a masked address, tell nothing that the sentence does not."""


def print_error(console: Console, error: HonedError) -> None:
    """One error: code, what was seen, what to do, where to read."""
    console.print(Text(str(error), style="red"), soft_wrap=True)


def heading(console: Console, text: str) -> None:
    """A heading with an empty line before it."""
    console.print()
    console.print(Text(text, style="bold"))


def grid_of(*columns: tuple[str, str]) -> Grid:
    grid = Grid(box=None, pad_edge=False, show_header=any(name for name, _ in columns), header_style="dim")
    for name, justify in columns:
        grid.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return grid


def print_inspection(console: Console, inspection: Inspection) -> None:
    """What was read, which part each column plays, what was noticed, how rows would be divided, what to type next."""
    read = ", ".join(f"{key} {value}" for key, value in inspection.reading.items() if key != "format")
    kind = inspection.reading.get("format", "")
    heading(console, f"{inspection.source}: {inspection.n_rows:,} rows, {inspection.n_columns} columns")
    console.print(f"read as {kind}" + (f" ({read})" if read else ""), style="dim", markup=False)
    grid = grid_of(("column", "left"), ("part", "left"), ("why", "left"))
    for column in inspection.columns[:30]:
        grid.add_row(escape(shortened(column.name, 24)), column.role, escape(column.why))
    console.print(grid)
    if len(inspection.columns) > 30:
        console.print(f"... and {len(inspection.columns) - 30:,} more columns", style="dim")
    _print_problem(console, inspection)
    print_findings(console, inspection.findings)
    if inspection.split:
        heading(console, "How the rows would be divided")
        console.print(escape(inspection.split))


def _print_problem(console: Console, inspection: Inspection) -> None:
    """What is to be predicted: the labels and how many rows have each, or that it is a number or a text."""
    if not inspection.kind:
        return
    if not inspection.labels:
        what = "A text is to be written" if inspection.kind == "text" else "A number is to be predicted"
        heading(console, f'{what}: "{inspection.roles.target}"')
        return
    several = ", a row may have several" if inspection.kind == "multilabel" else ""
    heading(console, f"{len(inspection.labels):,} labels{several}")
    top = ", ".join(f"{shortened(label, 24)} ({n:,})" for label, n in inspection.labels[:8])
    more = f", and {len(inspection.labels) - 8:,} more" if len(inspection.labels) > 8 else ""
    console.print(escape(top + more))


def print_findings(console: Console, findings: Sequence[Finding], *, most: int = 12) -> None:
    """Findings, the gravest first, each with what to do; those that passed in one line."""
    told = [finding for finding in by_level(list(findings)) if finding.level in ("blocker", "issue", "tip")]
    heading(console, counted(len(told), "finding") if told else "No findings: the data looks sound")
    grid = grid_of(("", "left"), ("", "left"), ("", "left"))
    for finding in told[:most]:
        text = Text(finding.message)
        if finding.level != "tip":
            text.append("\n" + " ".join(filter(None, (finding.remedy, _rows(finding)))), style="dim")
            if finding.examples and len(finding.examples[0]) >= LONG_ENOUGH:
                text.append("\nFor example: " + _one_line(finding.examples[0]), style="dim")
        grid.add_row(Text(finding.level, style=LEVEL_STYLE[finding.level]), Text(finding.code, style="dim"), text)
    if told:
        console.print(grid)
    if len(told) > most:
        console.print(f"... and {len(told) - most} more in the report", style="dim")
    passed = [finding.message.rstrip(".") for finding in findings if finding.level == "passed"]
    if passed:
        console.print(Text(f"passed  {'. '.join(dict.fromkeys(passed))}.", style="green"))


def _one_line(example: str) -> str:
    return shortened(" ".join(example.replace("\x1f", " | ").split()), 150)


def _rows(finding: Finding) -> str:
    if not finding.rows:
        return ""
    more = ", ..." if max(finding.n_rows, len(finding.rows)) > 5 else ""
    return f"({'row' if len(finding.rows) == 1 else 'rows'} {', '.join(map(str, finding.rows[:5]))}{more})"


def rung_line(rung: RungResult, unit: str) -> Text:
    """One rung as a line: a bar, the score, its interval, and what it cost."""
    name = shortened(shown_title(rung.title), 40)
    if rung.score is None:
        return Text(f"  {name:<41} {rung.status}: {rung.note}", style="dim")
    share = rung.score.value if unit == "%" else 0.0
    bar = "█" * round(share * BAR) + "░" * (BAR - round(share * BAR)) if unit == "%" else ""
    mark = "▲" if rung.best else " "
    text = f"{mark} {name:<41} {bar} {figure(rung.score.value, unit):>7} ({interval(rung.score, unit)}) {duration(rung.seconds):>8}"
    return Text(text, style="bold" if rung.best else "default")


def print_ladder(console: Console, rungs: Sequence[RungResult], metric: str, unit: str) -> None:
    """The ladder as it was climbed."""
    heading(console, f"The ladder ({metric} on rows held out for choosing, 95 % interval, time)")
    for rung in rungs:
        console.print(rung_line(rung, unit), soft_wrap=True)


def print_verdict(console: Console, verdict: Verdict) -> None:
    """The verdict with its reasons."""
    heading(console, "Verdict")
    console.print(Text(verdict.answer.upper(), style=VERDICT_STYLE[verdict.answer]))
    console.print(Text(verdict.headline))
    grid = grid_of(("", "left"), ("", "left"))
    for reason in verdict.reasons:
        grid.add_row(" -", Text(reason))
    console.print(grid)
    console.print(Text(verdict.power, style="dim"))


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Verdict, metrics beside the baselines, the weakest labels and parts, and the most confident mistakes."""
    print_verdict(console, evaluation.verdict)
    heading(console, f"Measured on {counted(evaluation.n_used, evaluation.unit)} of {evaluation.data_source}")
    names = list(evaluation.metrics[0].baselines)
    grid = grid_of(("", "left"), ("model", "right"), ("95 % interval", "right"), *((name, "right") for name in names))
    for metric in evaluation.metrics:
        others = [
            figure(metric.baselines[name].value, metric.unit) if name in metric.baselines else "–" for name in names
        ]
        grid.add_row(
            metric.title, figure(metric.model.value, metric.unit), interval(metric.model, metric.unit), *others
        )
    console.print(grid)
    unit = evaluation.metrics[0].unit
    _weakest(console, evaluation)
    for detail in evaluation.details:
        _print_detail(console, detail)
    if evaluation.robustness:
        heading(console, "After edits that should change nothing")
        grid = grid_of(("", "left"), (evaluation.metrics[0].title, "right"), ("answers changed (95 %)", "right"))
        for row in evaluation.robustness:
            grid.add_row(row.title, figure(row.score.value, unit), _with_interval(row.changed))
        console.print(grid)
    _print_doubt(console, evaluation)
    for part in [part for part in evaluation.slices if part.significant][:5]:
        console.print(f"  {part.name}: {figure(part.score.value, unit)} on {part.n} rows", markup=False)
    print_findings(console, [f for f in evaluation.findings if f.code.startswith("E")]) if evaluation.findings else None


def _print_detail(console: Console, detail: Detail) -> None:
    """A table that only answers of one kind have."""
    heading(console, detail.title)
    grid = grid_of((detail.columns[0], "left"), *((name, "right") for name in detail.columns[1:]))
    for row in detail.rows:
        grid.add_row(*(cell(value) for value in row))
    console.print(grid)
    if detail.note:
        console.print(Text(f"  {detail.note}", style="dim"))


def _with_interval(share: Estimate) -> str:
    return f"{figure(share.value, '%')} ({interval(share, '%')})"


def _print_doubt(console: Console, evaluation: Evaluation) -> None:
    """How many rows get an answer, and how many inputs on other subjects do not."""
    found = evaluation.abstention
    if found is None:
        return
    heading(console, 'Saying "I don\'t know" (95 % interval)')
    console.print(f"  {_with_interval(found.coverage)} of the rows get an answer", markup=False)
    if found.out_of_scope_flagged is not None:
        told = (
            f"  {_with_interval(found.out_of_scope_flagged)} of {found.out_of_scope_n} "
            f"{medium_of(evaluation.medium).many} on other subjects get none"
        )
        console.print(told, markup=False)


def _weakest(console: Console, evaluation: Evaluation) -> None:
    rows = sorted((row for row in evaluation.per_class if row.support), key=lambda row: row.f1.value)
    if len(rows) < 2:
        return
    shown = rows if len(rows) <= 10 else rows[:5]
    heading(console, "Label by label" if len(rows) <= 10 else f"The weakest 5 of {len(rows)} labels")
    grid = grid_of(("", "left"), ("rows", "right"), ("precision", "right"), ("recall", "right"), ("F1 (95 %)", "right"))
    for row in shown:
        f1 = f"{figure(row.f1.value, '%')} ({interval(row.f1, '%')})"
        grid.add_row(
            shortened(row.label, 30),
            str(row.support),
            figure(row.precision.value, "%"),
            figure(row.recall.value, "%"),
            f1,
        )
    console.print(grid)


def print_run(console: Console, report: RunReport, folder: Path) -> None:
    """The end of a run: verdict, where everything lies, what to type next."""
    if report.evaluation:
        print_verdict(console, report.evaluation.verdict)
    else:
        heading(console, "Verdict")
        console.print(Text("CANNOT TELL", style=VERDICT_STYLE["cannot tell"]))
        console.print("There were too few rows to keep any back for a test.")
    heading(console, f"Done in {duration(report.seconds)}")
    grid = grid_of(("", "left"), ("", "left"))
    grid.add_row("report", escape(str(folder / "report.html")))
    grid.add_row("model", escape(str(folder / "model")))
    console.print(grid)
    heading(console, "Next")
    new, labelled = get_task(report.task).rows_named
    console.print(f"  honed predict {folder}/model {new} --out answers.csv", markup=False, soft_wrap=True)
    console.print(f"  honed evaluate {folder}/model {labelled}", markup=False, soft_wrap=True)
    console.print(f"  honed sign {folder}/model --key my.pem --new-key", markup=False, soft_wrap=True)


def print_models(console: Console, entries: Sequence[Any]) -> None:
    """The zoo; names are never broken, so that they can be copied."""
    grid = Grid(box=None, pad_edge=False, header_style="dim")
    grid.add_column("base", no_wrap=True)
    grid.add_column("licence", no_wrap=True)
    grid.add_column("MiB", justify="right")
    grid.add_column("where", no_wrap=True)
    grid.add_column("good for")
    for entry in entries:
        grid.add_row(entry.id, entry.licence, f"{entry.size_mib:,.0f}", entry.status, entry.good_for)
    console.print(grid)
