"""Which examples make up each optimizer step: shuffled, yet of similar length, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

POOL = 20
"""Batches are cut from a shuffled pool of this many batches after sorting it by length: little padding, much chance."""


def epoch_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Positions of every batch of one epoch; a function of its arguments alone, so a resumed run sees the same."""
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), batch_size * POOL):
        pool = sorted(order[start : start + batch_size * POOL].tolist(), key=lambda position: lengths[position])
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [batches[position] for position in rng.permutation(len(batches))]


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Optimizer steps in one pass over n examples."""
    pools, rest = divmod(n, batch_size * POOL)
    return pools * POOL + -(-rest // batch_size)
