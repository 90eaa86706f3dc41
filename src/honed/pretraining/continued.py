"""Going on from a base: its plan, the older text among the new, and what is forgotten.

The rate rises and falls anew, to a smaller height than from nothing, and some older text is read along (Ibrahim et al., *Simple and
scalable strategies to continually pre-train large language models*, 2024).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

import torch

from honed.data.documents import Piece
from honed.generation.at_hand import continued
from honed.generation.settings import Settings
from honed.networks.decoders.loading import Loaded
from honed.networks.decoders.shape import Shape
from honed.networks.decoders.vocabulary import Vocabulary
from honed.pretraining import engine
from honed.pretraining.plan import AT_ONCE, Plan, Planner
from honed.pretraining.size import Size

ROW, PASSES = 256, 4.0
"""Tokens of a row and passes over the text at most."""
RATE = 1e-3
"""Highest rate of AdamW for a million parameters, falling with the root of their count, as in fine-tuning."""
OWN_ROWS, OWN_TOKENS = 48, 64
"""Rows that the base writes itself, where no older text is given, and tokens of each at most."""
OWN = "what the base writes by itself"


def between(vocabulary: Vocabulary) -> tuple[int, ...]:
    """Tokens that stand between documents: what ends a text, and what begins one."""
    begin = vocabulary.begin if vocabulary.begin is not None else (vocabulary.ends or (0,))[0]
    end = vocabulary.ends[0] if vocabulary.ends else begin
    return (begin,) if end == begin else (end, begin)


class ContinuedPlanner(Planner):
    """A plan for a base whose shape is given; the parameters are those of :class:`Planner`, and ``shape``."""

    shape: Shape
    boundary: int

    def make(self) -> Plan:
        """The plan. Raises RunError [R040]."""
        learning, most = self.config.training, self._most_tokens()
        context = min(self.shape.context, self.config.shape.context or ROW)
        self._choose("shape.context", context, f"tokens of a row; the base reads {self.shape.context:,} at most")
        row = replace(self.shape, context=context)
        precision = self._precision(row)
        token_s = self._pace(precision)(row)
        size = Size(row, token_s, min(self._left() / token_s, most), 0.0)
        rows = learning.rows or self._rows(min(size.tokens, most), context)
        steps = self._steps(size, rows * context, most)
        self._choose("training.rows", rows, f"{rows * context:,} tokens in a step")
        optimizer = learning.optimizer if "training.optimizer" in self.yours else "adamw"
        self._choose("training.optimizer", optimizer, "muon would turn matrices that another optimizer learnt")
        rate = learning.learning_rate or RATE * math.sqrt(1e6 / self.shape.n_parameters)
        self._choose("training.learning_rate", f"{rate:.2g}", "rises and falls anew; as in fine-tuning")
        judged = max(8, round(0.06 * steps * rows / learning.evaluations))
        at_once = learning.rows_at_once or max(1, min(rows, AT_ONCE[self.device] // context))
        return Plan(
            asdict(self.shape), self.device, precision, False, rows, min(at_once, rows), steps,
            learning.steps or max(steps, int(most / (rows * context))), optimizer, rate, learning.matrix_rate or 0.1 * rate,
            learning.weight_decay, learning.seed, learning.evaluations, judged, learning.prompt,
            engine.peak_flops(precision, self.device), context, self.boundary,
        )  # fmt: skip

    def _most_tokens(self) -> float:
        return self.text * (self.config.training.most_epochs or PASSES)


def planner_of(given: tuple[Any, ...], base: Loaded) -> ContinuedPlanner:
    """A planner of what :class:`Planner` is given, and the base."""
    found = ContinuedPlanner(*given)
    assert base.shape is not None
    found.shape, found.boundary = base.shape, between(base.vocabulary)[-1]
    return found


def with_replay(
    pieces: Iterable[tuple[bool, Piece]], older: Iterable[Piece], share: float
) -> Iterator[tuple[bool, Piece]]:
    """New pieces with documents of the older text between them, so that these have ``share`` of what is learnt."""
    source, owed = iter(older), 0.0
    held: Piece | None = None
    for is_held, piece in pieces:
        while piece.begins and owed > 0:
            held = held or next(source, None)
            if held is None:
                owed = -math.inf
                break
            first = True
            while held is not None and (first or not held.begins):
                yield False, held
                owed -= len(held.text)
                held, first = next(source, None), False
        if not is_held:
            owed += len(piece.text) * share / (1 - share)
        yield is_held, piece


def own_rows(learner: engine.Learner, vocabulary: Vocabulary, seed: int, n: int = OWN_ROWS) -> torch.Tensor:
    """Rows (n, tokens) that the network writes by itself, drawn as likely as it finds them.

    The rise of their loss is the divergence of the network as it becomes from what it is now: what it unlearns of all it could write.
    """
    wanted = Settings(max_tokens=OWN_TOKENS, temperature=1.0, seed=seed, ignore_end=True)
    found = continued(learner.loaded(vocabulary), [[learner.boundary]] * n, wanted)
    return torch.tensor([[learner.boundary, *one.ids] for one in found])


def loss_of_rows(learner: engine.Learner, rows: torch.Tensor) -> tuple[float, int]:
    """Mean loss of rows, and how many tokens were predicted."""
    learner.network.eval()
    with torch.no_grad():
        losses = learner.losses(rows)
    learner.network.train()
    return float(losses.double().mean()), losses.numel()
