"""Writes docs/reference.md from the code: commands, Python functions, settings, codes. ``make docs`` runs it.

With ``--check`` nothing is written; the exit code says whether the page is up to date.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("reference.md")
COMMANDS = (
    "inspect", "pretrain", "finetune", "evaluate", "predict", "engines", "export", "monitor", "promote", "rollback", "serve", "key", "models", "explain",
    "eject", "sign", "verify",
)  # fmt: skip


def commands() -> list[str]:
    """The help of every command, as it is printed at 100 columns."""
    import contextlib
    import io

    from honed.cli.main import app

    lines = ["## Commands", ""]
    for name in COMMANDS:
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            app([name, "--help"], standalone_mode=False)
        shown = re.sub(r"^Usage: \S+", "Usage: honed", text.getvalue().strip())
        lines += [f"### honed {name}", "", "```", *[line.rstrip() for line in shown.splitlines()], "```", ""]
    return lines


def functions() -> list[str]:
    """Signatures and docstrings of what ``import honed`` offers."""
    import honed

    lines = ["## Python", ""]
    for name in sorted(honed.__all__, key=str.lower):
        thing = getattr(honed, name)
        lines += [f"### honed.{name}", ""]
        if not inspect.isclass(thing):
            lines += ["```python", f"honed.{name}{_signature(thing)}", "```", ""]
        lines += ["```text", inspect.getdoc(thing) or "", "```", ""]
        for method, function in _methods(thing):
            lines += [f"#### honed.{name}.{method}", "", "```text", inspect.getdoc(function) or "", "```", ""]
    return lines


def _signature(thing: Any) -> str:
    shown = str(inspect.signature(thing)).replace("'", "")
    return (
        shown
        if len(shown) < 90
        else shown.replace("(", "(\n    ", 1).replace(", ", ",\n    ").replace(") ->", ",\n) ->")
    )


def _methods(thing: Any) -> list[tuple[str, Any]]:
    if not inspect.isclass(thing) or issubclass(thing, Exception):
        return []
    return [
        (name, value)
        for name, value in vars(thing).items()
        if callable(getattr(thing, name)) and not name.startswith("_")
    ]


def settings() -> list[str]:
    """The tree of settings with defaults, bounds and what each means."""
    from honed.config import RunConfig
    from honed.pretraining.settings import PretrainConfig
    from honed.shots.settings import FewShotConfig
    from honed.tasks.registry import get_task, task_names

    lines = [
        "## Settings",
        "",
        "For `--set name=value`, the YAML file of `--config`, or `settings={...}` in Python.",
        "",
    ]
    head = ["| name | default | allowed | meaning |", "|---|---|---|---|"]
    lines += [*head, *_rows(RunConfig(), "")]
    for task in map(get_task, task_names()):
        if task.facts.automatic:
            lines += ["", f"Of {task.name}:", "", *head, *_rows(task.config(), "task_settings.")]
    lines += ["", "Of `honed pretrain`:", "", *head, *_rows(PretrainConfig(), "")]
    lines += ["", "Of `honed predict --examples`:", "", *head, *_rows(FewShotConfig(), "")]
    return [*lines, ""]


def _rows(config: Any, prefix: str) -> list[str]:
    lines = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            lines += _rows(value, f"{prefix}{field.name}.")
            continue
        facts = field.metadata
        low, high = facts.get("low"), facts.get("high")
        bounds = ", ".join(facts.get("among") or ()) or (
            f"{low:g} to {high:g}" if high is not None else f"from {low:g}" if low is not None else ""
        )
        shown = "none" if value is None or value in ([], {}) else f"`{value}`"
        lines.append(f"| `{prefix}{field.name}` | {shown} | {bounds} | {facts.get('text', '')} |")
    return lines


def codes() -> list[str]:
    """Every code with its title, meaning and remedy."""
    from honed.codes import catalogue

    lines = ["## Codes", "", "`honed explain CODE` prints the same.", ""]
    for code in catalogue().values():
        lines += [f"### {code.code}: {code.title}", "", code.meaning, "", f"What to do: {code.remedy}", ""]
    return lines


def page() -> str:
    """The whole page."""
    head = ["# Reference", "", "Made from the code by `make docs`; a test compares them.", ""]
    return "\n".join([*head, *commands(), *functions(), *settings(), *codes()]).rstrip() + "\n"


def main() -> None:
    """Write the page, or compare it."""
    os.environ["COLUMNS"] = "100"
    os.environ["TERMINAL_WIDTH"] = "100"
    if "--check" in sys.argv:
        sys.exit(
            0 if PAGE.read_text(encoding="utf-8") == page() else "docs/reference.md is out of date: run make docs."
        )
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
