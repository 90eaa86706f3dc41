"""Real performance, as the truth about answers arrives: in the order of arrival, in blocks, under its own budget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

from honed.data.table import Table
from honed.evaluation.evaluate import targets_of
from honed.evaluation.results import Estimate, MetricResult
from honed.metrics.intervals import bootstrap_interval, wilson
from honed.model import Model
from honed.monitoring.compare import DISTANCE, DROP, Found, percent
from honed.monitoring.evidence import distance_p_value, histogram_distance, share_p_values
from honed.monitoring.looks import ALPHA, LABEL_SHARE, Look, Looks
from honed.monitoring.reference import Watched
from honed.monitoring.results import Check
from honed.monitoring.windows import Span
from honed.tasks.contract import Array

BLOCK = 100
"""Labels in one block; one look is taken for each."""
NEWEST = 1_000
"""Labels that the figures of real performance are worked out from: the newest."""


@dataclass(frozen=True)
class Truth:
    """Answers whose truth is known, in the order in which it became known: JSON texts, and when (UTC milliseconds)."""

    at: Array
    predictions: list[str]
    labels: list[str]
    labelled_at: Array

    def __len__(self) -> int:
        return len(self.predictions)


@dataclass(frozen=True)
class Judged:
    """Encoded answers and truths; ``good`` is 1 for right and 0 for wrong, or the absolute error of numbers."""

    predicted: Array
    targets: Array
    good: Array


def usable(watched: Watched, truth: Truth) -> Truth:
    """The rows whose truth says something: not null, and a number where numbers are predicted."""
    values = [json.loads(label) for label in truth.labels]
    good = [value is not None and (not watched.problem.numeric or np.isfinite(_number(value))) for value in values]
    if all(good):
        return truth
    rows = np.flatnonzero(good)
    return Truth(
        truth.at[rows], [truth.predictions[i] for i in rows], [truth.labels[i] for i in rows], truth.labelled_at[rows]
    )


def judge(watched: Watched, truth: Truth) -> Judged:
    """Encode answers and truths as the task does; labels the model does not know count as wrong."""
    judging = watched.task.judging
    again = judging.from_words([json.loads(t) for t in truth.predictions], [json.loads(t) for t in truth.labels],
                               watched.problem.labels)  # fmt: skip
    predicted, targets = again or (_encoded(watched, truth.predictions), _encoded(watched, truth.labels))
    good = np.abs(predicted - targets) if watched.problem.numeric else judging.right(targets, predicted)
    return Judged(predicted, targets, np.asarray(good, dtype=float))


def _encoded(watched: Watched, texts: Sequence[str]) -> Array:
    values = [json.loads(text) for text in texts]
    if watched.problem.labels:
        several = any(isinstance(value, list) for value in values)
        plain: list[Any] = (
            [value if isinstance(value, list) else [value] for value in values]
            if several
            else [_name(v) for v in values]
        )
    else:
        plain = [_number(value) for value in values]
    column = {watched.problem.target: plain}
    return targets_of(cast(Model, watched), Table(pa.table(column), "the log", ""))


def _name(value: Any) -> str | None:
    return None if value is None else str(value)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def looks_at(watched: Watched, truth: Truth, judged: Judged) -> list[Look]:
    """Every whole block of labels against the held-out rows."""
    answers = watched.reference.answers
    if answers is None or (answers.right is None and answers.errors is None):
        return []

    def compare(counts: Any, budget: float) -> list[Check]:
        return [_share(watched, counts, budget)] if answers.right is not None else [_errors(watched, counts, budget)]

    looks, found = Looks(compare, ALPHA * LABEL_SHARE), []
    for number in range(len(truth) // BLOCK):
        rows = slice(number * BLOCK, (number + 1) * BLOCK)
        counts: dict[str, Any] = {"n": BLOCK}
        counts["good"] = answers.errors.count(judged.good[rows]) if answers.errors else int(judged.good[rows].sum())
        times = truth.labelled_at[rows]
        found += list(looks.add(Span(number + 1, counts, int(times[0]), int(times[-1]), True)))
    return found


def _share(watched: Watched, counts: Any, budget: float) -> Check:
    answers = watched.reference.answers
    assert answers is not None and answers.right is not None
    n, hits = counts["n"], counts["good"]
    p = float(share_p_values(np.array([hits]), n, np.array([answers.right]), answers.n, side="less")[0])
    now, then = hits / n, answers.right / answers.n
    message = f"Right in {percent(now)} of {n:,} rows whose truth is known ({percent(then)} of held-out rows when it was made)."
    return Found("performance", "share right", now, then, "%", p, then - now >= DROP, message).judged(budget)


def _errors(watched: Watched, counts: Any, budget: float) -> Check:
    answers = watched.reference.answers
    assert answers is not None and answers.errors is not None
    now, then = np.asarray(counts["good"]), answers.errors.counts
    distance = histogram_distance(now, then)
    worse = float((np.cumsum(then) / then.sum() - np.cumsum(now) / now.sum()).sum()) > 0
    p = distance_p_value(distance, int(now.sum()), int(then.sum()))
    message = f"Its errors grew: {percent(distance)} of {counts['n']:,} rows whose truth is known lie further off than when it was made."
    return Found(
        "performance", "size of errors", distance, 0.0, "%", p, worse and distance >= DISTANCE, message
    ).judged(budget)


def share_right(good: Array) -> Estimate:
    """Share of right answers with its 95 % interval (Wilson)."""
    found = wilson(float(good.sum()), len(good))
    return Estimate(found.value, found.low, found.high)


def real_metrics(watched: Watched, judged: Judged) -> list[MetricResult]:
    """The task's metrics on the newest labelled rows, with 95 % intervals."""
    targets, predicted = judged.targets[-NEWEST:], judged.predicted[-NEWEST:]
    found = []
    for metric in watched.task.metrics(watched.problem):
        interval = bootstrap_interval(metric.score, targets, predicted, n=300)
        estimate = Estimate(interval.value, interval.low, interval.high)
        found.append(MetricResult(metric.name, metric.title, metric.unit, metric.higher_is_better, estimate))
    return found
