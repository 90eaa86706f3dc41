"""Flags that several commands have, each with one meaning everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str,
    typer.Argument(help="CSV, TSV, JSON lines, Parquet or Excel file, or a folder of pictures.", show_default=False),
]
Bundle = Annotated[str, typer.Argument(help="Folder of a packaged model, such as runs/NAME/model.", show_default=False)]
Target = Annotated[str | None, typer.Option(help="Column to predict; found by itself when left out.")]
Task = Annotated[
    str | None, typer.Option(help="What is to be learnt, such as object-detection; told by the data when left out.")
]
Text = Annotated[list[str] | None, typer.Option(help="Column to read; twice for a pair.")]
Time = Annotated[
    str | None, typer.Option(help="Column that says when a row happened; the newest rows become the test.")
]
Group = Annotated[list[str] | None, typer.Option(help="Column whose groups are compared; may be repeated.")]
Entity = Annotated[str | None, typer.Option(help="Column that says whom a row belongs to.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any other setting, as name=value; may be repeated.")]
Engine = Annotated[
    str, typer.Option(help="What computes the answers: a name of `honed engines`, or auto for the fastest that agrees.")
]
TimeLimit = Annotated[str | None, typer.Option(help="Time for everything, such as 90s, 10m or 1.5h.")]
Name = Annotated[str | None, typer.Option(help="Name of the run; that of the file when left out.")]
Out = Annotated[Path, typer.Option(help="Folder in which runs are kept.")]
Config = Annotated[Path | None, typer.Option(help="YAML file with settings.")]
Resume = Annotated[Path | None, typer.Option(help="Folder of an interrupted run that is to go on.")]
