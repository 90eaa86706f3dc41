"""A made-up help desk whose rows can be made to drift, a real model of it, and its bundle: for the tests of monitoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from honed.bundle.reference import HeldOut, reference_table
from honed.bundle.write import write_model
from honed.config import fill
from honed.data.read import read_table
from honed.data.table import Roles
from honed.model import Model
from honed.tasks.registry import get_task

TEAMS = ("accounts", "network", "printing")
WORDS = {
    "accounts": ("password", "login", "locked", "account", "expired", "reset"),
    "network": ("router", "wifi", "cable", "vpn", "slow", "offline"),
    "printing": ("toner", "paper", "jam", "printer", "scan", "tray"),
}
_FILLERS = (
    "please help the thing is broken today again office morning colleague urgent since we need it now floor desk room my "
    "our team cannot work with this when can you look at that thanks for your time and have a good day"
)
FILLERS = tuple(_FILLERS.split())
NEW_WORDS = ("tablet", "headset", "badge", "camera")
Row = dict[str, Any]


def rows(
    n: int,
    seed: int,
    *,
    shares: Sequence[float] = (1 / 3, 1 / 3, 1 / 3),
    change: Callable[[str, np.random.Generator], str] | None = None,
    relabel: Callable[[str], str] | None = None,
) -> list[Row]:
    """Rows with one or two telling words among fillers; one row in twelve has the words of another team."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        team = TEAMS[int(rng.choice(3, p=shares))]
        about = TEAMS[int(rng.integers(3))] if rng.random() < 1 / 12 else team
        telling = rng.choice(WORDS[about], int(rng.integers(1, 3)), replace=False)
        text = " ".join(rng.permutation([*telling, *rng.choice(FILLERS, int(rng.integers(4, 14)))]))
        text = change(text, rng) if change else text
        found.append({"text": text, "team": relabel(team) if relabel else team})
    return found


def new_words(text: str, rng: np.random.Generator) -> str:
    """A new product is in a third of the rows."""
    return f"{text} {rng.choice(NEW_WORDS)}" if rng.random() < 0.33 else text


def longer(text: str, rng: np.random.Generator) -> str:
    """Half of the rows carry a long tail of the same fillers."""
    return f"{text} {' '.join(rng.choice(FILLERS, 25))}" if rng.random() < 0.5 else text


def damaged(text: str, rng: np.random.Generator) -> str:
    """One row in ten lost letters to a wrong encoding."""
    return f"{text} f\u00c3\u00bcr" if rng.random() < 0.1 else text


def foreign(text: str, rng: np.random.Generator) -> str:
    """One row in ten is in Greek letters."""
    return "το μηχάνημα δεν λειτουργεί" if rng.random() < 0.1 else text


def empty(text: str, rng: np.random.Generator) -> str:
    """One row in ten is empty."""
    return "" if rng.random() < 0.1 else text


def swapped(team: str) -> str:
    """The truth itself changes: network and printing change places."""
    return {"network": "printing", "printing": "network"}.get(team, team)


def make_bundle(folder: Path, *, n: int = 1200, held_out: int = 1500) -> Path:
    """A bundle of a counting model, learnt from made-up rows, with its reference."""
    task = get_task("text-classification")
    settings, roles = fill(task.config, {}), Roles(text=("text",), target="team")
    train, test = read_table(rows(n, 1)), read_table(rows(held_out, 2))
    problem = task.frame(train, roles, settings)
    inputs = task.inputs(train, problem)
    predictor = task.baselines(problem, settings)[-1].fit(inputs, task.targets(train, problem), problem, 0)
    test_inputs, targets = task.inputs(test, problem), task.targets(test, problem)
    outputs = predictor.outputs(test_inputs)
    decision = task.fit_decision(outputs, targets, problem, settings)
    model = Model(task, problem, predictor, decision, {}, roles, name="desk")
    write_model(folder, model, reference=reference_table(model, inputs + test_inputs, HeldOut(outputs, targets)))
    return folder
