"""``honed inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from honed.cli import edge, flags


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("inspect")(inspect)


def inspect(
    data: flags.Data,
    target: flags.Target = None,
    text: flags.Text = None,
    task: flags.Task = None,
    time: flags.Time = None,
    group: flags.Group = None,
    entity: flags.Entity = None,
    html: Annotated[Path | None, typer.Option(help="Also write the result as a page.")] = None,
    as_json: flags.Json = False,
    changes: flags.Set = None,
) -> None:
    """Look at data and say everything that is wrong with it, at once."""
    from honed.report.terminal import heading, print_inspection
    from honed.verbs.inspect import inspect as look

    found = look(
        data, target=target, text=text, task=task, time=time, group=group, entity=entity,
        settings=edge.settings_of(changes or []), progress=edge.bars(),
    )  # fmt: skip
    if html:
        from honed.files import whole_file
        from honed.report.html import inspection_page

        with whole_file(html) as temporary:
            temporary.write_text(inspection_page(found), encoding="utf-8")
    if as_json:
        edge.print_json(found.as_dict())
    else:
        console = edge.out()
        print_inspection(console, found)
        heading(console, "Next")
        target_flag = f" --target {target}" if target else ""
        console.print(
            f"  honed finetune {data}{target_flag}" if not found.blocked else "  Mend the blockers.",
            markup=False,
            soft_wrap=True,
        )
    if found.blocked:
        raise typer.Exit(2)
