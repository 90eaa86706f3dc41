"""The README of an exported folder: how to run it without Honed, and what the check found."""

from __future__ import annotations

from honed.engines.kinds import KINDS, has_fast_int8
from honed.exporting.results import ExportReport
from honed.exporting.script import example_rows, script
from honed.exporting.targets import Target
from honed.model import Model


def readme_text(model: Model, target: Target, report: ExportReport) -> str:
    """Markdown; its code is what the check ran."""
    code = f"{script(model, target)}\n\nprint(answers({example_rows(model)}))"
    base = model.provenance.get("base") or {}
    lines = [
        f"# {model.name}: {target.title}",
        "",
        f"Run inside this folder, after `pip install {' '.join(report.packages)}`:",
        "",
    ]
    lines += ["```python", code, "```", "", _checked(report), ""]
    lines += (
        ["Whole numbers of 8 bits were chosen for this kind of processor; measure again on another."]
        if _rounds(target)
        else []
    )
    licence = f" Made from {base['id']}, licence {base['licence']} (`LICENCE-BASE.md`)." if base else ""
    card = " What it is for and how good it is: `MODEL_CARD.md`." if model.folder else ""
    lines += [
        f"`answers.json` holds labels and thresholds, `export.json` the check and the digest of every file.{licence}{card}",
        "",
    ]
    return "\n".join(lines)


def _rounds(target: Target) -> bool:
    return KINDS[target.engine].number_format == "int8" and has_fast_int8()


def _checked(report: ExportReport) -> str:
    """One paragraph that a manager can read."""
    where = {
        "yours": "rows given for the check",
        "validation": "rows held out in training",
        "example": "made-up examples",
    }
    told = f"Checked on {report.rows:,} {where[report.rows_source]}, by running the code above in a fresh process: "
    told += f"{100 * report.changed:.2f} % of the answers differ from the model's own"
    if report.loss_points is not None:
        lost = report.loss_points
        told += f", and the {report.metric} {'loses' if lost >= 0 else 'gains'} {abs(lost):.2f} points"
    return f"{told} (outputs differ by at most {100 * report.difference:.2g} % of the largest)."
