"""``honed engines``."""

from __future__ import annotations

from typing import Annotated

import typer

from honed.cli import edge, flags


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("engines")(engines)


def engines(
    bundle: flags.Bundle,
    data: Annotated[
        str | None,
        typer.Option(help="Rows to compare answers on, best with their labels; the run's own when left out."),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Pick for files of many rows, not for single requests.")
    ] = False,
    max_loss: Annotated[float, typer.Option(help="Points of the deciding metric an engine may lose.")] = 0.3,
    again: Annotated[bool, typer.Option("--again", help="Measure anew even if a choice is remembered.")] = False,
    as_json: flags.Json = False,
) -> None:
    """Measure what can compute a model here, and say which is fastest without losing accuracy."""
    from honed.engines.choose import choose
    from honed.model import Model

    found = choose(
        Model.load(bundle), data, use="batch" if batch else "single", max_loss_points=max_loss, again=again,
        progress=edge.bars(),
    )  # fmt: skip
    if as_json:
        edge.print_json(found.as_dict())
        return
    from honed.report.engines import print_engines

    print_engines(edge.out(), found)
