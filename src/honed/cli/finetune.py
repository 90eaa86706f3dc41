"""``honed finetune``."""

from __future__ import annotations

import time as clock
from pathlib import Path
from typing import Annotated, Any

import typer

from honed.cli import edge, flags


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("finetune")(finetune)


def finetune(
    data: Annotated[
        str | None,
        typer.Argument(
            help="CSV, TSV, JSON lines, Parquet or Excel file, or a folder of pictures.", show_default=False
        ),
    ] = None,
    target: flags.Target = None,
    text: flags.Text = None,
    task: flags.Task = None,
    base: Annotated[str | None, typer.Option(help="Pre-trained model: a name of `honed models` or a folder.")] = None,
    time_limit: flags.TimeLimit = None,
    cost: Annotated[
        list[str] | None, typer.Option(help="How much worse it is to miss a label, as label=5; may be repeated.")
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="File with rows for the final evaluation; some are kept back when left out.")
    ] = None,
    time: flags.Time = None,
    group: flags.Group = None,
    entity: flags.Entity = None,
    name: flags.Name = None,
    out: flags.Out = Path("runs"),
    config: flags.Config = None,
    changes: flags.Set = None,
    resume: flags.Resume = None,
    as_json: flags.Json = False,
) -> None:
    """Climb from the cheapest method to the best model, evaluate it, and package it."""
    from honed.verbs.finetune import finetune as climb

    begin, console = clock.time(), edge.err() if as_json else edge.out()
    watcher = _Watcher(console)
    try:
        result = climb(
            data, target=target, text=text, task=task, base=base, time_limit=time_limit,
            costs=edge.costs_of(cost or []), test=test, time=time,
            group=group, entity=entity, name=name, out=out, config=config, settings=edge.settings_of(changes or []), resume=resume,
            progress=edge.bars(), on_prepared=watcher.prepared, on_rung=watcher.rung,
        )  # fmt: skip
    except KeyboardInterrupt:
        edge.tell_stopped(console, "finetune", out, resume, begin, "model/manifest.json")
        raise
    if as_json:
        edge.print_json(result.report.as_dict())
        return
    from honed.report.terminal import print_run

    watcher.finished(result.report.findings)
    print_run(console, result.report, result.folder)


class _Watcher:
    """Prints findings before the climb and every rung as it is reached."""

    def __init__(self, console: Any) -> None:
        self.console, self.unit = console, "%"
        self.known: list[Any] = []

    def prepared(self, prepared: Any) -> None:
        from honed.report.terminal import heading, print_findings

        problem = prepared.problem
        heading(self.console, f"{prepared.table.source}: {prepared.table.n_rows:,} rows")
        if problem:
            labels = f", {len(problem.labels)} labels" if problem.labels else ""
            reads = " and ".join(f'"{column}"' for column in problem.inputs)
            self.console.print(
                f'Learns to tell "{problem.target}" ({problem.kind}{labels}) from {reads}.', markup=False
            )
            self.unit = prepared.task.metrics(problem)[0].unit
            self.console.print(
                prepared.split.description[:1].upper() + prepared.split.description[1:] + ".", markup=False, style="dim"
            )
        self.known = prepared.findings
        print_findings(self.console, prepared.findings, most=8)
        if problem:
            metric = prepared.task.metrics(problem)[0].title
            heading(self.console, f"The ladder: {metric} on rows held out for choosing, 95 % interval, time")

    def finished(self, findings: list[Any]) -> None:
        """What was noticed only after learning."""
        from honed.report.terminal import print_findings

        new = [finding for finding in findings if finding not in self.known and finding.level in ("issue", "tip")]
        if new:
            print_findings(self.console, new)

    def rung(self, rung: Any) -> None:
        from honed.report.terminal import rung_line

        self.console.print(rung_line(rung, self.unit), soft_wrap=True)
