"""The tasks this installation knows: ours and a third party's, through one entry-point group."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import entry_points

from honed.errors import ConfigError
from honed.tasks.contract import Task

GROUP = "honed.tasks"
AUTOMATIC = "auto"
"""Stands for the task that fits the data."""


def task_names() -> list[str]:
    """Names of all registered tasks, sorted, without importing them."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


@cache
def get_task(name: str) -> Task:
    """The task of this name.

    Raises
    ------
    ConfigError [C010]
        No task has this name; close names are suggested.
    """
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            task: Task = entry.load()()
            return task
    known = task_names()
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'Did you mean "{close[0]}"?' if close else f"Known tasks: {', '.join(known)}."
    raise ConfigError("C010", f'There is no task "{name}".', hint)


def task_for(kind: str, output: str) -> Task:
    """The task that is taken by itself for inputs and outputs of these kinds.

    Raises
    ------
    ConfigError [C010]
        No installed task is.
    """
    for name in task_names():
        facts = get_task(name).facts
        if facts.automatic and facts.input_kinds[0] == kind and facts.output_kind == output:
            return get_task(name)
    raise ConfigError(
        "C010", f"No task reads {kind}s and gives {output}es.", f"Known tasks: {', '.join(task_names())}."
    )
