"""The command line: a command parses, calls the verb, and prints."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from honed import __version__
from honed.cli import engines, evaluate, export, finetune, inspect, misc, monitor, predict, pretrain, serve
from honed.cli.edge import run_safely
from honed.threads import surroundings

app = typer.Typer(
    name="honed",
    help="Pre-trained models, fine-tuned on your own data and carefully evaluated. Nothing leaves this machine that you did not send.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"honed {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for module in (inspect, pretrain, finetune, evaluate, predict, engines, export, monitor, serve, misc):
    module.register(app)


def main() -> None:
    """Entry point: coded errors become one sentence and exit code 2, Ctrl-C exit code 130."""
    os.environ.update(surroundings(os.environ))
    sys.exit(run_safely(app))
