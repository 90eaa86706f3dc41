"""``honed export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from honed.cli import edge, flags


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    bundle: flags.Bundle,
    to: Annotated[
        str | None, typer.Option(help="onnx, onnx-int8, openvino, openvino-int8, transformers or mlflow.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write.")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Rows to check the export or the engines on; with labels the loss of accuracy is measured."),
    ] = None,
    deploy: Annotated[
        Path | None, typer.Option(help="Folder for a systemd unit and a Dockerfile that serve the model.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the server, with --deploy.")] = 8000,
    engine: Annotated[str, typer.Option(help="Engine of the server, with --deploy.")] = "auto",
    as_json: flags.Json = False,
) -> None:
    """Write a model for other runtimes, or all that a machine needs to serve it."""
    from honed.errors import ConfigError

    if (to is None) != (out is None) or (to is None and deploy is None):
        seen = "Pass --to with --out, or --deploy."
        raise ConfigError("C012", seen, "For example: honed export MODEL --to onnx --out exported.")
    if deploy is not None:
        from honed.verbs.export import deploy as write

        place = write(bundle, deploy, port=port, engine=engine, data=data, progress=edge.bars())
        print(f"Written: {place}. Its README.md says what to do.")
    if to is None or out is None:
        return
    from honed.verbs.export import export as write_export

    found = write_export(bundle, to, out, data=data, progress=edge.bars())
    if as_json:
        edge.print_json(found.as_dict())
        return
    from honed.report.engines import print_export

    print_export(edge.out(), found)
