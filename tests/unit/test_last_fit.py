"""After the choice: what won learns from the rows it was chosen on too, where that is worth its time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from honed.config import RunConfig
from honed.tasks.registry import get_task
from honed.testing.check_task import bench_of
from honed.training import finetune, last_fit
from honed.training.finetune import FineTuneRecipe
from honed.training.ladder import Ladder, measure
from honed.training.last_fit import fit_on_all
from honed.training.session import Session, make_parts


def tuned(folder: Path, every: int = 4) -> tuple[Session, Ladder]:
    """A session whose fine-tuned network won; one of so many rows was held out."""
    bench = bench_of(get_task("toy"))
    rows = np.arange(len(bench.inputs))
    parts = make_parts(bench.inputs, bench.targets, rows[rows % every != 0], rows[rows % every == 0])
    config = RunConfig(task="toy")
    config.training.precision, config.training.race, config.training.epochs = "fp32", 1, 10
    session = Session(bench.task, bench.problem, bench.settings, config, bench.base, *parts, folder)
    found = measure(session, FineTuneRecipe())
    return session, Ladder(candidates={found.name: found}, best=found)


def weights(predictor: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in predictor.network.state_dict().items()}


def told(session: Session) -> list[str]:
    return [choice.reason for choice in session.choices if choice.name == "final fit"]


def test_a_network_that_took_long_goes_on_with_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_fit, "AGAIN_SECONDS", 0.0)
    session, ladder = tuned(tmp_path)
    assert ladder.best is not None
    before = weights(ladder.best.predictor)
    learnt: list[int] = []
    train = finetune.train
    monkeypatch.setattr(
        finetune, "train", lambda *given, **named: learnt.append(len(given[1])) or train(*given, **named)
    )
    found: Any = fit_on_all(session, ladder)
    assert told(session) == ["3 epochs more, at lower rates, with all of them"]
    assert learnt == [len(session.train) + len(session.validation)]
    after = weights(found)
    assert any(not torch.equal(after[name], before[name]) for name in after)
    assert all(torch.equal(value, before[name]) for name, value in weights(ladder.best.predictor).items())
    again: Any = fit_on_all(session, ladder)  # as a run that was stopped after it does
    assert all(torch.equal(value, after[name]) for name, value in weights(again).items())


def test_going_on_that_was_stopped_goes_on_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_fit, "AGAIN_SECONDS", 0.0)
    whole: Any = fit_on_all(*tuned(tmp_path / "whole"))
    session, ladder = tuned(tmp_path / "cut")
    train = finetune.train

    def stopped(*given: Any, **named: Any) -> None:
        train(*given[:-1], replace(given[-1], cut=4), **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(finetune, "train", stopped)
        with pytest.raises(KeyboardInterrupt):
            fit_on_all(session, ladder)
    again: Any = fit_on_all(session, ladder)
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(again).items())


def test_what_is_quick_is_fitted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, ladder = tuned(tmp_path)
    assert ladder.best is not None
    ladder.best.utility = (0.0, 0.0)
    monkeypatch.setattr(last_fit, "train_all", None)
    fit_on_all(session, ladder)
    assert told(session) == ["the method that won, fitted again on all of them"]


@pytest.mark.parametrize("case", ["few held out", "no time", "worse"])
def test_what_won_is_kept_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setattr(last_fit, "AGAIN_SECONDS", 0.0)
    session, ladder = tuned(tmp_path, every=10 if case == "few held out" else 4)
    assert ladder.best is not None
    if case == "no time":
        session.deadline = 0.0
    if case == "worse":
        ladder.best.utility = (2.0, 0.0)
    assert fit_on_all(session, ladder) is None
    assert not told(session)


def test_a_last_fit_that_was_cut_short_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_fit, "AGAIN_SECONDS", 0.0)
    session, ladder = tuned(tmp_path)
    train = finetune.train

    def out_of_time(*given: Any, **named: Any) -> Any:
        session.deadline = 0.0
        return train(*given, **named)

    monkeypatch.setattr(finetune, "train", out_of_time)
    assert fit_on_all(session, ladder) is None
    assert not told(session)
