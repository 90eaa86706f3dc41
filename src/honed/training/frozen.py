"""Reading inputs with a frozen network: all of them, or as many as there is time for."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from honed.networks.engine import CHUNK, features_of
from honed.progress import Progress
from honed.resources import return_freed_memory
from honed.tasks.contract import Array, Input
from honed.training.time_limit import too_long

FILLED = 0.9
"""Share of the time that is left which reading may take; a head is then fitted."""
LEAST = 500
"""Rows to learn from; with fewer of them read, unless they are all there are, it is not worth it."""
OF_EACH = 5
"""Rows of every label that are read before the others."""


def read_frozen(
    network: Any,
    inputs: Sequence[Input],
    targets: Array,
    n_train: int,
    *,
    known: Array | None = None,
    seconds: float = math.inf,
    all_or_none: bool = False,
    precision: str = "fp32",
    seed: int = 0,
    progress: Progress,
    many: str = "rows",
) -> Array:
    """Features of the network for inputs, (n, d) float32; rows that there was no time for are NaN.

    Parameters
    ----------
    targets : array
        Encoded targets of the inputs to learn from, the first ``n_train``; the others are held out, and always read.
    known : array, optional
        What such a call gave before: only its NaN rows are read.
    all_or_none : bool
        Some rows alone are of no use.
    many : str
        What the inputs are called.

    Raises
    ------
    OutOfTimeError
        There is no time for the held-out rows and :data:`LEAST` others.
    """
    unread = np.arange(len(inputs)) if known is None else np.flatnonzero(np.isnan(known[:, 0]))
    order = unread if math.isinf(seconds) else _in_order(unread, targets, n_train, seed)
    held = int((unread >= n_train).sum())
    read = n_train - (len(order) - held)
    least = len(order) if all_or_none else min(len(order), held + max(0, LEAST - read))
    features = None if known is None else known.copy()
    with progress.step(f"reading the {many} with the frozen base", len(inputs)) as step:
        step.advance(len(inputs) - len(order))
        begin = time.monotonic()
        for start in range(0, len(order), CHUNK):
            rows = order[start : start + CHUNK]
            found = features_of(network, [inputs[row] for row in rows], precision=precision, advance=step.advance)
            if features is None:
                features = np.full((len(inputs), found.shape[1]), np.nan, dtype=np.float32)
            features[rows] = found
            return_freed_memory()
            done, spent = start + len(rows), time.monotonic() - begin
            pace = spent / done
            if done < least and pace * least > FILLED * seconds:
                raise too_long(f"reading {len(order):,} {many}", pace * len(order), seconds - spent)
            if done >= least and spent + pace * CHUNK > FILLED * seconds:
                break
    return features if features is not None else np.empty((0, 0), dtype=np.float32)


def _in_order(rows: Array, targets: Array, n_train: int, seed: int) -> Array:
    """Held-out rows first, then some of every label, then the rest by lot."""
    rng = np.random.default_rng(seed)
    held, rest = rows[rows >= n_train], rng.permutation(rows[rows < n_train])
    if targets.ndim != 1 or targets.dtype.kind != "i":
        return np.concatenate([held, rest])
    seen: dict[int, int] = {}
    place = []
    for label in targets[rest].tolist():
        seen[label] = seen.get(label, 0) + 1
        place.append(min(seen[label], OF_EACH + 1))
    early = np.array(place, dtype=np.int64) <= OF_EACH
    return np.concatenate([held, rest[early], rest[~early]])
