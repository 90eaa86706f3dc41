"""Parts of the data that are served worse: named groups, and parts found by what inputs look like.

A part that is found is looked for on one half of the rows and confirmed on the other, so that chance is not reported.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from honed.data.table import Table
from honed.evaluation.figures import estimate
from honed.evaluation.results import SliceResult
from honed.metrics.intervals import Interval, bootstrap_interval
from honed.model import Model
from honed.tasks.contract import Array, Input

FEWEST, FEWEST_OF_A_GROUP = 20, 10
MOST_GROUPS = 12
CERTAINTY = 0.05


def group_slices(
    model: Model, table: Table, columns: tuple[str, ...], targets: Array, predicted: Array, seed: int
) -> list[SliceResult]:
    """Every group of the named columns with at least 10 rows against the rest, significance after Holm (1979)."""
    found = []
    for column in columns:
        if column not in table.names:
            continue
        values = np.array(table.texts(column))
        names, counts = np.unique(values, return_counts=True)
        for name in names[np.argsort(-counts)][:MOST_GROUPS]:
            member = values == name
            if FEWEST_OF_A_GROUP <= member.sum() <= len(member) - FEWEST_OF_A_GROUP:
                found.append((f"{column} = {name or '(empty)'}", member))
    return _compared(model, "group", found, targets, predicted, seed)


def found_slices(model: Model, inputs: list[Input], targets: Array, predicted: Array, seed: int) -> list[SliceResult]:
    """Parts told by what the inputs look like that are served worse."""
    parts = model.task.medium.forms(inputs) if len(inputs) >= 8 * FEWEST else {}
    if not parts:
        return []
    half = np.random.default_rng(seed).random(len(inputs)) < 0.5
    errors = model.task.judging.errors(targets, predicted)
    suspects = []
    for name, member in parts.items():
        look = member & half
        if look.sum() >= FEWEST and (member & ~half).sum() >= FEWEST and (~member & half).sum() >= FEWEST:
            gap = errors[look].mean() - errors[~member & half].mean()
            spread = np.sqrt(errors[look].var() / look.sum() + errors[~member & half].var() / (~member & half).sum())
            if gap > 1.5 * max(spread, 1e-9):
                suspects.append((gap / max(spread, 1e-9), name, member))
    suspects.sort(key=lambda suspect: -suspect[0])
    confirm = [(name, member[~half]) for _, name, member in suspects[:5]]
    return [
        part for part in _compared(model, "found", confirm, targets[~half], predicted[~half], seed) if part.significant
    ]


def _compared(
    model: Model, kind: Any, parts: list[tuple[str, Array]], targets: Array, predicted: Array, seed: int
) -> list[SliceResult]:
    metric = model.task.metrics(model.problem)[0]
    errors = model.task.judging.errors(targets, predicted)
    results = []
    for name, member in parts:
        inside = bootstrap_interval(metric.score, targets[member], predicted[member], n=300, seed=seed)
        outside = bootstrap_interval(metric.score, targets[~member], predicted[~member], n=300, seed=seed)
        results.append(
            (name, int(member.sum()), inside, _gap(inside, outside), _p_value(errors[member], errors[~member]))
        )
    passed = _holm([p for *_, p in results])
    return [
        SliceResult(name, kind, n, estimate(inside), estimate(gap), significant)
        for (name, n, inside, gap, _), significant in zip(results, passed, strict=True)
    ]


def _gap(inside: Interval, outside: Interval) -> Interval:
    value = inside.value - outside.value
    low = value - float(np.hypot(inside.value - inside.low, outside.high - outside.value))
    high = value + float(np.hypot(inside.high - inside.value, outside.value - outside.low))
    return Interval(value, low, high)


def _p_value(first: Array, second: Array) -> float:
    """Two-sided: Fisher's exact test for right and wrong answers, Welch's test for sizes of error."""
    from scipy.stats import fisher_exact, ttest_ind

    if set(np.unique(first)) | set(np.unique(second)) <= {0.0, 1.0}:
        table = [[first.sum(), len(first) - first.sum()], [second.sum(), len(second) - second.sum()]]
        return float(fisher_exact(table).pvalue)
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return 1.0
    return float(ttest_ind(first, second, equal_var=False).pvalue)


def _holm(p_values: list[float]) -> list[bool]:
    order = np.argsort(p_values)
    passed = [False] * len(p_values)
    for rank, position in enumerate(order):
        if p_values[position] > CERTAINTY / (len(p_values) - rank):
            break
        passed[position] = True
    return passed
