"""``honed evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from honed.cli import edge, flags


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    model: flags.Bundle,
    data: flags.Data,
    group: flags.Group = None,
    html: Annotated[Path | None, typer.Option(help="Also write the result as a page.")] = None,
    as_json: flags.Json = False,
) -> None:
    """Measure a packaged model on rows whose answers are known, and say whether it may go to production."""
    from honed.verbs.evaluate import evaluate as measure

    found = measure(model, data, group=group, progress=edge.bars())
    if html:
        from honed.files import whole_file
        from honed.report.html import evaluation_page

        with whole_file(html) as temporary:
            temporary.write_text(evaluation_page(found), encoding="utf-8")
    if as_json:
        edge.print_json(found.as_dict())
        return
    from honed.report.terminal import print_evaluation

    print_evaluation(edge.out(), found)
