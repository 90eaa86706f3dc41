"""Preference tuning: pairs of texts of which one is the better move the network that learnt to write, held to what it was."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.files import whole_file
from honed.finding import Finding
from honed.metrics.intervals import wilson
from honed.networks.engine import NetworkPredictor
from honed.networks.learning import learning
from honed.networks.lora import merge, wrap
from honed.tasks.contract import Array, Predictor
from honed.training.batching import steps_per_epoch
from honed.training.checkpoint import restore, snapshot
from honed.training.finetune import LORA_RATE, FineTuneRecipe, nothing_to_gain
from honed.training.loop import Plan, train
from honed.training.preference_loss import BETAS, PairLoss
from honed.training.recipe import Recipe
from honed.training.session import Part, Session

EPOCHS, BATCH, PATIENCE, SLOWER = 4, 16, 2, 0.3
"""Passes over the pairs, pairs in a step, epochs without gain, and the learning rate as a share of that of adapters."""
FALLEN = 0.1
"""Nats a token by which preferred texts may become less likely before it is told."""
BETA = "preference beta"


class PreferenceRecipe(Recipe):
    """Direct preference optimisation, from the fine-tuned network where there is one."""

    name, title = "preference", "tuned to what is preferred (DPO)"

    def __init__(self, before: Predictor | None) -> None:
        self.before = before

    def skip_reason(self, session: Session, best: float | None) -> str | None:
        return nothing_to_gain(session, best)

    def fit(self, session: Session, part: Part, watch: Part | None, tag: str) -> Predictor:
        held = watch if watch is not None and len(watch) else None
        pairs = session.task.pairs(copy.deepcopy(self._start(session, part, tag)))
        encoded = pairs.encode(part.inputs, part.targets)
        seen = pairs.encode(held.inputs, held.targets) if held else []
        reference, before = _reference(session, pairs, encoded, tag), pairs.chances(seen)
        adapters = session.config.training.adapter != "full"
        if adapters:
            wrap(pairs.network, everywhere=True, seed=session.seed)
        first = snapshot(pairs)
        kept: list[_Try] = []
        betas = BETAS if held else (session.remember(BETA, lambda: BETAS[0]),)
        for beta in betas:
            if kept and session.time_left() <= 0:
                break
            restore(pairs, first)
            kept.append(_learn(session, pairs, encoded, reference, seen, before, beta, f"{tag}, beta {beta:g}"))
        best = max(kept, key=lambda one: one.worth)
        restore(pairs, best.weights)
        if held:
            session.forget(BETA)
            session.remember(BETA, lambda: best.beta)
            self._tell(session, seen, before, pairs.chances(seen), kept, best)
        if adapters:
            merge(pairs.network)
        return NetworkPredictor(pairs.network.eval())

    def _start(self, session: Session, part: Part, tag: str) -> Any:
        """The fine-tuned network, of each fold its own, which has not seen the rows that are held out of it."""
        before = self.before
        if before is not None and session.folds > 1:
            before = FineTuneRecipe(starts_from_head=False).fit(session, part, None, tag)
        return before.network if isinstance(before, NetworkPredictor) else session.frozen_network()

    def _tell(
        self, session: Session, seen: list[Any], before: Array, after: Array, kept: list[_Try], best: _Try
    ) -> None:
        """How often the better text was the likelier one, before and after, and what became of its own likelihood."""
        was, now = _right(before[:, 0] - before[:, 1]), _right(after[:, 0] - after[:, 1])
        base = wilson(was, len(seen))
        found = wilson(now, len(seen))
        gain = float((after[:, 0] - before[:, 0]).sum() / max(1.0, before[:, 2].sum()))
        tried = ", ".join(f"{one.beta:g}: {100 * one.accuracy:.0f} %" for one in kept)
        session.choose(
            "preference.beta", f"{best.beta:g}", "chosen", f"held-out pairs whose margin grew the right way ({tried})"
        )
        words = (
            f"before it was so for {100 * base.value:.0f} % ({100 * base.low:.0f} to {100 * base.high:.0f}); a token of a preferred "
            f"text gained {gain:+.3f} nats"
        )
        told = (
            f"{100 * found.value:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f}) of {len(seen)} held-out pairs"
        )
        session.choose("the preferred text is the likelier", told, "chosen", words)
        if gain < -FALLEN:
            seen_ = f"Preferred texts became less likely by {-gain:.2f} nats a token while others fell further."
            session.findings.append(
                Finding("R025", "issue", seen_, "Look at what it writes; more or clearer pairs help.")
            )


@dataclass(frozen=True)
class _Try:
    """What came of one strength: its weights, the share of held-out pairs whose margin grew, and what decides."""

    beta: float
    accuracy: float
    worth: float
    weights: dict[str, Any]


def _learn(
    session: Session, pairs: Any, encoded: list[Any], reference: Array, seen: list[Any], before: Array, beta: float, tag: str
) -> _Try:  # fmt: skip
    settings = session.config.training
    adapters = settings.adapter != "full"
    epochs, size = settings.epochs or EPOCHS, settings.batch_size or BATCH
    rate = (settings.learning_rate or LORA_RATE) * (SLOWER if adapters else 0.1 * SLOWER)
    plan = Plan(epochs, size, rate, rate, 1.0, 0.0, session.precision(), session.seed, PATIENCE)
    scores: list[tuple[float, float]] = []

    def judge() -> float:
        after = pairs.chances(seen)
        gains = after[:, :2] - before[:, :2]
        right = _right(gains[:, 0] - gains[:, 1]) / len(seen)
        worth = right + 0.01 * float(np.tanh(gains[:, 0].sum() / max(1.0, before[:, 2].sum())))
        scores.append((right, worth))
        return worth

    folder = session.folder / "checkpoint" / f"preference-{tag}".replace(", ", "-").replace(" ", "-")
    total = epochs * steps_per_epoch(len(encoded), size)
    loss: Any = PairLoss(beta)
    with session.progress.step(f"preference tuning ({tag})", total) as step, learning(pairs.network, encoded):
        trace = train(
            pairs, encoded, reference, loss, session.problem, session.settings, plan, judge=judge if seen else None,
            checkpoint=folder, deadline=session.deadline, step=step,
        )  # fmt: skip
    weights = trace.best_weights if trace.best_weights is not None else snapshot(pairs)
    worth = max(trace.scores) if trace.scores else 0.0
    accuracy = next((right for right, one in scores if one == worth), round(worth, 2))
    return _Try(beta, accuracy, worth, weights)


def _right(margins: Array) -> float:
    """How many are above zero, half of those that are zero."""
    return float((margins > 0).sum() + 0.5 * (margins == 0).sum())


def _reference(session: Session, pairs: Any, encoded: list[Any], tag: str) -> Array:
    """Log-probabilities (n, 2) before learning: computed once, and kept on disk for resumed runs."""
    kept = session.folder / "checkpoint" / f"reference-{tag.replace(' ', '-')}.npy"
    if kept.exists():
        again: Array = np.load(kept, allow_pickle=False)
        return again
    found: Array = pairs.chances(encoded)[:, :2]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(kept) as temporary, temporary.open("wb") as stream:
        np.save(stream, found)
    return found
