"""The training loop: steps, held-out loss, samples, checkpoints; stopped and gone on with, it gives the same losses."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from honed.errors import RunError
from honed.files import write_json
from honed.networks.decoders.loading import Loaded
from honed.pretraining.curve import Curve, read_curve
from honed.pretraining.engine import Learner, judge
from honed.pretraining.folder import write_folder
from honed.pretraining.optimizer import Optimizers, rate_at
from honed.pretraining.packing import Rows
from honed.pretraining.plan import Plan
from honed.pretraining.sampling import sample
from honed.pretraining.shards import Stream
from honed.progress import Step
from honed.training.checkpoint import load_checkpoint, save_checkpoint

SAVE_EVERY_S, MOST_NORM = 30.0, 1.0
CHECKPOINT, METRICS, SAMPLES = "checkpoint", "metrics.csv", "samples.json"


@dataclass
class State:
    """How far a training is: ``steps`` may change with the time that is left."""

    step: int
    steps: int
    seconds: float = 0.0
    best_step: int = 0
    best_loss: float = math.inf
    samples: list[dict[str, Any]] = field(default_factory=list)


class Stopped(KeyboardInterrupt):
    """Ctrl-C, between two steps."""


class Training:
    """One training in a run folder.

    Parameters
    ----------
    card : callable
        The text of the model's README, from (step, held-out loss).
    deadline : float, optional
        ``time.monotonic()`` value at which it must have ended.
    base : Loaded, optional
        The decoder that goes on learning.
    """

    def __init__(
        self, plan: Plan, folder: Path, train: Stream, validation: Stream, tokenizer: Any, *,
        card: Callable[[int, float], str], deadline: float | None = None, base: Loaded | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.folder, self.validation, self.tokenizer = plan, folder, validation, tokenizer
        self.card, self.deadline = card, deadline
        self.learner: Learner = plan.learner()
        if base is not None:
            self.learner.network.load_state_dict(base.network.state_dict())
        self.vocabulary = base.vocabulary if base is not None else None
        self.optimizers: Optimizers = plan.optimizers(self.learner)
        self.rows = Rows(train, plan.row, plan.seed)
        found = load_checkpoint(folder / CHECKPOINT, self.learner.network, self.optimizers)
        self.state = State(**found) if found else State(0, plan.steps)
        self.curve: Curve = read_curve(folder / METRICS, self.state.step)
        self.saved = time.monotonic()

    def run(self, step: Step, say: Callable[[str], None]) -> None:
        """Train to the end.

        Raises
        ------
        KeyboardInterrupt
            Everything is saved, and the folder ``model`` can be used.
        RunError [R020]
            The loss became no number.
        """
        state, begin, first = self.state, time.monotonic(), self.state.step
        step.advance(state.step)
        with interrupts() as interrupted:
            while state.step < state.steps:
                loss = self._step()
                step.advance()
                step.note(f"loss {loss:.3f}")
                pace = (time.monotonic() - begin) / (state.step - first)
                step.advance(self._replan(pace, state.step - first))
                if self._due():
                    self._evaluate(say)
                if interrupted():
                    self._stop()
                if time.monotonic() - self.saved > SAVE_EVERY_S:
                    self.save()
        self.save()

    def _step(self) -> float:
        state, plan, begin = self.state, self.plan, time.monotonic()
        factor = rate_at(state.step, state.steps)
        self.optimizers.set_rate(factor)
        rows = self.rows.take(state.step * plan.rows, plan.rows)
        self.learner.forget()
        loss = self.learner.learn(rows, plan.at_once)
        norm = float(torch.nn.utils.clip_grad_norm_(self.learner.network.parameters(), MOST_NORM))
        if not math.isfinite(loss) or not math.isfinite(norm):
            seen = f"The loss became {loss} at step {state.step + 1}."
            raise RunError(
                "R020", seen, "Lower training.learning_rate and training.matrix_rate, or set training.precision=fp32."
            )
        self.optimizers.step()
        state.step += 1
        state.seconds += time.monotonic() - begin
        self.curve.rows.append(
            (state.step, state.step * plan.step_tokens, loss, factor, norm, round(state.seconds, 4), None)
        )
        return loss

    def _replan(self, pace: float, done: int) -> int:
        """Fit the number of steps to the time: fewer where it would not suffice, more in the first two thirds where some
        would be left. The rate then falls sooner or later. Returns how many steps less."""
        state = self.state
        if self.deadline is None or done % max(1, state.steps // 200):
            return 0
        left = state.steps - state.step
        possible = max(0, int((self.deadline - time.monotonic()) / pace))
        if possible > left:
            late = state.step > state.steps * 2 / 3 or done < 20
            possible = left if late else max(left, min(possible, self.plan.most_steps - state.step))
        if possible and abs(possible - left) * 50 <= left:
            return 0
        state.steps = state.step + possible
        return left - possible

    def _due(self) -> bool:
        every = max(1, self.plan.steps // self.plan.evaluations)
        return self.state.step % every == 0 or self.state.step == self.state.steps

    def _evaluate(self, say: Callable[[str], None]) -> None:
        """Held-out loss and a sample; the best weights so far become the model in the run folder."""
        state = self.state
        loss, _ = judge(self.learner, self.validation, most_rows=self.plan.judged_rows)
        self.curve.rows[-1] = (*self.curve.rows[-1][:-1], loss)
        text = sample(self.learner, self.tokenizer, self.plan.prompt, self.plan.seed)
        state.samples.append({"step": state.step, "loss": loss, "text": text})
        say(f"step {state.step:,} of {state.steps:,}: held-out loss {loss:.3f}, for example {text[:60]!r}")
        if loss < state.best_loss:
            state.best_loss, state.best_step = loss, state.step
            self._write(state.step, loss)
        write_json(self.folder / SAMPLES, state.samples)

    def _write(self, step: int, loss: float) -> None:
        write_folder(
            self.folder / "model", self.learner.network, self.tokenizer, self.card(step, loss), self.vocabulary
        )

    def _stop(self) -> None:
        if not (self.folder / "model" / "config.json").exists():
            loss, _ = judge(self.learner, self.validation, most_rows=self.plan.judged_rows)
            self._write(self.state.step, loss)
        self.save()
        raise Stopped

    def save(self) -> None:
        """Write all that is needed to go on."""
        self.curve.save(self.folder / METRICS)
        save_checkpoint(self.folder / CHECKPOINT, self.learner.network, self.optimizers, asdict(self.state))
        self.saved = time.monotonic()


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Ctrl-C is kept until it is asked for, so that no step is left half done; a second one is not."""
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.getsignal(signal.SIGINT)

    def hold(number: int, frame: Any) -> None:
        if held and callable(before):
            before(number, frame)
        held.append(number)

    signal.signal(signal.SIGINT, hold)
    try:
        yield lambda: bool(held)
    finally:
        signal.signal(signal.SIGINT, before)
