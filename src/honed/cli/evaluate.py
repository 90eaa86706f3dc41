"""``honed evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from honed.cli import edge, flags


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


Judged = Annotated[
    str,
    typer.Argument(
        help="Folder of a packaged model, such as runs/NAME/model, or a decoder (hub format, GGUF, llama2.c).",
        show_default=False,
    ),
]
On = Annotated[
    str,
    typer.Argument(
        help="Rows whose answers are known; for a decoder also a text, a folder of texts, or questions with choices.",
        show_default=False,
    ),
]


def evaluate(
    model: Judged,
    data: On,
    group: flags.Group = None,
    learnt_from: Annotated[
        str | None,
        typer.Option(help="Text or rows it was trained on: what has it by heart? Known for runs of pretrain."),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(help="Texts like the test that a decoder cannot have been trained on, to compare the test with."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the result as a page.")] = None,
    as_json: flags.Json = False,
) -> None:
    """Measure a packaged model on rows whose answers are known, and say whether it may go to production."""
    from honed.verbs.evaluate import evaluate as measure

    found = measure(model, data, group=group, learnt_from=learnt_from, control=control, progress=edge.bars())
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
