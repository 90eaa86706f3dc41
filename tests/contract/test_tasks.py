"""Every registered task keeps the promises of the contract."""

from __future__ import annotations

from dataclasses import replace

import pytest

from honed.tasks.registry import get_task, task_names
from honed.testing.check_task import CHECKS, Bench, bench_of

BENCHES: dict[str, Bench] = {}


def bench(name: str) -> Bench:
    if name not in BENCHES:
        BENCHES[name] = bench_of(get_task(name))
    return BENCHES[name]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("task", task_names())
def test_promise(task: str, check: str) -> None:
    CHECKS[check](bench(task))


def test_the_checks_can_fail() -> None:
    """A task that breaks its promises is caught: one whose loss ignores the outputs, one whose network reads its batch."""
    good = bench("toy")

    class Deaf(type(good.task)):  # type: ignore[misc]
        def loss(self, outputs, targets, problem, config):  # type: ignore[no-untyped-def]
            return {"loss": (outputs * 0).sum()}

    with pytest.raises(AssertionError, match="no gradient"):
        CHECKS["loss_reaches_all"](replace(good, task=Deaf()))

    class Peeking(type(good.task)):  # type: ignore[misc]
        def build(self, base, problem, config, seed):  # type: ignore[no-untyped-def]
            network = super().build(base, problem, config, seed)
            plain = network.forward
            network.forward = lambda batch: plain(batch) + float(len(next(iter(batch.values()))))
            return network

    with pytest.raises(AssertionError):
        CHECKS["batch_equals_one_by_one"](replace(good, task=Peeking()))
