"""``honed pretrain``."""

from __future__ import annotations

import time as clock
from pathlib import Path
from typing import Annotated, Any

import typer

from honed.cli import edge, flags


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("pretrain")(pretrain)


def pretrain(
    data: Annotated[
        str | None,
        typer.Argument(help="Text file, folder of text files, or table with a column of text.", show_default=False),
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="characters, bytes or bpe; chosen by the length of the text when left out.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Column of text of a table; found by itself when left out.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Decoder that goes on learning; left out, it begins from nothing.")
    ] = None,
    replay: Annotated[
        str | None, typer.Option(help="Older text that the base reads along, so that less of it is forgotten.")
    ] = None,
    time_limit: flags.TimeLimit = None,
    name: flags.Name = None,
    out: flags.Out = Path("runs"),
    config: flags.Config = None,
    changes: flags.Set = None,
    resume: flags.Resume = None,
    as_json: flags.Json = False,
) -> None:
    """Train a text-generation base on your own text: from nothing, of the size that fits the time, or going on from a base."""
    from honed.verbs.pretrain import pretrain as learn

    begin, console = clock.time(), edge.err() if as_json else edge.out()
    try:
        result = learn(
            data, tokenizer=tokenizer, text=text, base=base, replay=replay, time_limit=time_limit, name=name, out=out, config=config,
            settings=edge.settings_of(changes or []), resume=resume, progress=edge.bars(), on_choices=_printer(console),
        )  # fmt: skip
    except KeyboardInterrupt:
        edge.tell_stopped(console, "pretrain", out, resume, begin, "model/config.json")
        raise
    if as_json:
        edge.print_json(result.report.as_dict())
        return
    from honed.report.pretraining import print_pretraining

    print_pretraining(console, result.report, result.folder)


def _printer(console: Any) -> Any:
    def show(choices: Any) -> None:
        from honed.report.pretraining import print_choices

        print_choices(console, choices)

    return show
