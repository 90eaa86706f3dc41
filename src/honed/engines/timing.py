"""Timing engines beside each other, in turns, so that a busy moment of the machine hits all of them.

A turn is a few calls of one engine after some that are not counted: the threads of the engine before spin on for a moment,
and its weights fill the caches, while in production an engine has the machine to itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from honed.tasks.contract import Input, Predictor

TURNS, CALLS, WARM = 5, 5, 3
PAUSE_S = 0.02
"""Rest before a turn, until the threads of the engine before have gone to sleep."""
BUDGET_S = 6.0
"""Seconds after which no further round of turns begins."""
BATCH_ROWS = 256


LEAST_ROWS = 32
"""Rows that are compared however long they take."""
COMPARED_S, BATCH_S = 20.0, 2.0
"""Seconds that one engine may take to answer the rows it is compared on, and those that are timed."""


SHORT, LONG = 0.25, 0.9
"""Which of the inputs, sorted by length, stand for short and for long ones."""
WEIGHTS = (0.65, 0.35)
"""Parts of short and long in the mean. An engine may win on one and lose on the other; the mean is what a day of requests takes."""


def short_and_long(predictor: Predictor, inputs: Sequence[Input]) -> tuple[Input, Input]:
    """A short and a long one of the inputs; ``predictor`` is one with a network."""
    encoded = predictor.network.encode(list(inputs[:BATCH_ROWS]))  # type: ignore[attr-defined]
    order = sorted(range(len(encoded)), key=lambda position: encoded[position]["length"])
    short, long = (inputs[order[min(len(order) - 1, int(share * len(order)))]] for share in (SHORT, LONG))
    return short, long


def affordable(predictor: Predictor, inputs: Sequence[Input]) -> tuple[int, int]:
    """Of so many rows answers are compared, and so many are timed at once: all, where a row takes milliseconds."""
    some = list(inputs[:4])
    predictor.outputs(some)
    begin = time.perf_counter()
    predictor.outputs(some)
    seconds = (time.perf_counter() - begin) / len(some)
    compared = max(LEAST_ROWS, int(COMPARED_S / seconds))
    return compared, min(BATCH_ROWS, max(4, int(BATCH_S / seconds)))


def single_ms(
    predictors: Mapping[str, Predictor], rows: Sequence[Input], *, turns: int = TURNS, budget_s: float = BUDGET_S
) -> dict[str, float]:
    """Median milliseconds of one call with these rows for each engine."""
    found = _in_turns(predictors, list(rows), turns, CALLS, WARM, budget_s)
    return {name: 1000 * float(np.median(seconds)) for name, seconds in found.items()}


def weighed_ms(
    predictors: Mapping[str, Predictor], short_row: Input, long_row: Input
) -> dict[str, tuple[float, float, float]]:
    """Milliseconds of a request for each engine: the weighed mean, those of the short row, those of the long one."""
    short, long = (single_ms(predictors, [row], budget_s=BUDGET_S / 2) for row in (short_row, long_row))
    return {name: (float(np.dot(WEIGHTS, (short[name], long[name]))), short[name], long[name]) for name in predictors}


def rows_per_s(
    predictors: Mapping[str, Predictor], rows: Sequence[Input], *, turns: int = 3, budget_s: float = BUDGET_S
) -> dict[str, float]:
    """Rows a second for each engine over all rows, the best of a few turns."""
    for predictor in predictors.values():
        predictor.outputs(list(rows))
    found = _in_turns(predictors, list(rows), turns, 1, 0, budget_s)
    return {name: len(rows) / min(seconds) for name, seconds in found.items()}


def _in_turns(
    predictors: Mapping[str, Predictor], rows: list[Input], turns: int, calls: int, warm: int, budget_s: float
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in predictors}
    end = time.perf_counter() + budget_s
    for turn in range(turns):
        if turn and time.perf_counter() > end:
            break
        for name, predictor in predictors.items():
            time.sleep(PAUSE_S)
            for call in range(-warm, calls):
                begin = time.perf_counter()
                predictor.outputs(rows)
                if call >= 0:
                    seconds[name].append(time.perf_counter() - begin)
    return seconds
