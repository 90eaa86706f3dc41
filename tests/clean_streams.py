"""Streams in which nothing changes: reference and windows are drawn, with replacement, from one population of rows.

So the null hypothesis holds exactly, and the share of streams that ever alarm is the false-alarm rate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from honed.bundle.reference import HeldOut, project, reference_table
from honed.checks.traits import traits_of
from honed.data.read import read_table
from honed.model import Model
from honed.monitoring.analyse import WindowSize, analyse
from honed.monitoring.reference import Watched, read_reference
from honed.monitoring.results import Monitoring
from honed.monitoring.store import to_json
from honed.monitoring.truth import Truth
from honed.monitoring.windows import Batch

_kept: dict[tuple[str, int], Any] = {}


def population_of(bundle: Path, population: list[dict[str, Any]]) -> Any:
    """Inputs, outputs, vectors, targets and answers of all rows, worked out once."""
    key = (str(bundle), id(population))
    if key not in _kept:
        model = Model.load(bundle)
        table = read_table(population)
        inputs, targets = model.inputs(table), model.task.targets(table, model.problem)
        together = getattr(model.predictor, "outputs_and_vectors", None)
        outputs, vectors = together(inputs) if together else (model.outputs(inputs), None)
        answers = model.task.decode(outputs, model.problem, model.decision)
        labels = [to_json(label) for label in answers.labels]
        truths = [to_json(row[model.problem.target]) for row in population]
        _kept[key] = (model, inputs, outputs, vectors, targets, answers, labels, truths)
    return _kept[key]


def drawn_reference(bundle: Path, watched: Watched, population: list[dict[str, Any]], rng: Any, n: int) -> Watched:
    """The bundle with a reference of ``n`` rows of the population."""
    model, inputs, outputs, vectors, targets, *_ = population_of(bundle, population)
    rows = rng.integers(0, len(inputs), n)
    held = HeldOut(outputs[rows], targets[rows], None if vectors is None else vectors[rows])
    table = reference_table(model, [inputs[row] for row in rows], held)
    with tempfile.TemporaryDirectory() as folder:
        from pyarrow import parquet

        parquet.write_table(table, Path(folder) / "reference.parquet")
        return replace(
            watched,
            reference=read_reference(Path(folder) / "reference.parquet", watched.problem, watched.problem.inputs),
        )


def stream(
    bundle: Path, watched: Watched, population: list[dict[str, Any]], rows: Any, size: int, *, labelled: bool = True
) -> Monitoring:
    """Monitoring of the rows with these positions, in this order."""
    _, inputs, _, vectors, _, answers, labels, truths = population_of(bundle, population)
    layout = watched.reference.layout
    traits = traits_of(inputs, layout)
    small = None if vectors is None else project(vectors)

    def batches() -> Iterator[Batch]:
        for start in range(0, len(rows), 20_000):
            part = rows[start : start + 20_000]
            yield Batch(
                np.arange(start, start + len(part), dtype=np.int64),
                traits[part],
                [labels[row] for row in part],
                np.asarray(answers.confidence, dtype=float)[part],
                np.asarray(answers.unsure)[part],
                None if small is None else small[part],
            )

    times = np.arange(len(rows) if labelled else 0, dtype=np.int64)
    some = rows if labelled else rows[:0]
    truth = Truth(times, [labels[row] for row in some], [truths[row] for row in some], times)
    return analyse(watched, batches(), truth, size=WindowSize(size), source="made up")


def alarms(
    bundle: Path,
    watched: Watched,
    population: list[dict[str, Any]],
    seed: int,
    *,
    n_windows: int,
    size: int,
    n_reference: int = 1500,
) -> bool:
    """True when a clean stream of so many windows ever alarmed."""
    rng = np.random.default_rng(seed)
    fresh = drawn_reference(bundle, watched, population, rng, n_reference)
    rows = rng.integers(0, len(population), n_windows * size)
    return stream(bundle, fresh, population, rows, size).state == "alert"
