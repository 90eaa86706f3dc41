"""What outputs are worth on held-out rows: the deciding metric with its interval, and a tie-break by loss."""

from __future__ import annotations

from typing import Any

from honed.evaluation.results import Estimate
from honed.metrics.intervals import bootstrap_interval
from honed.tasks.contract import Array, Decision, Problem, Task


def utility(task: Task, problem: Problem, settings: Any, outputs: Array, targets: Array) -> tuple[float, float]:
    """The deciding metric turned so that higher is better, and minus the loss."""
    metric = task.metrics(problem)[0]
    answers = task.decode(outputs, problem, Decision())
    value = metric.score(targets, answers.encoded)
    return (value if metric.higher_is_better else -value), task.goodness(outputs, targets, problem, settings)


def estimate(task: Task, problem: Problem, outputs: Array, targets: Array, seed: int) -> Estimate:
    """The deciding metric with its 95 % bootstrap interval."""
    metric = task.metrics(problem)[0]
    answers = task.decode(outputs, problem, Decision())
    found = bootstrap_interval(metric.score, targets, answers.encoded, seed=seed)
    return Estimate(found.value, found.low, found.high)
