"""``honed predict``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from honed.cli import edge, flags
from honed.wording import counted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict")(predict)


Model = Annotated[
    str,
    typer.Argument(
        help="Folder of a packaged model, such as runs/NAME/model. With --examples also any decoder: a folder in hub format, a "
        "GGUF file, a hub name, or https://host/v1#model.",
        show_default=False,
    ),
]


def predict(
    model: Model,
    data: Annotated[
        str | None, typer.Argument(help="File to predict; - is standard input.", show_default=False)
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A text to predict, instead of a file; may be repeated.")
    ] = None,
    out: Annotated[str, typer.Option(help="File to write (.csv, .parquet, .jsonl); - is standard output.")] = "-",
    format: Annotated[str | None, typer.Option(help="csv, parquet or jsonl, when the ending does not tell.")] = None,
    keep: Annotated[str, typer.Option(help="Columns of the input to keep: all, id or none.")] = "all",
    engine: flags.Engine = "torch-fp32",
    examples: Annotated[
        str | None, typer.Option(help="Rows with their answers, shown to a decoder with each row (few-shot).")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column of the answers in the examples, where it is not clear.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="A label that may be answered; repeated for each.")] = None,
    schema: Annotated[str | None, typer.Option(help="JSON schema of answers that are objects.")] = None,
    shots: Annotated[
        int | None, typer.Option(help="Examples shown with each row: 0, 1, ...; as many as fit when left out.")
    ] = None,
    instruction: Annotated[str | None, typer.Option(help="Said to the decoder before everything.")] = None,
    show_prompt: Annotated[
        bool, typer.Option("--show-prompt", help="Print what the decoder reads for the first row.")
    ] = False,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Send rows to the address, personal data masked.")
    ] = False,
    max_cost: Annotated[float | None, typer.Option(help="Cost at which to stop asking an address.")] = None,
    beside: Annotated[
        str | None,
        typer.Option(help="Packaged model whose right answers are counted beside, where the data hold the truth."),
    ] = None,
    changes: flags.Set = None,
) -> None:
    """Predict a file of any size, standard input, or a few texts; with --examples by a decoder that is shown them."""
    from honed.cli import few_shot
    from honed.engines.prepare import engine_of
    from honed.errors import ConfigError
    from honed.prediction import predict_file

    if keep not in ("all", "id", "none"):
        raise ConfigError("C003", f'--keep is "{keep}".', "It may be all, id, none.")
    if (data is None) == (text is None):
        raise ConfigError(
            "C012", "Pass either a file or --text.", "For example: honed predict MODEL new.csv --out answers.csv."
        )
    settings = edge.settings_of(changes or [])
    given = {"shots": shots, "instruction": instruction, "remote.max_cost": max_cost}
    settings |= {name: value for name, value in given.items() if value is not None}
    asked = few_shot.Asked(examples, target, label or [], schema, settings, show_prompt, allow_remote, beside)
    if asked.wanted(model):
        asked.settings |= few_shot.engine_settings(model, engine, asked.settings)
        few_shot.answer(model, data, text, out, format, keep, asked)
        return
    loaded = _loaded(model, engine)
    source = (
        data
        if text is None
        else [dict.fromkeys(loaded.problem.inputs, "") | {loaded.problem.inputs[0]: one} for one in text]
    )
    summary = predict_file(loaded, source, out, format=format, keep=keep, progress=edge.bars())  # type: ignore[arg-type]
    console = edge.err()
    common = ", ".join(f"{label} {n:,}" for label, n in summary.answers.most_common(5) if loaded.problem.labels)
    told = f"{counted(summary.n_rows, 'row')} in {summary.seconds:.1f} s; {summary.n_unsure:,} unsure"
    told += f", {summary.n_empty:,} of them with nothing to read" if summary.n_empty else ""
    told += f"; {counted(summary.rows_unreadable, 'row')} could not be read" if summary.rows_unreadable else ""
    told += f"; engine {engine_of(loaded.predictor)}" if engine != "torch-fp32" else ""
    told += f". Most frequent: {common}" if common else ""
    console.print(f"{told}.", style="dim", markup=False, soft_wrap=True)


def _loaded(bundle: str, engine: str) -> Any:
    """The model on the engine; "auto" picks the fastest for many rows, with progress when it has to measure first."""
    from honed.engines.choose import with_chosen
    from honed.engines.kinds import AUTO
    from honed.model import Model

    if engine != AUTO:
        return Model.load(bundle, engine=engine)
    return with_chosen(Model.load(bundle), use="batch", progress=edge.bars())[0]
