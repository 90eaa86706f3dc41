"""Which way of changing training data helps: a short schedule of each, judged on held-out rows.

A network that knows several ways has them in ``ways`` and takes one by ``take_way``; the first is the usual one.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from honed.errors import RunError
from honed.networks.learning import learning
from honed.progress import Step
from honed.training import memory
from honed.training.batching import steps_per_epoch
from honed.training.loop import Plan, train
from honed.training.session import Part, Session

TRIAL = 0.2
"""Share of the whole training that each way is tried for."""
LEAST_HELD = 30
"""With fewer held-out rows a trial says too little."""
Start = Callable[[], Any]
"""Gives a network that has learnt nothing yet but its head."""


def best_way(
    session: Session,
    start: Start,
    encoded: list[Any],
    part: Part,
    watch: Part,
    plan: Plan,
    judge_of: Callable[[Any], Any],
) -> str:
    """Name of the way whose short training did best on the held-out rows; "" where there is no choice.

    Ways that need more memory than there is for the batches of the plan are left out.
    """
    ways = [name for name in start().ways if _fits(session, start, name, encoded, plan)]
    if len(ways) < 2 or len(watch) < LEAST_HELD:
        return ""
    epochs = max(1, round(plan.epochs * TRIAL))
    short = dataclasses.replace(plan, epochs=epochs, average=0.0, patience=1000)
    total, begin = len(ways) * epochs * steps_per_epoch(len(part), plan.batch_size), time.monotonic()
    scores: dict[str, float] = {}
    with session.progress.step(f"trial of ways to change the {session.task.medium.many}", total) as step:
        for name in ways:
            spent = time.monotonic() - begin
            if scores and session.time_left() < spent / len(scores) * (1 + 1 / TRIAL):
                break
            scores[name] = _tried(session, start, name, encoded, part, short, judge_of, step)
    best = max(scores, key=lambda name: scores[name])
    told = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    session.choose(
        "task_settings.variation", best, "chosen", f"the best on held-out rows after {epochs} epochs ({told})"
    )
    return best


def _fits(session: Session, start: Start, name: str, encoded: list[Any], plan: Plan) -> bool:
    network = start()
    network.take_way(name)
    longest = max(item["length"] for item in encoded)
    limit = session.config.training.memory_limit_mib
    try:
        room = memory.make_it_fit(network, plan.batch_size, longest, limit, "full", plan.average > 0)
    except RunError:
        return False
    return room.batch_size == plan.batch_size


def _tried(
    session: Session,
    start: Start,
    name: str,
    encoded: list[Any],
    part: Part,
    plan: Plan,
    judge_of: Callable[[Any], Any],
    step: Step,
) -> float:
    network = start()
    network.take_way(name)
    with learning(network, encoded, session.config.training.dropout):
        trace = train(
            network,
            encoded,
            part.targets,
            session.task,
            session.problem,
            session.settings,
            plan,
            judge=judge_of(network),
            step=step,
        )
    return max(trace.scores)
