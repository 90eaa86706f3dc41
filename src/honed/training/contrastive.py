"""Fine-tuning for few examples: texts of one label are drawn together, others pushed apart, then a head is fitted.

Every pair within a batch counts, so each text is read once where a scheme of sampled pairs reads it many times.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.networks.engine import NetworkPredictor, device_of, features_of, to_device
from honed.networks.precision import autocast
from honed.progress import Step
from honed.tasks.contract import Array, Input, Predictor
from honed.training.finetune import nothing_to_gain
from honed.training.optimizer import make_optimizer, set_rate
from honed.training.recipe import Recipe, with_head
from honed.training.session import Part, Session
from honed.training.soup import average
from honed.training.time_limit import too_long

MOST_ROWS = 2000
"""Above so many rows ordinary fine-tuning has enough to go on."""
BATCH = 64
READINGS = 40
"""How often each text is read, with the fewest rows; more rows need fewer readings."""
LEARNING_RATE = 5e-5
TOGETHER = 16
"""Texts of like length that are read at once, so that short ones are not padded to the longest of a batch."""
SHARE = 0.7
"""How far from the base to the tuned weights one goes: texts that were not shown are told apart better on the way than at its
end, most where labels are hard to tell apart."""
TIMED, LEAST = 3, 10
"""Steps after which the rest is planned for the time there is; the fewest that are worth it."""
NAMES = 3
"""How many examples the name of a label counts for: much among 8 of a label, little among 64."""


class ContrastiveRecipe(Recipe):
    """Bring the base's features into line with the labels, go part of the way back, then fit a linear head on them.

    Weights between the base and those that were tuned answer better than either (Wortsman et al., *Robust fine-tuning of
    zero-shot models*, 2022), and with few rows there are none to choose the share on: it is fixed.
    Where rows are too few to hold some out, the networks of the folds by which it is measured are not thrown away: what is
    shipped has the mean of their weights and those of the fit on all rows. All began from the same base, so the mean is as good
    as answers of all together (Wortsman et al., *Model soups*, 2022), at the price of one.
    """

    name, title, trust = "contrastive", "contrastive fine-tuning for few examples", 2

    def __init__(self) -> None:
        self._mean = _Mean()

    def skip_reason(self, session: Session, best: float | None) -> str | None:
        if session.base is None:
            return "there is no pre-trained base whose features could be brought into line"
        if session.problem.kind not in ("binary", "multiclass"):
            return "it needs one label a row"
        if len(session.train) > MOST_ROWS:
            return f"with more than {MOST_ROWS:,} rows plain fine-tuning has enough to go on"
        return nothing_to_gain(session, best) if session.folds == 1 else None

    def fit(self, session: Session, part: Part, watch: Part | None, tag: str) -> Predictor:
        network = with_head(session.frozen_network(), _no_head(session))
        inputs, targets = _with_names(session, part)
        encoded = network.encode(inputs)
        steps = n_steps(len(part))
        with session.progress.step(f"{self.title} ({tag})", steps) as step:
            fits = session.n_fits - self._mean.n
            budget = Budget(session.room() / fits, fits, whole=self._mean.n == 0)
            draw_together(network, encoded, targets, steps, session.precision(), session.seed, step, budget)
        network = average(session.frozen_network(), network, SHARE)
        if session.folds > 1:
            self._mean.add(network)
            if part is session.train:
                self._mean.put_into(network)
        features = features_of(network, inputs, precision=session.precision())
        head = session.task.fit_head(features, targets, session.problem, session.settings, session.seed)
        return NetworkPredictor(with_head(network, head))


class _Mean:
    """The mean of the weights of networks, as they come."""

    def __init__(self) -> None:
        self.n, self._kept = 0, {}  # type: ignore[var-annotated]

    def add(self, network: Any) -> None:
        """Take in one more."""
        self.n += 1
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                kept = self._kept.setdefault(name, value.clone())
                kept += (value - kept) / self.n

    def put_into(self, network: Any) -> None:
        """Give a network the mean."""
        network.load_state_dict(self._kept, strict=False)


def _with_names(session: Session, part: Part) -> tuple[list[Input], Array]:
    """The examples, and a few times the names of the labels where those say what they mean."""
    names = session.task.label_inputs(session.problem)
    if names is None:
        return part.inputs, part.targets
    codes = np.arange(len(names), dtype=part.targets.dtype)
    return part.inputs + names * NAMES, np.concatenate([part.targets, *[codes] * NAMES])


def _no_head(session: Session) -> dict[str, Array]:
    head = session.frozen_network().head
    return {
        "weight": np.zeros(tuple(head.weight.shape), np.float32),
        "bias": np.zeros(tuple(head.bias.shape), np.float32),
    }


def n_steps(n: int) -> int:
    """Optimizer steps for n rows: every row is read 40 times when there are 64 or fewer, less often for more."""
    readings = READINGS * (64 / max(64, n)) ** 0.5
    return max(20, round(n * readings / min(BATCH, n)))


@dataclass(frozen=True)
class Budget:
    """Seconds for this fit, how many fits like it come with it, and whether all are given up where time does not do for them."""

    seconds: float = float("inf")
    fits: int = 1
    whole: bool = False

    def steps(self, wanted: int, pace: float) -> int:
        """So many of the steps wanted as there is time for, with these seconds for each.

        Raises
        ------
        OutOfTimeError
        """
        if math.isinf(self.seconds):
            return wanted
        least, there = min(LEAST, wanted), int(self.seconds / pace)
        if self.whole and there < least:
            raise too_long("the shortest training of this kind", least * pace * self.fits, self.seconds * self.fits)
        return min(wanted, max(least, there))


def draw_together(
    network: Any,
    encoded: list[Any],
    targets: Array,
    steps: int,
    number_format: str,
    seed: int,
    step: Step,
    budget: Budget,
) -> None:
    """Train the network's features in place so that the cosine of two texts says whether they share a label.

    When the budget will not do for all steps, the schedule is shortened after the third.

    Raises
    ------
    OutOfTimeError
    """
    import torch

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    optimizer = make_optimizer(network, learning_rate=LEARNING_RATE, head_rate=0.0, layer_decay=1.0, weight_decay=0.01)
    device = device_of(network)
    network.train()
    begin, done = time.monotonic(), 0
    while done < steps:
        set_rate(optimizer, done, steps)
        rows = rng.permutation(len(encoded))[:BATCH]
        rows = rows[np.argsort([encoded[row]["length"] for row in rows], kind="stable")]
        parts = [rows[first : first + TOGETHER] for first in range(0, len(rows), TOGETHER)]
        with autocast(number_format, device.type):
            found = [
                network.features(to_device(network.collate([encoded[row] for row in part]), device)) for part in parts
            ]
        loss = pair_loss(torch.cat(found).float(), torch.as_tensor(targets[rows], device=device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step.advance()
        done += 1
        if done == TIMED:
            steps = budget.steps(steps, (time.monotonic() - begin) / done)
    network.eval()


def pair_loss(features: Any, targets: Any) -> Any:
    """Squared error of cosine similarity against "same label", equal and unequal pairs weighing the same."""
    import torch

    unit = torch.nn.functional.normalize(features, dim=-1)
    same = (targets[:, None] == targets[None]).float()
    off_diagonal = 1.0 - torch.eye(len(targets), device=features.device)
    error = (unit @ unit.T - same) ** 2 * off_diagonal
    alike, unlike = same * off_diagonal, (1.0 - same)
    return 0.5 * (error * alike).sum() / alike.sum().clamp(min=1) + 0.5 * (error * unlike).sum() / unlike.sum().clamp(
        min=1
    )
