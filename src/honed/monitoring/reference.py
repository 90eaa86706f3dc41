"""The reference of a bundle, read back into arrays that windows can be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from honed.bundle.deployment import version_of
from honed.bundle.manifest import read_manifest
from honed.bundle.open import check_files
from honed.bundle.reference import FEWEST
from honed.checks.traits import BUCKETS, FLAGS, LANGUAGES, SCRIPTS
from honed.errors import BundleError, ConfigError, MonitorError
from honed.files import read_json
from honed.metrics.calibration import rising_curve
from honed.model import Model
from honed.tasks.contract import Array, Decision, Problem, Task
from honed.tasks.registry import get_task

REFERENCE = "reference.parquet"


@dataclass(frozen=True)
class Histogram:
    """Counts between edges; the outermost bins are open. A value equal to an edge lies above it."""

    edges: Array
    counts: Array

    def count(self, values: Array) -> Array:
        """How many values fall into each bin."""
        places = np.searchsorted(self.edges, values, side="right")
        return np.bincount(places, minlength=len(self.edges) + 1)


@dataclass(frozen=True)
class Shares:
    """How many of ``n`` rows had each of some properties; ``floor`` is what a count of 0 may hide."""

    names: tuple[str, ...]
    counts: Array
    n: int
    floor: int = 0


@dataclass(frozen=True)
class Column:
    """One input column: "t" text or "n" numbers, its histograms and shares by name of the trait."""

    name: str
    letter: str
    histograms: dict[str, Histogram]
    shares: dict[str, Shares]


@dataclass(frozen=True)
class Answers:
    """What the model gave on held-out rows; None for what the task does not have."""

    n: int
    unsure: int
    labels: Shares | None = None
    confidence: Histogram | None = None
    value: Histogram | None = None
    right: int | None = None
    errors: Histogram | None = None
    curve: tuple[Array, Array, Array] | None = None
    """Mean confidence, share right and rows of bins of held-out rows."""
    estimate: float | None = None
    """Mean of what the curve makes of the held-out confidences."""


@dataclass(frozen=True)
class Reference:
    """All that a bundle remembers of its data and answers."""

    n: int
    layout: str
    columns: tuple[Column, ...]
    answers: Answers | None
    vectors: tuple[Histogram, ...] = ()


@dataclass(frozen=True)
class Watched:
    """A bundle as monitoring sees it: everything but the weights."""

    name: str
    version: str
    task: Task
    problem: Problem
    decision: Decision
    reference: Reference
    folder: Path
    extra: dict[str, Any] = field(default_factory=dict)


def watch(folder: str | Path | Model) -> Watched:
    """Open what monitoring needs of a bundle, digests verified, without loading its weights.

    Raises
    ------
    BundleError, MonitorError [M003]
        No bundle, damaged, or without a reference.
    """
    folder = folder.folder if isinstance(folder, Model) and folder.folder else folder
    if isinstance(folder, Model):
        raise MonitorError("M003", "The model was never packaged, so it has no reference.", "Save it by finetune.")
    folder = Path(folder)
    if not folder.is_dir():
        raise BundleError("B001", f"There is no bundle {folder}.", "Pass a folder such as runs/NAME/model.")
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    if not (folder / REFERENCE).is_file():
        seen = f"The bundle {folder} has no reference to compare with."
        raise MonitorError("M003", seen, "Only a model that finetune finished has one; train it again.")
    try:
        task = get_task(manifest.task)
    except ConfigError as error:
        raise BundleError("B007", f'The task "{manifest.task}" is not installed.', error.remedy) from error
    problem = Problem.from_dict(read_json(folder / "problem.json"))
    return Watched(
        manifest.name,
        version_of(folder),
        task,
        problem,
        Decision.from_dict(read_json(folder / "decision.json")),
        read_reference(folder / REFERENCE, problem, task.medium.measured_columns(problem.inputs)),
        folder,
    )


def read_reference(path: Path, problem: Problem, names: Sequence[str]) -> Reference:
    """A reference file of any format, old ones included; ``names`` are those of what is watched of an input."""
    from pyarrow import parquet

    table = parquet.read_table(path)
    lines = list(
        zip(*(table.column(name).to_pylist() for name in ("feature", "statistic", "bucket", "value")), strict=True)
    )
    grouped: dict[tuple[str, str], dict[str, float]] = {}
    curve: dict[str, list[tuple[float, float]]] = {"rows": [], "right": []}
    for feature, statistic, bucket, value in lines:
        if feature == "curve":
            curve[statistic].append((float(bucket), value))
        grouped.setdefault((feature, statistic), {})[bucket] = value
    n = int(grouped[("rows", "count")][""])
    layout = next(iter(grouped.get(("rows", "layout"), {"t" * len(names): 1.0})))
    columns = tuple(
        _column(name, letter, n, grouped) for name, letter in zip(names, layout, strict=True) if letter != "-"
    )
    vectors: list[Histogram] = []
    while ("vector", f"projection_{len(vectors)}") in grouped:
        vectors.append(_histogram(grouped[("vector", f"projection_{len(vectors)}")]))
    return Reference(n, layout, columns, _answers(problem, grouped, curve), tuple(vectors))


def _histogram(bins: dict[str, float]) -> Histogram:
    pairs = [tuple(float(part) for part in bucket.split("..")) for bucket in bins]
    edges = np.array([low for low, _ in pairs[1:]])
    counts = np.array(list(bins.values()))
    finite = [pair for pair in pairs[:1] if np.isfinite(pair[0])]
    if finite:  # a reference of the first format: closed bins of equal width
        edges, counts = np.concatenate([[pairs[0][0]], edges]), np.concatenate([[0.0], counts])
    return Histogram(edges, counts)


def _column(name: str, letter: str, n: int, grouped: dict[tuple[str, str], dict[str, float]]) -> Column:
    histograms = {
        statistic: _histogram(grouped[(name, statistic)])
        for statistic in ("characters", "share_not_ascii", "value")
        if (name, statistic) in grouped
    }
    shares = {}
    for statistic, names, floor in (
        ("flag", tuple(FLAGS), 0),
        ("script", SCRIPTS, 0),
        ("language", LANGUAGES, 0),
        ("word_bucket", tuple(str(bucket) for bucket in range(BUCKETS)), FEWEST - 1),
    ):
        found = grouped.get((name, statistic))
        if found is not None:
            counts = np.array([found.get(one, 0.0) for one in names])
            shares[statistic] = Shares(names, np.round(counts * n) if floor else counts, n, floor)
    return Column(name, letter, histograms, shares)


def _answers(
    problem: Problem, grouped: dict[tuple[str, str], dict[str, float]], curve: dict[str, list[tuple[float, float]]]
) -> Answers | None:
    if ("prediction", "held_out") not in grouped:
        return None
    n = int(grouped[("prediction", "held_out")][""])

    def one(feature: str, statistic: str) -> Histogram | None:
        found = grouped.get((feature, statistic))
        return _histogram(found) if found else None

    labels = grouped.get(("prediction", "label"))
    right = grouped.get(("performance", "right"))
    return Answers(
        n=n,
        unsure=int(grouped[("prediction", "unsure")][""]),
        labels=Shares(problem.labels, np.array([labels[label] for label in problem.labels]), n) if labels else None,
        confidence=one("prediction", "confidence"),
        value=one("prediction", "value"),
        right=int(right[""]) if right else None,
        errors=one("performance", "absolute_error"),
        curve=rising_curve(*_arrays(curve["rows"], curve["right"])) if curve["rows"] else None,
        estimate=grouped.get(("prediction", "estimate"), {}).get(""),
    )


def _arrays(rows: list[tuple[float, float]], right: list[tuple[float, float]]) -> tuple[Array, Array, Array]:
    return np.array([mean for mean, _ in rows]), np.array([hits for _, hits in right]), np.array([n for _, n in rows])
