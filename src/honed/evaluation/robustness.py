"""The deciding metric after edits that should change nothing."""

from __future__ import annotations

import numpy as np

from honed.evaluation.figures import estimate
from honed.evaluation.results import RobustnessResult
from honed.media.medium import apply
from honed.metrics.intervals import bootstrap_interval, paired_difference, wilson
from honed.model import Model
from honed.progress import Progress
from honed.tasks.contract import Array, Input

MOST_ROWS = 400


def robustness(
    model: Model, inputs: list[Input], targets: Array, predicted: Array, seed: int, progress: Progress
) -> list[RobustnessResult]:
    """One result for each kind of edit that inputs of this medium have, on at most 400 rows."""
    medium = model.task.medium
    edits = [edit for edit in medium.edits() if not (edit.moves and model.task.judging.tells_places)]
    if not edits or len(inputs) < 20:
        return []
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(inputs), min(MOST_ROWS, len(inputs)), replace=False))
    chosen, truth, before = [inputs[row] for row in rows], targets[rows], predicted[rows]
    with progress.step(f"trying edited {medium.many}", len(edits)) as step:
        results = []
        for edit in edits:
            edited = apply(edit, chosen, seed)
            results.append(_one(model, edit.name, edit.title, chosen, edited, truth, before, seed))
            step.advance()
    return results


def _one(
    model: Model,
    name: str,
    title: str,
    chosen: list[Input],
    edited: list[Input],
    truth: Array,
    before: Array,
    seed: int,
) -> RobustnessResult:
    after = model.answers(edited).encoded
    metric = model.task.metrics(model.problem)[0]
    score = bootstrap_interval(metric.score, truth, after, n=300, seed=seed)
    better, worse = (before, after) if metric.higher_is_better else (after, before)
    drop = paired_difference(metric.score, truth, better, worse, n=300, seed=seed)
    judging = model.task.judging
    same = judging.same(before, after)
    broken = np.flatnonzero(~same & (judging.right(truth, before) if truth.dtype.kind != "f" else ~same))
    medium = model.task.medium
    example = (medium.shown(chosen[broken[0]]), medium.shown(edited[broken[0]])) if len(broken) else ("", "")
    return RobustnessResult(
        name,
        title,
        estimate(score),
        estimate(drop),
        estimate(wilson(int((~same).sum()), len(same))),
        len(chosen),
        example,
        (medium.picture(chosen[broken[0]]), medium.picture(edited[broken[0]])) if len(broken) else ("", ""),
    )
