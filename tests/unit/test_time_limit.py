"""A time limit: plans are shortened so that they end in time, and what cannot be done in time is not begun and says so."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from honed.cli import bars
from honed.config import RunConfig
from honed.networks.engine import to_device
from honed.tasks.detection import head
from honed.tasks.registry import get_task, task_names
from honed.testing.check_task import PLAN, bench_of
from honed.training import finetune, frozen, pace, session
from honed.training.contrastive import Budget
from honed.training.finetune import FineTuneRecipe, kept_plan
from honed.training.ladder import climb
from honed.training.loop import Plan, Trace, n_steps, train
from honed.training.pace import in_time, seconds_a_step
from honed.training.recipe import ProbeRecipe
from honed.training.session import Session, make_parts
from honed.training.time_limit import OutOfTimeError
from honed.wording import duration


def begun(folder: Path, left: float, name: str = "toy", **training: Any) -> Session:
    """A session with a model in hand and so many seconds left."""
    bench = bench_of(get_task(name))
    rows = np.arange(len(bench.inputs))
    parts = make_parts(bench.inputs, bench.targets, rows[rows % 4 != 0], rows[rows % 4 == 0])
    config = RunConfig(task=name)
    config.training.precision, config.training.race = "fp32", 1
    for key, value in training.items():
        setattr(config.training, key, value)
    found = Session(bench.task, bench.problem, bench.settings, config, bench.base, *parts, folder)
    found.deadline, found.usable = time.monotonic() + left, True
    return found


def planned(some: Session, plan: Plan, paces: float, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """What becomes of a plan where a step takes so many seconds."""
    monkeypatch.setattr(pace, "seconds_a_step", lambda *_: paces)
    encoded = some.fresh_network().encode(some.train.inputs)
    return in_time(some, None, encoded, some.train.targets, plan, 0)


def test_a_plan_that_fits_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, epochs=5)
    assert planned(begun(tmp_path, 3600.0), plan, 0.001, monkeypatch) == plan
    assert planned(begun(tmp_path, float("inf")), plan, 1e9, monkeypatch) == plan
    first = begun(tmp_path, 1.0)
    first.usable = False  # the first model is made whatever it takes
    assert planned(first, plan, 1e9, monkeypatch) == plan


def test_a_plan_is_shortened_to_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some, plan = begun(tmp_path, 100.0), replace(PLAN, epochs=1000, batch_size=8)
    found = planned(some, plan, 1.0, monkeypatch)
    n = len(some.train)
    assert found.steps is not None and 85 <= found.steps <= 90 and n_steps(found, n) == found.steps
    assert n_steps(replace(found, steps=None), n) - found.steps < n_steps(replace(found, epochs=1, steps=None), n)
    told = next(choice for choice in some.choices if choice.name == "training.epochs")
    assert "the time limit leaves room" in told.reason
    some.folds = 4  # five fits share the time
    shared = planned(some, plan, 0.2, monkeypatch)
    assert shared.steps is not None and 85 <= shared.steps <= 90


def test_what_does_not_fit_says_how_long_it_would_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = begun(tmp_path, 30.0)
    with pytest.raises(
        OutOfTimeError, match=r"one pass over \d+ \w+ takes about .* h .* min, and the time limit leaves 30 s"
    ):
        planned(some, replace(PLAN, epochs=1000, batch_size=1), 60.0, monkeypatch)


@pytest.mark.parametrize("task", task_names())
def test_measuring_the_pace_changes_nothing(tmp_path: Path, task: str) -> None:
    """Weights, statistics and random numbers stay as they were, whatever the task."""
    some = begun(tmp_path, 100.0, task)
    network = some.fresh_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state, encoded = torch.get_rng_state(), network.encode(some.train.inputs)
    found = seconds_a_step(some, network, encoded, some.train.targets, PLAN)
    assert 0 < found < 60
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def learnt(some: Session, plan: Plan, folder: Path | None = None, **more: Any) -> tuple[Any, Trace]:
    network = some.fresh_network()
    encoded = network.encode(some.train.inputs)
    trace = train(
        network, encoded, some.train.targets, some.task, some.problem, some.settings, plan, checkpoint=folder, **more
    )
    return network, trace


def test_a_shortened_plan_ends_at_its_last_step_with_the_rates_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = begun(tmp_path, 1000.0)
    rates: list[tuple[int, int]] = []
    monkeypatch.setattr("honed.training.loop.set_rate", lambda _, done, total: rates.append((done, total)))
    judged: list[int] = []
    plan = replace(PLAN, epochs=3, batch_size=16)
    each = n_steps(replace(plan, epochs=1), len(some.train))
    plan = replace(plan, steps=2 * each + each // 2)
    _, trace = learnt(some, plan, judge=lambda: float(judged.append(1) or len(judged)))  # type: ignore[func-returns-value]
    assert len(trace.losses) == plan.steps and trace.finished
    assert rates == [(step, plan.steps) for step in range(plan.steps or 0)]
    assert trace.best_epoch == 2 and len(trace.scores) == 3, "the epoch that was cut short is judged too"


def test_a_shortened_plan_is_gone_on_with_exactly(tmp_path: Path) -> None:
    some = begun(tmp_path, 1000.0)
    plan = replace(PLAN, epochs=3, batch_size=16)
    plan = replace(plan, steps=n_steps(plan, len(some.train)) - 2)
    whole, trace = learnt(some, plan)
    learnt(some, replace(plan, cut=3), tmp_path / "checkpoint")
    resumed, rest = learnt(some, plan, tmp_path / "checkpoint")
    assert rest.losses == trace.losses and len(trace.losses) == plan.steps
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    )


def test_at_the_deadline_the_training_stops_within_an_epoch(tmp_path: Path) -> None:
    some = begun(tmp_path, 1000.0)
    plan = replace(PLAN, epochs=50, batch_size=8)
    _, trace = learnt(some, plan, deadline=time.monotonic() - 1.0, judge=lambda: 0.5)
    assert len(trace.losses) == 1 and not trace.finished and trace.best_epoch == 0


def test_a_run_keeps_its_shortened_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is resumed needs it, whatever time that has."""
    monkeypatch.setattr(pace, "seconds_a_step", lambda *_: 0.5)
    some = begun(tmp_path, 60.0, epochs=1000)
    FineTuneRecipe().fit(some, some.train, some.validation, "held-out")
    kept = kept_plan(some)
    assert kept is not None and kept.steps is not None and 60 <= kept.steps <= 110


def slow(some: Session, monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[int]:
    """Reading takes so many seconds a row, by a clock that nothing else moves; how many rows were read at a time."""
    now, read, features_of = [0.0], [], frozen.features_of
    some.train = some.train.take(np.arange(len(some.train)).repeat(100))
    numbered = np.arange(len(some.train) + len(some.validation))
    some.train = replace(some.train, rows=numbered[: len(some.train)])
    some.validation = replace(some.validation, rows=numbered[len(some.train) :])

    def reading(network: Any, inputs: Any, **named: Any) -> Any:
        now[0] += seconds * len(inputs)
        read.append(len(inputs))
        return features_of(network, inputs, **named)

    monkeypatch.setattr(frozen, "features_of", reading)
    monkeypatch.setattr(frozen.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(session.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(frozen, "CHUNK", 256)
    return read


def test_reading_that_takes_too_long_is_given_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = begun(tmp_path, 1000.0)
    read = slow(some, monkeypatch, 1.0)
    some.deadline = 400.0
    for _ in range(2):
        with pytest.raises(
            OutOfTimeError, match=r"reading [\d,]+ rows takes about .* h .* min, and the time limit leaves"
        ):
            some.frozen_features(some.train)
    assert read == [256]
    some.usable = False
    some.forget("no features")
    assert len(some.read_rows(some.train)) == len(some.train), "the first model is made whatever it takes"


def test_as_many_rows_are_read_as_there_is_time_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = begun(tmp_path, 1000.0)
    read = slow(some, monkeypatch, 0.1)
    some.deadline = 200.0
    seen = some.read_rows(some.train)
    assert len(some.read_rows(some.validation)) == len(some.validation), "held-out rows are all read"
    assert 1400 < sum(read) < 1800 and len(seen) == sum(read) - len(some.validation) > frozen.LEAST
    assert set(some.train.targets[seen]) == set(some.train.targets)
    probe = ProbeRecipe().fit(some, some.train, some.validation, "held-out")
    told = next(choice for choice in some.choices if choice.name == "rows of the probe")
    assert (
        told.value == f"{len(seen):,} of {len(some.train):,} rows"
        and np.isfinite(probe.outputs(some.train.inputs[:9])).all()
    )
    again = begun(tmp_path, 1000.0)  # a run that goes on, with more time, reads the rest
    again.train, again.validation, again.deadline = some.train, some.validation, None
    assert len(again.read_rows(again.train)) == len(again.train)
    assert sum(read) == len(some.train) + len(some.validation)


def test_some_rows_are_of_no_use_where_every_fold_needs_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = begun(tmp_path, 1000.0)
    slow(some, monkeypatch, 0.1)
    some.deadline, some.folds = 200.0, 4
    with pytest.raises(OutOfTimeError):
        some.frozen_features(some.train)


def test_some_of_every_label_are_read_early() -> None:
    targets = np.array([0] * 900 + [1] * 90 + [2] * 10)
    order = frozen._in_order(np.arange(1100), targets, 1000, 0)
    assert set(order[:100]) == set(range(1000, 1100)) and sorted(order) == list(range(1100))
    assert np.bincount(targets[order[100:115]]).tolist() == [5, 5, 5]
    plain = frozen._in_order(np.arange(1100), targets.astype(np.float32), 1000, 0)
    assert sorted(plain) == list(range(1100)) and set(plain[:100]) == set(range(1000, 1100))


def test_the_ladder_says_what_was_left_out_for_want_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "seconds_a_step", lambda *_: 1e4)
    monkeypatch.setattr(finetune, "NEAR_PERFECT", 2.0)
    found = climb(begun(tmp_path, 300.0))
    left_out = next(line for line in found.lines() if line.name == "fine-tune")
    assert left_out.status == "skipped" and "the time limit leaves" in left_out.note
    assert found.best is not None


def test_contrastive_steps_for_the_time_there_is() -> None:
    assert Budget().steps(40, 1e9) == 40
    assert Budget(20.0).steps(40, 1.0) == 20
    assert Budget(200.0).steps(40, 1.0) == 40
    assert Budget(5.0).steps(40, 1.0) == 10, "fits after the first have at least so many"
    with pytest.raises(OutOfTimeError, match="takes about 50 s, and the time limit leaves 25 s"):
        Budget(5.0, 5, whole=True).steps(40, 1.0)
    assert Budget(5.0, 5, whole=True).steps(4, 1.0) == 4


def test_a_trained_head_takes_fewer_steps_in_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_of(get_task("object-detection"))
    network, steps = bench.network(), []
    monkeypatch.setattr(head, "to_device", lambda batch, device: steps.append(1) or to_device(batch, device))
    monkeypatch.setattr(head, "STEPS", 30)
    for seconds, n in ((float("inf"), 30), (1e9, 30), (0.0, head.LEAST)):
        steps.clear()
        found = head.head_from(network, bench.inputs, bench.targets, 0, seconds)
        assert len(steps) == n and set(found) == {"weight", "bias"}


def test_time_left_is_told_from_the_pace_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes before the first part, such as opening a model, does not count."""
    now = [0.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: now[0])
    console = Console(record=True, width=120)
    step = bars._Lines(console, "reading", 1000)
    now[0] = 100.0
    step.advance(10)
    now[0] = 120.0
    step.advance(100)
    assert "11 %, about 2 min 58 s left" in console.export_text()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.42, "0.4 s"), (12.2, "12 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (400_000, "111 h 6 min")],
)
def test_durations_in_words(seconds: float, told: str) -> None:
    assert duration(seconds) == told
