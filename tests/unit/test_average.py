"""The moving average of weights: what it is, that the better of it and the weights is kept, and what it costs in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from honed.tasks.registry import get_task
from honed.testing.check_task import PLAN, bench_of
from honed.training.average import Average
from honed.training.loop import train
from honed.training.memory import estimate_mib


def test_the_average_is_that_of_the_formula_and_frozen_weights_stay() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    network[0].bias.requires_grad = False
    average = Average(network, steps=4)
    assert set(average.kept) == {"0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var"}
    wanted = network[0].weight.detach().clone()
    generator = torch.Generator().manual_seed(0)
    for n in range(1, 60):
        with torch.no_grad():
            network[0].weight.copy_(torch.randn(2, 3, generator=generator))
        average.update()
        share = max(1 / 4, 1 - n / (9 + n))
        wanted = wanted + share * (network[0].weight.detach() - wanted)
    torch.testing.assert_close(average.kept["0.weight"], wanted)
    learnt, parameter = network[0].weight.detach().clone(), network[0].weight
    with average.shown():
        torch.testing.assert_close(network[0].weight.detach(), wanted)
        assert network[0].weight is parameter
    assert torch.equal(network[0].weight, learnt)


@pytest.mark.parametrize("better", ["weights", "average"])
def test_the_better_of_both_is_kept(better: str) -> None:
    """A judge that likes the one or the other: what is kept is what it liked, at the epoch at which it liked it most."""
    some = bench_of(get_task("toy"))
    network = some.network()
    start = {name: value.clone() for name, value in network.state_dict().items()}
    shown: list[float] = []

    def judge() -> float:
        """How far the head has gone: the average lags behind the weights."""
        moved = float((network.head.weight.detach() - start["head.weight"]).norm())
        shown.append(moved if better == "weights" else -moved)
        return shown[-1]

    plan = replace(PLAN, epochs=4, average=0.3)
    encoded = network.encode(some.inputs)
    trace = train(network, encoded, some.targets, some.task, some.problem, some.settings, plan, judge=judge)
    assert len(shown) == 8 and trace.averaged == (better == "average")
    assert trace.scores == [max(pair) for pair in zip(shown[::2], shown[1::2], strict=True)]
    assert trace.best_weights is not None and trace.best_epoch == int(np.argmax(trace.scores))
    moved = float((trace.best_weights["head.weight"] - start["head.weight"]).norm())
    assert moved == pytest.approx(abs(max(shown)), rel=1e-5)


def test_an_average_changes_no_step_of_the_training() -> None:
    some = bench_of(get_task("toy"))
    losses = []
    for share in (0.0, 0.1):
        network = some.network()
        plan = replace(PLAN, epochs=3, average=share)
        encoded = network.encode(some.inputs)
        losses.append(train(network, encoded, some.targets, some.task, some.problem, some.settings, plan).losses)
    assert losses[0] == losses[1]


def test_the_average_is_counted_in_the_memory() -> None:
    plain, averaged = (estimate_mib(1000, 5000, 2, 8, 100, kept) for kept in (False, True))
    assert averaged - plain == pytest.approx(4 * 1000 / 2**20)
