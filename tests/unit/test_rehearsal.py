"""Before a long training one batch is learnt by heart, and every label must be in every part of the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from honed.checks.parts import check_parts
from honed.config import RunConfig
from honed.errors import RungError
from honed.tasks.registry import get_task, task_names
from honed.testing.check_task import PLAN, Bench, bench_of
from honed.training import ladder as climbing
from honed.training.ladder import climb
from honed.training.loop import Plan
from honed.training.rehearsal import STEPS, rehearse, rehearse_once
from honed.training.session import Session, make_parts


def bench(name: str = "toy") -> Bench:
    return bench_of(get_task(name))


def tried(some: Bench, plan: Plan = PLAN, inputs: list[object] | None = None) -> list[object]:
    network = some.network()
    rows = network.encode(inputs or some.inputs)
    return rehearse(network, rows, some.targets, some.task, some.problem, some.settings, plan)


@pytest.mark.parametrize("task", task_names())
def test_a_sound_task_learns_one_batch_at_once(task: str) -> None:
    """Of every task's own sample, within a few steps, and nothing is left changed."""
    some = bench(task)
    network = some.network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    found = rehearse(
        network, network.encode(some.inputs), some.targets, some.task, some.problem, some.settings, PLAN
    )  # fmt: skip
    assert [one.learnt for one in found] == [True] and found[0].steps <= STEPS and found[0].factor == 1.0
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_inputs_that_are_all_alike_cannot_be_learnt() -> None:
    some = bench("text-classification")
    found = tried(some, inputs=[some.inputs[0]] * len(some.inputs))
    assert len(found) == 5 and not any(one.learnt for one in found)


def test_a_loss_that_does_not_hear_the_network_is_noticed() -> None:
    some = bench()

    class Deaf(type(some.task)):  # type: ignore[misc]
        def loss(self, outputs, targets, problem, config):  # type: ignore[no-untyped-def]
            return {"loss": (outputs * 0).sum() + 1}

    assert not any(one.learnt for one in tried(replace(some, task=Deaf())))


def session_of(some: Bench, folder: Path, **training: object) -> Session:
    rows = np.arange(len(some.inputs))
    parts = make_parts(some.inputs, some.targets, rows[rows % 4 != 0], rows[rows % 4 == 0])
    config = RunConfig(task=some.task.name)
    config.training.race, config.training.precision, config.training.stop_after = 1, "fp32", "fine-tune"
    for name, value in training.items():
        setattr(config.training, name, value)
    return Session(some.task, some.problem, some.settings, config, some.base, *parts, folder)


def test_the_rate_is_told_where_it_is_the_rate(tmp_path: Path) -> None:
    some = bench("text-classification")
    network = some.network()
    encoded = network.encode(some.inputs)
    low = replace(PLAN, learning_rate=PLAN.learning_rate / 150, head_rate=PLAN.head_rate / 150)
    session = session_of(some, tmp_path)
    for _ in range(2):
        rehearse_once(session, network, encoded, some.targets, low)
    assert [finding.code for finding in session.findings] == ["R023"] and "it is low" in session.findings[0].message
    with pytest.raises(RungError, match=r"R023.*too high"):
        rehearse_once(
            session_of(some, tmp_path), network, encoded, some.targets, replace(PLAN, learning_rate=3.0, head_rate=3.0)
        )  # fmt: skip
    short = replace(low, epochs=2)
    session = session_of(some, tmp_path)
    rehearse_once(session, network, encoded, some.targets, short)
    assert not session.findings, "a short training is its own rehearsal"


def test_the_ladder_goes_on_without_what_cannot_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that are all the same: the fine-tuning is left out, said why, and a model is there."""
    some = bench("text-classification")
    same = replace(some, inputs=[some.inputs[0]] * len(some.inputs))
    session = session_of(same, tmp_path, epochs=200, batch_size=8)
    ladder = climb(session)
    line = next(line for line in ladder.lines() if line.name == "fine-tune")
    assert line.status == "skipped" and "nothing to learn" in line.note
    assert [finding.code for finding in session.findings] == ["R022"] and ladder.best is not None
    assert climbing.saved(tmp_path / "ladder" / ladder.best.name)


def test_labels_that_are_missing_in_a_part_are_told() -> None:
    labels = ("bolt", "nut", "gear")
    whole = {"training": np.array([5, 4, 3]), "validation": np.array([1, 1, 1])}
    assert [finding.level for finding in check_parts(whole, labels, "part")] == ["passed"]
    torn = {"training": np.array([5, 0, 3]), "validation": np.array([1, 1, 0]), "test": np.array([1, 0, 2])}
    found = check_parts(torn, labels, "part")
    assert [(finding.code, finding.details["labels"]) for finding in found] == [("D144", ["nut"]), ("D145", ["gear"])]
    assert '"nut", 1 in all' in found[0].message and "validation" in found[1].message
