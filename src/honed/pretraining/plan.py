"""What a run will do, settled once from text, time and machine, so that a run that goes on does the same."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from honed.errors import RunError
from honed.evaluation.results import Choice
from honed.networks.decoders.shape import Shape
from honed.networks.devices import best_device
from honed.networks.precision import bf16_possible
from honed.pretraining import engine
from honed.pretraining.optimizer import Optimizers, make_optimizers
from honed.pretraining.settings import LearningConfig, PretrainConfig
from honed.pretraining.shards import BOUNDARY
from honed.pretraining.size import LADDER, Size, choose_size, shape_of_size, working_parameters
from honed.wording import number

CONTEXTS = ((0.0, 64), (4e6, 128), (16e6, 256), (256e6, 512), (4e9, 1024))
"""Tokens of a row, from so many tokens on that will be read: short rows learn sooner, see docs/decisions."""
USEFUL = (64, 128, 256)
"""Tokens of a row at least, where tokens are several letters each and the text is long enough: shorter ones are too short for rows of
tables, and longer ones cost nothing there."""
AT_ONCE = {"cpu": 2048, "cuda": 65536}
"""Tokens computed at once."""
TOGETHER = {"cpu": 8, "cuda": 1024}
"""How many times faster than alone rows may be computed together, bf16 included: from above."""
TOO_SHORT = "R040", "The time is too short for a single step.", "Give more with --time-limit."
PASSES = 16.0
"""Passes over a text at most."""
TIMING, CLOSING = 0.06, 0.04
"""Shares of the time for timing sizes, and for the last evaluation and the report."""
KEPT = 0.2
"""Share of the time that is kept for learning, however slow a busy machine reads and times."""
COMPILE_FROM_S = {"cpu": 1800.0, "cuda": 240.0}
MATRIX_RATE, RATE = 0.02, 3e-3
"""Chosen on the validation text of wikitext-2, see docs/decisions."""


@dataclass(frozen=True)
class Plan:
    """All that the training loop needs to know."""

    shape: dict[str, Any]
    device: str
    precision: str
    compiled: bool
    rows: int
    at_once: int
    steps: int
    most_steps: int
    optimizer: str
    learning_rate: float
    matrix_rate: float
    weight_decay: float
    seed: int
    evaluations: int
    judged_rows: int
    prompt: str
    peak_flops: float
    context: int = 0
    boundary: int = BOUNDARY

    def learner(self) -> engine.Learner:
        """A fresh decoder, the same for the same seed."""
        return engine.Learner(
            Shape(**self.shape), self.precision, self.device, self.seed, self.compiled, context=self.context,
            boundary=self.boundary,
        )  # fmt: skip

    def optimizers(self, learner: engine.Learner) -> Optimizers:
        """Fresh optimizers of it."""
        exact = torch.bfloat16 if self.precision == "bf16" else torch.float32
        return make_optimizers(
            learner.network, kind=self.optimizer, learning_rate=self.learning_rate, matrix_rate=self.matrix_rate,
            weight_decay=self.weight_decay, dtype=exact,
        )  # fmt: skip

    @property
    def row(self) -> int:
        """Tokens of a row."""
        return self.context or int(self.shape["context"])

    @property
    def step_tokens(self) -> int:
        return self.rows * self.row


def time_for_learning(limit: float, begin: float) -> float:
    """Seconds that are left of a limit for learning, and a fifth of it at least."""
    return max(begin + limit - time.monotonic(), KEPT * limit)


class Planner:
    """Makes a plan, and says of every part whether it was chosen, a default or yours.

    Parameters
    ----------
    text : int
        Tokens that are learnt from.
    limit : float or None
        Seconds that were given for everything.
    begin : float
        ``time.monotonic()`` value at which they began.
    pairs : bool
        Tokens are byte pairs, several letters each.
    """

    def __init__(
        self, config: PretrainConfig, yours: set[str], n_tokens: int, text: int, limit: float | None, begin: float,
        pairs: bool = False,
    ) -> None:  # fmt: skip
        self.pairs = pairs
        self.config, self.yours, self.n_tokens, self.text = config, yours, n_tokens, text
        self.limit, self.begin = limit, begin
        self.device = best_device()
        self.choices: list[Choice] = []

    def make(self) -> Plan:
        """The plan.

        Raises
        ------
        RunError [R040]
            The time is too short for a single step.
        """
        learning, most = self.config.training, self._most_tokens()
        first = self.config.shape.context or self._least()
        shapes = self._shapes(first)
        self._one_step_fits(shapes[0])
        precision = self._precision(shapes[0])
        size = self._size(first, precision)
        context = self._context(min(size.tokens, most))
        if context != first:
            longer = replace(size.shape, context=context)
            size = replace(size, shape=longer, token_s=self._pace(precision)(longer))
        rows = learning.rows or self._rows(min(size.tokens, most), context)
        steps = self._steps(size, rows * context, most)
        self._choose(
            "training.rows", rows, f"{rows * context:,} tokens in a step, about 1.5 times the root of all tokens"
        )
        at_once = learning.rows_at_once or max(1, min(rows, AT_ONCE[self.device] // context))
        if at_once < rows:
            self._choose(
                "training.rows_at_once", at_once, f"gradients of {math.ceil(rows / at_once)} parts are added up"
            )
        compiled = self._compiled()
        rate = learning.learning_rate or RATE * (
            1.0 if learning.optimizer == "muon" else min(1.0, math.sqrt(128 / size.shape.width))
        )
        self._choose("training.learning_rate", f"{rate:.2g}", "")
        if learning.optimizer == "muon":
            self._choose("training.matrix_rate", f"{learning.matrix_rate or MATRIX_RATE:.2g}", "")
        judged = max(8, round(0.06 * steps * rows / learning.evaluations))
        return Plan(
            asdict(size.shape), self.device, precision, compiled, rows, min(at_once, rows), steps,
            learning.steps or max(steps, int(most / (rows * context))), learning.optimizer, rate,
            learning.matrix_rate or MATRIX_RATE, learning.weight_decay, learning.seed, learning.evaluations, judged,
            learning.prompt, engine.peak_flops(precision, self.device),
        )  # fmt: skip

    def _choose(self, name: str, value: Any, reason: str) -> None:
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        self.choices.append(
            Choice(name, shown, "yours" if name in self.yours else "chosen", "" if name in self.yours else reason)
        )

    def _left(self) -> float:
        return math.inf if self.limit is None else time_for_learning(self.limit, self.begin)

    def _least(self) -> int:
        """Tokens of a row at least."""
        return max(size for size in USEFUL if size == USEFUL[0] or (self.pairs and size <= self.text // 64))

    def _context(self, tokens: float) -> int:
        fitting = max(CONTEXTS[0][1], self.text // 64)
        found = self.config.shape.context or max(
            self._least(), *(size for least, size in CONTEXTS if tokens >= least and size <= fitting)
        )
        self._choose(
            "shape.context", found, "tokens it reads at most; short rows learn sooner where few tokens can be read"
        )
        return found

    def _shapes(self, context: int) -> list[Shape]:
        """Sizes that come into question; one where its width or blocks are given."""
        given = self.config.shape
        ladder = list(LADDER)
        if given.width or given.layers:
            layers = given.layers or min((abs(width - given.width), layers) for width, layers in LADDER)[1]
            width = given.width or min((abs(blocks - layers), width) for width, blocks in LADDER)[1]
            ladder = [(width, layers)]
        heads = given.heads
        return [
            shape_of_size(given.kind, self.n_tokens, context, width, layers, heads)
            for width, layers in ladder
            if not heads or width % heads == 0
        ]

    def _precision(self, shape: Shape) -> str:
        wanted = self.config.training.precision
        if wanted != "auto":
            self._choose("training.precision", wanted, "")
            return wanted
        found, reason = engine.choose_precision(shape, self.device, self._timed_rows(shape))
        self._choose("training.precision", found, reason)
        return found

    def _one_step_fits(self, shape: Shape) -> None:
        """A step far longer than all the time is told by the time of one row, before anything larger is timed."""
        rows, left = self.config.training.rows, self._left()
        if not rows or self.config.training.steps or not math.isfinite(left):
            return
        learner = engine.Learner(shape, "fp32", self.device, 0)
        if engine.step_seconds(learner, 1, 1) * rows / TOGETHER[self.device] > left:
            raise RunError(*TOO_SHORT)

    def _timed_rows(self, shape: Shape) -> int:
        learning = self.config.training
        return learning.rows_at_once or min(learning.rows or 1 << 20, max(1, AT_ONCE[self.device] // shape.context))

    def _most_tokens(self) -> float:
        return self.text * (self.config.training.most_epochs or PASSES)

    def _size(self, context: int, precision: str) -> Size:
        learning = self.config.training
        shapes = self._shapes(context)
        seconds = self._left() * (1 - TIMING - CLOSING)
        if not math.isfinite(seconds):
            seconds = 600.0  # steps are given: as large as ten minutes would make it
        timing_ends = time.monotonic() + TIMING * seconds
        tried = choose_size(
            shapes,
            self._pace(precision),
            seconds,
            self.text,
            self._most_tokens(),
            lambda: time.monotonic() < timing_ends,
        )
        best = min(tried, key=lambda size: size.loss)
        count = working_parameters(best.shape)
        tokens = min(best.tokens, self._most_tokens())
        words = (
            f"{best.shape.n_parameters:,} parameters; of {len(tried)} sizes timed here the law expects the lowest loss of it: "
            f"{number(tokens / count)} tokens a parameter, {number(tokens / self.text)} passes over the text"
        )
        if learning.steps:
            words = f"{best.shape.n_parameters:,} parameters"
        self._choose("shape.width", best.shape.width, words)
        self._choose("shape.layers", best.shape.n_layers, "")
        self._choose("shape.heads", best.shape.n_heads, "")
        return best

    def _pace(self, precision: str) -> Callable[[Shape], float]:
        """A function that measures seconds a token of training with a shape, the optimizer's included."""

        def pace(shape: Shape) -> float:
            learning, rows = self.config.training, self._timed_rows(shape)
            learner = engine.Learner(shape, precision, self.device, 0)
            step = engine.step_seconds(learner, rows, 1) / (rows * shape.context)
            exact = torch.bfloat16 if precision == "bf16" and bf16_possible(self.device) else torch.float32
            optimizers = make_optimizers(
                learner.network,
                kind=learning.optimizer,
                learning_rate=0.0,
                matrix_rate=0.0,
                weight_decay=0.0,
                dtype=exact,
            )
            for parameter in learner.network.parameters():
                parameter.grad = torch.zeros_like(parameter)
            update = engine.seconds_of(optimizers.step, self.device, 1)
            seconds = self._left() if self.limit else 600.0
            whole = learning.rows or self._rows(min(seconds / step, self._most_tokens()), shape.context)
            return step + update / (whole * shape.context)

        return pace

    def _rows(self, tokens: float, context: int) -> int:
        least = 1 if self.device == "cpu" else 8
        return max(least, round(1.5 * math.sqrt(max(tokens, 1)) / context))

    def _steps(self, size: Size, step_tokens: int, most: float) -> int:
        learning: LearningConfig = self.config.training
        if learning.steps:
            self._choose("training.steps", learning.steps, "")
            return learning.steps
        possible = self._left() * (1 - CLOSING) / (step_tokens * size.token_s)
        if possible < 1:
            raise RunError(*TOO_SHORT)
        enough = max(1, int(most / step_tokens))
        steps = min(int(possible), enough)
        words = (
            f"the text was then read {number(steps * step_tokens / self.text)} times"
            if steps == enough
            else "what the time allows"
        )
        self._choose("training.steps", steps, words)
        return steps

    def _compiled(self) -> bool:
        wanted = self.config.training.compile
        able = self.device != "cpu" or bool(shutil.which("g++") or shutil.which("clang++"))
        long = able and self.limit is not None and self._left() >= COMPILE_FROM_S[self.device]
        found = long if wanted == "auto" else wanted == "yes"
        why = (
            "it pays in longer runs, where there is a C++ compiler"
            if not found
            else "the run is long enough for it to pay"
        )
        self._choose("training.compile", "yes" if found else "no", why)
        return found
