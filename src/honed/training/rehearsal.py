"""Before a long training: one batch is learnt by heart on a copy of the network, in a few steps.

What cannot learn a handful of examples that it sees again and again will not learn thousands: its inputs look alike, its
labels contradict each other, its loss does not reach its weights, or its learning rate is far off.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from honed.errors import RungError
from honed.finding import Finding
from honed.networks.devices import forked_random
from honed.networks.engine import device_of, to_device
from honed.networks.precision import autocast
from honed.tasks.contract import Array, Encoded, Problem, Task
from honed.training.batching import epoch_batches
from honed.training.loop import MAX_NORM, Plan, as_tensor, collated, n_steps
from honed.training.optimizer import make_optimizer
from honed.training.session import Session

STEPS = 16
LONG = 10
"""A training of fewer than so many times ``STEPS`` is its own rehearsal."""
FALLEN = 0.9
"""The loss must come down to this share of what it was."""
FACTORS = (1.0, 0.1, 10.0, 0.01, 100.0)
"""Learning rates that are tried, the next one only where the one before did not learn."""


@dataclass(frozen=True)
class Rehearsal:
    """How learning one batch went: the learning rates' factor, the loss before, the lowest one seen, and in how many steps."""

    factor: float
    first: float
    lowest: float
    steps: int

    @property
    def learnt(self) -> bool:
        """The loss fell clearly."""
        return math.isfinite(self.lowest) and self.first - self.lowest > (1 - FALLEN) * abs(self.first)


def rehearse_once(session: Session, network: Any, encoded: Sequence[Encoded], targets: Array, plan: Plan) -> None:
    """Rehearse before the first long training of a session; a learning rate that is too low is noted as a finding.

    Raises
    ------
    RungError [R022, R023]
        One batch cannot be learnt at all, or not with so high a learning rate.
    """
    if n_steps(plan, len(encoded)) < LONG * STEPS:
        return

    def rehearsed() -> list[Rehearsal]:
        return rehearse(network, encoded, targets, session.task, session.problem, session.settings, plan)

    tries = session.remember("rehearsal", rehearsed)
    _judge(session, tries, plan)


def _judge(session: Session, tries: list[Rehearsal], plan: Plan) -> None:
    first, last = tries[0], tries[-1]
    seen = f"Of {STEPS} steps on the same {plan.batch_size} examples none brought the loss clearly below its {first.first:.3g}"
    if not last.learnt:
        remedy = "Look whether the inputs differ and whether labels contradict each other; other methods are kept."
        raise RungError(
            "R022",
            f"{seen}, at a hundredth to a hundred times the learning rate either: there is nothing to learn.",
            remedy,
        )
    rates = (
        f"{plan.learning_rate:.1e} as learning rate, but {last.steps} did with {plan.learning_rate * last.factor:.1e}"
    )
    if last.factor < 1.0:
        raise RungError(
            "R023", f"{seen} with {rates}: it is too high.", "Lower training.learning_rate, or set it to 0."
        )
    if last.factor > 1.0 and not any(finding.code == "R023" for finding in session.findings):
        remedy = "Raise training.learning_rate, or set it to 0."
        session.findings.append(Finding("R023", "issue", f"{seen} with {rates}: it is low.", remedy))


def rehearse(
    network: Any, encoded: Sequence[Encoded], targets: Array, task: Task, problem: Problem, settings: Any, plan: Plan
) -> list[Rehearsal]:
    """Learn the first batch of a plan on copies of the network until one of :data:`FACTORS` does it; one entry for each try.

    A few steps do where all is well. The network and the state of random numbers stay as they are.
    """
    rows = epoch_batches([item["length"] for item in encoded], plan.batch_size, plan.seed, 0)[0]
    batch, wanted = collated(network, [encoded[row] for row in rows], targets[rows], (plan.seed, 0, 0))
    device = device_of(network)
    given, true = to_device(batch, device), as_tensor(wanted, device)
    tries: list[Rehearsal] = []
    for factor in FACTORS:
        twin = copy.deepcopy(network).train()

        def loss_of(twin: Any = twin) -> torch.Tensor:
            with autocast(plan.precision, device.type):
                outputs = twin(given)
            found: torch.Tensor = task.loss(outputs, true, problem, settings)["loss"]
            return found

        with forked_random():
            torch.manual_seed(plan.seed)
            tries.append(_learn(twin, loss_of, plan, factor))
        if tries[-1].learnt:
            break
    return tries


def _learn(network: Any, loss_of: Any, plan: Plan, factor: float) -> Rehearsal:
    """Up to :data:`STEPS` steps without warm-up, fewer once the loss has fallen."""
    optimizer = make_optimizer(
        network, learning_rate=plan.learning_rate * factor, head_rate=plan.head_rate * factor,
        layer_decay=plan.layer_decay, weight_decay=0.0,
    )  # fmt: skip
    losses: list[float] = []
    while True:
        loss = loss_of()
        losses.append(float(loss.detach()))
        found = Rehearsal(factor, losses[0], min(losses), len(losses) - 1)
        if found.learnt or len(losses) > STEPS or not math.isfinite(losses[-1]) or not loss.requires_grad:
            return found
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([p for p in network.parameters() if p.requires_grad], MAX_NORM)
        optimizer.step()
