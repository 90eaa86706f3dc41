"""``honed predict`` with examples: a decoder answers, shown rows with their answers."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from honed.cli import edge
from honed.errors import ConfigError
from honed.wording import counted


@dataclass
class Asked:
    """What the flags of few-shot said."""

    examples: str | None = None
    target: str | None = None
    labels: list[str] = field(default_factory=list)
    schema: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    show_prompt: bool = False
    allow_remote: bool = False
    beside: str | None = None

    def wanted(self, model: str) -> bool:
        """True where examples, labels or a form of the answer were given, or the model can answer in no other way."""
        from honed.shots.opening import is_address

        given = self.examples or self.labels or self.schema or self.show_prompt or self.settings
        if not given and (self.target or self.allow_remote) and not is_address(model):
            raise ConfigError(
                "C012", "--target and --allow-remote go with --examples.", "Pass --examples, or leave them away."
            )
        return bool(given) or is_address(model)


def engine_settings(model: str, engine: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What ``--engine`` says of a decoder that is asked with examples.

    Raises
    ------
    ConfigError [C012], GenerationError [G001]
        A model at an address computes elsewhere; nothing of this name writes.
    """
    from honed.engines.kinds import DEFAULT
    from honed.generation.kinds import engine_for_texts
    from honed.shots.opening import is_address

    if engine == DEFAULT:
        return {}
    if is_address(model):
        raise ConfigError(
            "C012", "--engine does not go with an address: what computes there is not ours to say.", "Leave it away."
        )
    name, weights = engine_for_texts(engine, settings.get("weights", "float32"))
    return {"engine": name, "weights": weights}


def answer(
    model: str, data: str | None, text: list[str] | None, out: str, format: str | None, keep: str, asked: Asked
) -> None:
    """Answer a file, standard input or a few texts by examples, and say what came of it."""
    from honed.shots.beside import Beside
    from honed.shots.files import answer_file, open_source
    from honed.shots.opening import open_few_shot

    progress = edge.bars()
    options: dict[str, Any] = {
        "examples": asked.examples, "target": asked.target, "labels": asked.labels, "schema": asked.schema,
        "settings": asked.settings, "allow_remote": asked.allow_remote, "dry": asked.show_prompt, "progress": progress,
    }  # fmt: skip
    with ExitStack() as stack:
        source = None if data is None else open_source(stack, data)
        few = open_few_shot(model, [] if source is None else source.names, **options)
        if source is None:
            first = few.examples.names[0]
            rows = [dict.fromkeys(few.examples.names, "") | {first: one} for one in text or []]
            source = open_source(stack, rows)
        if asked.show_prompt:
            print(few.prompt(_first_row(few, source)))
            return
        told = getattr(few.base, "told", None)
        if told is not None and asked.allow_remote:  # where it is not allowed, the refusal shows the row
            told(few, _first_row(few, source), edge.err())
        beside = Beside.load(asked.beside) if asked.beside else None
        found = answer_file(few, source, out, format=format, keep=keep, beside=beside, progress=progress)  # type: ignore[arg-type]
    _tell(few, found)


def _first_row(few: Any, source: Any) -> Any:
    from honed.errors import DataError
    from honed.shots.examples import row_texts

    rows = row_texts(source.first_table(), few.examples.names)
    if not rows:
        raise DataError("D002", "There are no rows.", "Pass at least one.")
    return rows[0]


def _tell(few: Any, found: Any) -> None:
    console = edge.err()
    mean = found.n_shots / max(1, found.n_rows - found.n_empty)
    told = f"{counted(found.n_rows, 'row')} in {found.seconds:.1f} s, {mean:.3g} examples shown with each; {found.n_unsure:,} unsure"
    told += f", {found.n_empty:,} of them with nothing to read" if found.n_empty else ""
    told += f"; {counted(found.n_shortened, 'row')} shortened to fit" if found.n_shortened else ""
    told += f"; {counted(found.rows_unreadable, 'row')} could not be read" if found.rows_unreadable else ""
    common = ", ".join(f"{label} {n:,}" for label, n in found.answers.most_common(5))
    told += f". Most frequent: {common}" if common else ""
    console.print(f"{told}.", style="dim", markup=False, soft_wrap=True)
    if few.judged:
        right, n = few.judged
        told = f"Of the examples {right} of {n} were answered rightly by the others."
        console.print(told, style="dim", markup=False, soft_wrap=True)
    spent = getattr(few.base, "spent", None)
    if spent is not None:
        console.print(spent(), style="dim", markup=False, soft_wrap=True)
    if found.lines:
        from honed.report.few_shot import print_truth

        print_truth(console, found)
