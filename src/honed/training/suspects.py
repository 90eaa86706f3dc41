"""Labels and annotations that look wrong, told after the ladder, when there is something to judge them by.

Labels are judged by a linear model of what the frozen base sees, which was not shown them (confident learning, Northcutt et
al., 2021); annotations of several parts by what the best method found. Neither changes anything: they are findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from honed.checks.labels import FOLDS, MOST_CELLS, MOST_ROWS, Judge, judged_labels, out_of_fold
from honed.finding import Finding
from honed.tasks.contract import Array, Predictions, ShownLabels
from honed.training.candidate import Candidate
from honed.training.session import Session, joined

LEAST, MOST_SHOWN, MOST_PREDICTED = 50, 4, 2000
"""Labels below which nothing is said; pictures in a finding; training rows that are predicted for it."""
PULL = 0.1
"""Inverse strength of the pull towards zero of the linear model."""
KINDS = {
    "missing": ("object that nobody annotated", "objects that nobody annotated"),
    "box": ("box far off", "boxes far off"),
}
"""What doubts are called, one and many."""


def suspects(
    session: Session, best: Candidate, decided: Any, rows: Array, known: Sequence[Finding] = ()
) -> list[Finding]:
    """D150 labels and D151 annotations that look wrong, the surest first.

    Parameters
    ----------
    best : Candidate
        The method that won.
    decided : callable (outputs)
        Outputs as answers.
    rows : int array
        Which row of the data each training row is, then each validation row.
    known : sequence of Finding
        What was found before; labels that were judged already are not judged again.
    """
    judged = any(finding.code == "D150" and finding.level != "not applicable" for finding in known)
    return [*([] if judged else suspect_labels(session, rows)), *suspect_parts(session, best, decided, rows)]


def suspect_labels(session: Session, rows: Array) -> list[Finding]:
    """D150, by cross-validation of a linear model on frozen features."""
    everything = joined(session.train, session.validation)
    if session.task.facts.linear_head:
        read = session.read_rows(everything)
        everything, rows = everything.take(read), rows[read]
    found = session.task.shown_labels(
        session.frozen_network(), everything.inputs, everything.targets, lambda: session.frozen_features(everything)
    )
    if found is None:
        return []
    found = _enough(found, session.seed)
    if len(found.labels) < LEAST or len(np.unique(found.labels)) < 2:
        return []
    medium, judging, labels = session.task.medium, session.task.judging, session.problem.labels

    def shown(position: int) -> str:
        place = found.places[position]
        return medium.shown(everything.inputs[found.rows[position]]) + (f" {place}" if place else "")

    probabilities = out_of_fold(found.features, found.labels, len(labels), linear_judge, session.seed)
    judge = Judge("A linear model of the base's features", medium.many)
    told = judged_labels(
        probabilities, found.labels, labels, judge, rows[found.rows], shown, session.problem.target
    )  # fmt: skip
    where = {int(row): position for position, row in enumerate(rows)}
    positions = [where[row - 1] for row in told.rows[:MOST_SHOWN]]
    seen = [(everything.inputs[position], everything.targets[position]) for position in positions]
    pictures = [judging.picture(given, target, None, labels) or medium.picture(given) for given, target in seen]
    return [_with_pictures(told, pictures)]


def _enough(found: ShownLabels, seed: int) -> ShownLabels:
    """Labels that are there in every fold, and not so many that it takes minutes."""
    counts = np.bincount(found.labels)
    stay = np.flatnonzero(counts[found.labels] >= FOLDS)
    most = min(MOST_ROWS, max(2000, MOST_CELLS // max(1, len(counts))))
    if len(stay) > most:
        stay = np.sort(np.random.default_rng(seed).choice(stay, most, replace=False))
    return ShownLabels(
        found.features[stay], found.labels[stay], found.rows[stay], tuple(found.places[position] for position in stay)
    )


def linear_judge() -> Any:
    """A fresh linear model that judges labels by features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=PULL, max_iter=200, tol=1e-3))


def suspect_parts(session: Session, best: Candidate, decided: Any, rows: Array) -> list[Finding]:
    """D151, by what the best method found: held-out or out-of-fold answers, and those for the rows it has learnt from."""
    judging, labels = session.task.judging, session.problem.labels
    if not judging.tells_places or best.predictor.kind != "network":
        return []
    held = session.train if session.folds > 1 else session.validation
    parts, numbers, outputs = (
        [held],
        [rows[: len(held)] if session.folds > 1 else rows[len(session.train) :]],
        [best.outputs],
    )
    if session.folds == 1:
        known = session.train.take(np.arange(min(MOST_PREDICTED, len(session.train))))
        parts, numbers = [*parts, known], [*numbers, rows[: len(known)]]
        outputs.append(best.predictor.outputs(known.inputs))
    part, which = parts[0] if len(parts) == 1 else joined(*parts), np.concatenate(numbers)
    answers: Predictions = decided(np.concatenate(outputs))
    doubts = judging.doubts(part.targets, answers.encoded, labels)
    if not doubts:
        return [Finding("D151", "passed", f"No annotation looks wrong among {len(part):,} {session.task.medium.many}.")]
    counts = Counter(doubt.kind for doubt in doubts)
    told = " and ".join(f"{counts[kind]:,} {names[counts[kind] > 1]}" for kind, names in KINDS.items() if counts[kind])
    order = list(dict.fromkeys(doubt.row for doubt in doubts))
    finding = Finding(
        "D151", "tip", f"Perhaps {told}, on {len(order):,} of {len(part):,} {session.task.medium.many}.",
        "Look at them first: what is not annotated is learnt as background.", (session.problem.target,),
        tuple(int(which[row]) + 1 for row in order[:20]), len(order),
        tuple(f"{session.task.medium.shown(part.inputs[doubt.row])}: {doubt.text}" for doubt in doubts[:5]),
        {"counts": dict(counts)},
    )  # fmt: skip
    pictures = [
        judging.picture(part.inputs[row], part.targets[row], answers.encoded[row], labels) for row in order[:MOST_SHOWN]
    ]
    return [_with_pictures(finding, pictures)]


def _with_pictures(finding: Finding, pictures: list[str]) -> Finding:
    there = [picture for picture in pictures if picture]
    return replace(finding, details={**finding.details, "pictures": there}) if there else finding
