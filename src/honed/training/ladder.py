"""Climbing the ladder: from the cheapest method to the dearest, always holding a usable model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from honed.errors import RungError
from honed.evaluation.results import RungResult
from honed.finding import Finding
from honed.metrics.intervals import Interval, paired_difference
from honed.resources import peak_memory_mib
from honed.tasks.contract import Array, Decision, Predictor
from honed.training.candidate import Candidate, saved
from honed.training.contrastive import ContrastiveRecipe
from honed.training.finetune import HELD_OUT, FineTuneRecipe
from honed.training.measure import estimate, utility
from honed.training.preference import PreferenceRecipe
from honed.training.recipe import BaselineRecipe, FewShotRecipe, ProbeRecipe, Recipe, ZeroShotRecipe
from honed.training.session import Session
from honed.training.soup import SoupRecipe
from honed.training.time_limit import OutOfTimeError

ORDER = ("baseline", "zero-shot", "probe", "contrastive", "fine-tune", "preference", "soup")


@dataclass
class Ladder:
    """The rungs as they were climbed, and the best candidate so far."""

    results: list[RungResult] = field(default_factory=list)
    candidates: dict[str, Candidate] = field(default_factory=dict)
    best: Candidate | None = None
    trust: int = 0
    """That of the best one's recipe."""

    def lines(self) -> list[RungResult]:
        """The rungs in the order climbed, the best one marked."""
        best = self.best.name if self.best else ""
        return [
            self.candidates[line.name].result(line.name == best) if line.name in self.candidates else line
            for line in self.results
        ]


Better = Callable[[Candidate, Ladder], None]


def climb(
    session: Session, on_better: Better | None = None, on_rung: Callable[[RungResult], None] | None = None
) -> Ladder:
    """Measure every rung that makes sense; ``on_better`` is called whenever a rung is the best so far.

    Rungs that an interrupted climb of the same run has finished are read back, not climbed again.
    """
    ladder = Ladder()
    for recipe in recipes(session, ladder):
        candidate = _candidate(session, recipe, ladder)
        if isinstance(candidate, str):
            ladder.results.append(RungResult(recipe.name, recipe.title, "skipped", None, 0.0, 0.0, note=candidate))
        else:
            ladder.candidates[recipe.name] = candidate
            ladder.results.append(candidate.result(False))
            if ladder.best is None or _better(session, candidate, recipe.trust, ladder.best, ladder.trust):
                ladder.best, ladder.trust = candidate, recipe.trust
                session.usable = True
                if on_better:
                    on_better(candidate, ladder)
        if on_rung:
            on_rung(ladder.lines()[-1])
    _tell_trust(session, ladder)
    if ladder.best is not None:
        ladder.best.wake()
    return ladder


def _better(session: Session, candidate: Candidate, trust: int, best: Candidate, trusted: int) -> bool:
    """By what they score; where rows are few, what is trusted more gives way only to what is ahead by more than chance."""
    if session.folds == 1 or trust == trusted:
        return candidate.utility > best.utility
    lead = _lead(session, candidate, best)
    return lead.high >= 0 if trust > trusted else lead.low > 0


def _lead(session: Session, first: Candidate, second: Candidate) -> Interval:
    """How far the first is ahead on the rows both were measured on, higher is better, with its 95 % interval."""
    metric = session.task.metrics(session.problem)[0]
    both = (first, second) if metric.higher_is_better else (second, first)
    answers = [session.task.decode(one.outputs, session.problem, Decision()).encoded for one in both]
    return paired_difference(metric.score, session.train.targets, answers[0], answers[1], seed=session.seed)


def _tell_trust(session: Session, ladder: Ladder) -> None:
    top = max(ladder.candidates.values(), key=lambda one: one.utility)
    if ladder.best is None or top is ladder.best:
        return
    reason = f"{top.title} scores more, but not by more than chance on {len(session.train)} rows"
    session.choose("final method", ladder.best.title, "chosen", reason)


def recipes(session: Session, ladder: Ladder):  # type: ignore[no-untyped-def]
    """The rungs of this task, lazily: the last ones depend on those before."""
    facts, last = session.task.facts, ORDER.index(session.config.training.stop_after)
    head = facts.linear_head or facts.frozen_head
    for baseline in session.task.baselines(session.problem, session.settings):
        yield BaselineRecipe(baseline)
    if facts.zero_shot and last >= 1:
        yield ZeroShotRecipe(session.task.zero_shot_title)
    if facts.few_shot and last >= 1:
        yield FewShotRecipe(1)
        yield FewShotRecipe()
    if head and last >= 2:
        yield ProbeRecipe()
    if facts.contrastive and last >= 3:
        yield ContrastiveRecipe()
    if (head or facts.whole) and last >= 4:
        yield FineTuneRecipe(starts_from_head=head)
    if session.task.prefers(session.problem) and last >= 5:
        yield PreferenceRecipe(_predictor(ladder, "fine-tune"))
    if head and last >= 6:
        yield SoupRecipe(_predictor(ladder, "probe"), _predictor(ladder, "fine-tune"))


def _predictor(ladder: Ladder, name: str) -> Predictor | None:
    return ladder.candidates[name].predictor if name in ladder.candidates else None


def _why_not(session: Session, recipe: Recipe, ladder: Ladder) -> str | None:
    if saved(session.folder / "ladder" / recipe.name):
        return None
    if ladder.best is not None and session.time_left() <= 0:
        return "the time limit was reached"
    return recipe.skip_reason(session, ladder.best.score.value if ladder.best else None)


def _candidate(session: Session, recipe: Recipe, ladder: Ladder) -> Candidate | str:
    """The rung climbed, or why not."""
    reason = _why_not(session, recipe, ladder)
    if reason:
        return reason
    try:
        return _load_or_measure(session, recipe)
    except OutOfTimeError as error:
        return str(error)
    except RungError as error:
        if ladder.best is None:
            raise
        session.findings.append(Finding(error.code, "issue", error.seen, error.remedy))
        return error.seen


def _load_or_measure(session: Session, recipe: Recipe) -> Candidate:
    folder = session.folder / "ladder" / recipe.name
    if saved(folder):
        return Candidate.load(folder, session.task, session.problem)
    candidate = measure(session, recipe)
    candidate.save(folder)
    if recipe.rests and session.task.facts.whole:
        candidate.rest(folder, session.task, session.problem)
    return candidate


def measure(session: Session, recipe: Recipe) -> Candidate:
    """Fit a recipe and measure it on held-out rows, or out of fold where there are few rows."""
    begin = time.monotonic()
    if session.folds > 1:
        outputs, targets = _out_of_fold(session, recipe), session.train.targets
        predictor = recipe.fit(session, session.train, None, "all")
    else:
        predictor = recipe.fit(session, session.train, session.validation, HELD_OUT)
        outputs, targets = recipe.outputs(session, predictor, session.validation), session.validation.targets
    score = estimate(session.task, session.problem, outputs, targets, session.seed)
    worth = utility(session.task, session.problem, session.settings, outputs, targets)
    seconds = time.monotonic() - begin
    return Candidate(recipe.name, recipe.title, predictor, outputs, score, worth, seconds, peak_memory_mib())


def _out_of_fold(session: Session, recipe: Recipe) -> Array:
    found: list[tuple[Array, Array]] = []
    for number, (rows, held) in enumerate(session.fold_rows()):
        predictor = recipe.fit(session, session.train.take(rows), None, f"fold {number + 1}")
        found.append((held, recipe.outputs(session, predictor, session.train.take(held))))
    positions = np.concatenate([held for held, _ in found])
    outputs: Array = np.concatenate([rows for _, rows in found])
    result: Array = outputs[np.argsort(positions)]
    return result
