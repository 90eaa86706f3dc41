"""How fast a network learns here, and a plan that fits into the time that is left."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

from honed.networks.devices import forked_random
from honed.networks.engine import device_of, to_device
from honed.networks.learning import learning
from honed.networks.precision import autocast
from honed.tasks.contract import Array, Encoded
from honed.training.batching import epoch_batches, steps_per_epoch
from honed.training.loop import Plan, as_tensor, collated, n_steps
from honed.training.session import Session
from honed.training.time_limit import too_long

BATCHES = 4
"""Batches that are timed; the first one, which also warms up, does not count."""
UPDATE = 1.15
"""What a step takes beside reading a batch forwards and backwards."""
FORWARD = 0.35
"""Reading a held-out batch, as a share of a step."""
FILLED = 0.9
"""Share of the time that is left which a plan may fill."""
LEAST = 20
"""Fewer steps teach nothing, unless they are all there are."""


def in_time(session: Session, network: Any, encoded: Sequence[Encoded], targets: Array, plan: Plan, held: int) -> Plan:
    """The plan, with fewer steps where the time limit does not leave room for all: the rates come down by its end all the same.

    Parameters
    ----------
    held : int
        Held-out rows that are read after every epoch.

    Raises
    ------
    OutOfTimeError
        There is no room for so few steps either.
    """
    left = session.room() / session.n_fits
    if math.isinf(left):
        return plan
    whole, pass_ = n_steps(plan, len(encoded)), steps_per_epoch(len(encoded), plan.batch_size)
    pace = seconds_a_step(session, network, encoded, targets, plan)
    reading = FORWARD * pace * math.ceil(held / plan.batch_size)
    each = pace + reading / pass_
    steps = int((FILLED * left - reading) / each)
    if steps >= whole:
        return plan
    least = min(LEAST, whole)
    if steps < least:
        what = f"one pass over {len(encoded):,} {session.task.medium.many}"
        raise too_long(what, pass_ * each * session.n_fits, session.room())
    told = f"{steps:,} steps, what the time limit leaves room for; without it {plan.epochs}"
    session.choose("training.epochs", f"{steps / pass_:.2g}", "chosen", told)
    return dataclasses.replace(plan, epochs=math.ceil(steps / pass_), steps=steps)


def spare_steps(session: Session, network: Any, encoded: Sequence[Encoded], targets: Array, plan: Plan) -> float:
    """Steps that there is time for beside those of the plan, infinite without a limit; below 0 where it does not fit."""
    left = session.room() / session.n_fits
    if math.isinf(left):
        return left
    return left / seconds_a_step(session, network, encoded, targets, plan) - n_steps(plan, len(encoded))


def seconds_a_step(session: Session, network: Any, encoded: Sequence[Encoded], targets: Array, plan: Plan) -> float:
    """Seconds of one optimizer step, measured once in a run on a few batches; the network and random numbers stay as they are."""

    def measured() -> float:
        batches = epoch_batches([item["length"] for item in encoded], plan.batch_size, plan.seed, 0)[:BATCHES]
        before = {name: value.clone() for name, value in network.named_buffers()}
        with forked_random(), learning(network, encoded, session.config.training.dropout):
            network.train()
            times = [
                _seconds(session, network, [encoded[row] for row in rows], targets[rows], plan) for rows in batches
            ]
        for name, value in network.named_buffers():
            value.copy_(before[name])
        return UPDATE * sum(times[1:] or times) / len(times[1:] or times)

    found: float = session.remember("seconds a step", measured)
    return found


def _seconds(session: Session, network: Any, rows: list[Encoded], targets: Array, plan: Plan) -> float:
    """One batch forwards and backwards; nothing is learnt from it."""
    begin, device = time.monotonic(), device_of(network)
    plain, wanted = collated(network, rows, targets, (plan.seed, 0, 0))
    with autocast(plan.precision, device.type):
        outputs = network(to_device(plain, device))
    loss = session.task.loss(outputs, as_tensor(wanted, device), session.problem, session.settings)["loss"]
    if loss.requires_grad:
        loss.backward()
    float(loss.detach())
    for parameter in network.parameters():
        parameter.grad = None
    return time.monotonic() - begin
