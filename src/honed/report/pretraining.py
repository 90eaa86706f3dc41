"""Reports of a pre-training: the page, the terminal, the card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from honed.evaluation.results import Choice
from honed.pretraining.results import PretrainReport
from honed.report.html import template
from honed.report.loss_curve import loss_curve
from honed.report.terminal import grid_of, heading
from honed.report.words import figure
from honed.wording import duration


def pretraining_page(report: PretrainReport) -> str:
    """The report as one self-contained page."""
    from markupsafe import Markup

    page: str = template("pretraining.html").render(
        report=report, curve=Markup(loss_curve(report.curve)), title=f"Honed: {report.name}"
    )
    return page


def print_choices(console: Console, choices: Sequence[Choice]) -> None:
    """Every setting with where it comes from and why."""
    heading(console, "What was chosen")
    grid = grid_of(("", "left"), ("", "left"), ("", "left"), ("", "left"))
    for choice in choices:
        grid.add_row(choice.name, escape(choice.value), choice.origin, escape(choice.reason))
    console.print(grid)


def print_pretraining(console: Console, report: PretrainReport, folder: Path) -> None:
    """The end of a run: the loss, the speed, where everything lies."""
    heading(console, f"Held-out loss {report.loss:.3f} nats a token ({report.bits_per_byte:.3f} bits a byte)")
    console.print(f"on {report.n_validation_tokens:,} tokens; {report.held_out}", style="dim", markup=False)
    speed = f"{report.tokens_per_s:,.0f} tokens a second, model FLOPs utilisation {figure(report.utilisation, '%')}"
    console.print(f"{report.steps:,} steps, {speed}", markup=False)
    if report.changes:
        heading(console, "What changed: held-out loss, nats a token")
        changed = grid_of(("", "left"), ("before", "right"), ("after", "right"), ("tokens", "right"))
        for text, before, after, count in report.changes:
            changed.add_row(escape(text), f"{before:.3f}", f"{after:.3f}", f"{count:,}")
        console.print(changed)
    if report.samples:
        heading(console, "It writes")
        console.print(report.samples[-1]["text"], markup=False, style="dim")
    heading(console, f"Done in {duration(report.seconds)}")
    grid = grid_of(("", "left"), ("", "left"))
    for name, file in (("report", "report.html"), ("model", "model"), ("loss of every step", "metrics.csv")):
        grid.add_row(name, escape(str(folder / file)))
    console.print(grid)
    heading(console, "Next")
    for told in ("evaluate {} NEW_TEXTS", "serve {}", "finetune YOUR_TABLE.csv --base {}"):
        console.print(f"  honed {told.format(f'{folder}/model')}", markup=False, soft_wrap=True)


def card_of(name: str, facts: dict[str, Any], base: str = "") -> str:
    """The README of the model: front matter that hubs read, and what is known; it quotes nothing of the data."""
    begun = f"which went on from {base} with Honed" if base else "trained from nothing by Honed"
    knows = "It follows no instructions" if base else "It knows nothing else, follows no instructions"
    rows = "\n".join(f"| {key} | {value} |" for key, value in facts.items())
    return (
        "---\npipeline_tag: text-generation\nlibrary_name: transformers\nlicense: other\n---\n\n"
        f"# {name}\n\nA text-generation base, {begun} on a text of its owner. It continues texts like those it "
        f"was trained on. {knows}, and may repeat passages of its training text: share it only "
        "with those who may read that text.\n\n"
        f"| | |\n|---|---|\n{rows}\n\n"
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\nmodel = AutoModelForCausalLM.from_pretrained("FOLDER")\n```\n'
    )
