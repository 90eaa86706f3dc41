"""The training loop: two plain functions over a task and a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from honed.errors import RunError
from honed.networks.devices import forked_random, repeatable
from honed.networks.engine import device_of, to_device
from honed.networks.precision import autocast
from honed.progress import Step
from honed.tasks.contract import Array, Batch, Encoded, Problem, Task
from honed.training.average import Average
from honed.training.batching import epoch_batches, steps_per_epoch
from honed.training.checkpoint import load_checkpoint, save_checkpoint, snapshot
from honed.training.optimizer import make_optimizer, set_rate

CHECKPOINT_EVERY_S = 30.0
MAX_NORM = 1.0


@dataclass(frozen=True)
class Plan:
    """How long and how fast one training runs.

    ``learning_rate`` is that of the topmost encoder layer, ``head_rate`` that of the head. With ``steps`` no more than so many
    are made, within the last epoch too, and the rates have come down by then; ``cut`` leaves the training after so many steps,
    as an interruption does. ``average`` is the share of all steps that a
    moving average of the weights looks back; 0 keeps none.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    head_rate: float = 1e-3
    layer_decay: float = 0.9
    weight_decay: float = 0.01
    precision: str = "fp32"
    seed: int = 0
    patience: int = 1000
    steps: int | None = None
    cut: int | None = None
    average: float = 0.0
    way: str = ""


def n_steps(plan: Plan, n: int) -> int:
    """Optimizer steps of a plan for n examples."""
    whole = plan.epochs * steps_per_epoch(n, plan.batch_size)
    return whole if plan.steps is None else min(whole, plan.steps)


@dataclass
class Trace:
    """What happened in a training: losses of every step, a score after every epoch, and the best weights.

    ``averaged`` says that the best weights are those of the moving average.
    """

    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best_epoch: int = -1
    best_weights: dict[str, torch.Tensor] | None = None
    averaged: bool = False
    seconds: float = 0.0
    finished: bool = True


Judge = Callable[[], float]
"""Scores the network as it stands on validation data; higher is better."""


def train(
    network: Any,
    encoded: Sequence[Encoded],
    targets: Array,
    task: Task,
    problem: Problem,
    settings: Any,
    plan: Plan,
    *,
    judge: Judge | None = None,
    checkpoint: Path | None = None,
    deadline: float | None = None,
    step: Step | None = None,
) -> Trace:
    """Train in place; with a judge the best epoch's weights are kept in the trace and training stops early.

    Where the plan keeps a moving average, the judge sees both it and the weights, and the better of the two is kept; without
    a judge it is the average as it ended.

    Parameters
    ----------
    targets : array of length n, encoded by the task
    checkpoint : Path, optional
        Folder to resume from and to save into every 30 s; the resumed training equals an uninterrupted one exactly.
    deadline : float, optional
        ``time.monotonic()`` value after which no step is begun; what was learnt until then is judged like an epoch.
    """
    optimizer = make_optimizer(
        network,
        learning_rate=plan.learning_rate,
        head_rate=plan.head_rate,
        layer_decay=plan.layer_decay,
        weight_decay=plan.weight_decay,
    )
    torch.manual_seed(plan.seed)
    trace, first_epoch, skip = Trace(), 0, 0
    total = n_steps(plan, len(encoded))
    average = Average(network, plan.average * total) if plan.average else None
    state = load_checkpoint(checkpoint, network, optimizer, average) if checkpoint else None
    if state:
        trace.losses, trace.scores, trace.best_epoch = state["losses"], state["scores"], state["best_epoch"]
        trace.averaged = state.get("averaged", False)
        first_epoch, skip = state["epoch"], state["step"]
        if step:
            step.advance(first_epoch * steps_per_epoch(len(encoded), plan.batch_size) + skip)
    keeper = _Keeper(checkpoint, network, optimizer, trace, average)
    keeper.restore_best()
    for epoch in range(first_epoch, plan.epochs):
        with repeatable(device_of(network).type):
            uncut = _epoch(
                network, optimizer, encoded, targets, task, problem, settings, plan, epoch, skip, keeper, step, deadline
            )
        if not uncut:
            trace.finished = False
            break
        skip = 0
        trace.finished = len(trace.losses) >= total
        late = deadline is not None and time.monotonic() > deadline
        if judge and _judge(judge, keeper, epoch, step) >= plan.patience:
            trace.finished = True
            break
        if trace.finished or not late:
            keeper.save(epoch + 1, 0, every=True)
        if trace.finished or late:
            break
    if average and judge is None and trace.finished:
        with average.shown():
            trace.best_weights, trace.averaged = snapshot(network), True
    return trace


def _judge(judge: Judge, keeper: _Keeper, epoch: int, step: Step | None) -> int:
    """Score the epoch, keep it if it is the best, and say how many epochs ago the best was."""
    trace, average = keeper.trace, keeper.average
    scores = [_score(judge)]
    if average:
        with average.shown():
            scores.append(_score(judge))
    trace.scores.append(max(scores))
    if step:
        step.note(f"epoch {epoch + 1}: {max(scores):.4f}")
    if trace.best_epoch < 0 or max(scores) > trace.scores[trace.best_epoch]:
        trace.best_epoch, trace.averaged = epoch, max(scores) > scores[0]
        with average.shown() if average and trace.averaged else nullcontext():
            trace.best_weights = snapshot(keeper.network)
        keeper.save_best()
    return epoch - trace.best_epoch


def _score(judge: Judge) -> float:
    with forked_random():
        return judge()


def _epoch(
    network: Any,
    optimizer: torch.optim.Optimizer,
    encoded: Sequence[Encoded],
    targets: Array,
    task: Task,
    problem: Problem,
    settings: Any,
    plan: Plan,
    epoch: int,
    skip: int,
    keeper: _Keeper,
    step: Step | None,
    deadline: float | None,
) -> bool:
    """One pass, or what of it the plan's ``steps`` and the deadline leave room for; False where it was ``cut``."""
    network.train()
    device = device_of(network)
    batches = epoch_batches([item["length"] for item in encoded], plan.batch_size, plan.seed, epoch)
    total = n_steps(plan, len(encoded))
    for position, rows in enumerate(batches):
        if position < skip:
            continue
        done = epoch * len(batches) + position
        if plan.cut is not None and done >= plan.cut:
            keeper.save(epoch, position, every=True)
            return False
        if done >= total or (deadline is not None and keeper.trace.losses and time.monotonic() > deadline):
            break
        set_rate(optimizer, done, total)
        plain, wanted = collated(network, [encoded[row] for row in rows], targets[rows], (plan.seed, epoch, position))
        batch = to_device(plain, device)
        with autocast(plan.precision, device.type):
            outputs = network(batch)
        loss = task.loss(outputs, as_tensor(wanted, device), problem, settings)["loss"]
        _update(network, optimizer, loss, done)
        if keeper.average:
            keeper.average.update()
        keeper.trace.losses.append(float(loss.detach()))
        keeper.save(epoch, position + 1)
        if step:
            step.advance()
    return True


def collated(network: Any, rows: Sequence[Encoded], targets: Array, seed: tuple[int, ...]) -> tuple[Batch, Array]:
    """A batch for training with its targets: varied by a generator of this seed where the network has variations."""
    vary = getattr(network, "collate_varied", None)
    if vary is None:
        return network.collate(rows), targets
    batch, wanted = vary(rows, targets, np.random.default_rng(seed))
    return batch, wanted


def as_tensor(targets: Array, device: torch.device | str = "cpu") -> Any:
    """Targets as the loss takes them: a tensor of numbers; objects stay as they are."""
    return targets if targets.dtype.kind == "O" else torch.as_tensor(targets, device=device)


def _update(network: Any, optimizer: torch.optim.Optimizer, loss: torch.Tensor, done: int) -> None:
    if not torch.isfinite(loss.detach()):
        raise RunError(
            "R020",
            f"The loss became {float(loss.detach())} at step {done}.",
            "Lower training.learning_rate or use training.precision=fp32.",
        )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([p for p in network.parameters() if p.requires_grad], MAX_NORM)
    optimizer.step()


class _Keeper:
    """Saves the state of a training now and then, and brings the best weights back after an interruption."""

    def __init__(
        self,
        folder: Path | None,
        network: Any,
        optimizer: torch.optim.Optimizer,
        trace: Trace,
        average: Average | None = None,
    ) -> None:
        self.folder, self.network, self.optimizer, self.trace, self.average = folder, network, optimizer, trace, average
        self.saved = time.monotonic()

    def save(self, epoch: int, position: int, every: bool = False) -> None:
        if self.folder is None or (not every and time.monotonic() - self.saved < CHECKPOINT_EVERY_S):
            return
        trace = self.trace
        state = {
            "epoch": epoch,
            "step": position,
            "losses": trace.losses,
            "scores": trace.scores,
            "best_epoch": trace.best_epoch,
            "averaged": trace.averaged,
        }
        save_checkpoint(self.folder, self.network, self.optimizer, state, self.average)
        self.saved = time.monotonic()

    @property
    def _best(self) -> Path | None:
        return self.folder.with_name(self.folder.name + "-best") if self.folder else None

    def save_best(self) -> None:
        if self._best and self.trace.best_weights is not None:
            from safetensors.torch import save_file

            from honed.files import whole_file

            with whole_file(self._best.with_suffix(".safetensors")) as temporary:
                save_file({name: value.contiguous() for name, value in self.trace.best_weights.items()}, temporary)

    def restore_best(self) -> None:
        if self._best and self.trace.best_epoch >= 0:
            from safetensors.torch import load_file

            self.trace.best_weights = load_file(self._best.with_suffix(".safetensors"))
