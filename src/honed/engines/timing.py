"""Timing engines beside each other: in turns, so that a busy moment of the machine hits all of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from honed.tasks.contract import Input, Predictor

ROUNDS, WARM = 15, 3
BUDGET_S = 4.0
"""Seconds after which no further round begins."""
BATCH_ROWS = 256


def typical(predictor: Predictor, inputs: Sequence[Input]) -> Input:
    """The input of median length; ``predictor`` is one with a network."""
    encoded = predictor.network.encode(list(inputs[:BATCH_ROWS]))  # type: ignore[attr-defined]
    order = sorted(range(len(encoded)), key=lambda position: encoded[position]["length"])
    return inputs[order[len(order) // 2]]


def single_ms(predictors: Mapping[str, Predictor], one: Input, rounds: int = ROUNDS) -> dict[str, float]:
    """Median milliseconds of one request for each engine, in turns."""
    for predictor in predictors.values():
        for _ in range(WARM):
            predictor.outputs([one])
    return {name: 1000 * float(np.median(found)) for name, found in _in_turns(predictors, [one], rounds).items()}


def rows_per_s(predictors: Mapping[str, Predictor], inputs: Sequence[Input], rounds: int = 3) -> dict[str, float]:
    """Rows a second for each engine over all inputs, the best of a few turns."""
    rows = list(inputs)
    for predictor in predictors.values():
        predictor.outputs(rows)
    return {name: len(rows) / min(found) for name, found in _in_turns(predictors, rows, rounds).items()}


def _in_turns(predictors: Mapping[str, Predictor], rows: list[Input], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in predictors}
    end = time.perf_counter() + BUDGET_S
    for turn in range(rounds):
        if turn and time.perf_counter() > end:
            break
        for name, predictor in predictors.items():
            begin = time.perf_counter()
            predictor.outputs(rows)
            seconds[name].append(time.perf_counter() - begin)
    return seconds
