"""What the model's data and answers looked like when it was made: the reference against which drift is told.

Aggregates only, as a tidy table (feature, statistic, bucket, value): no raw rows, no words. Columns are described from all rows
the model was made with; its answers from held-out rows alone, for on rows it learnt from every model is too sure of itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from honed.checks.traits import FLAGS, LANGUAGES, SCRIPTS, bucket_counts, layout_of, traits_of
from honed.metrics.calibration import reliability_bins, rising_curve, share_right
from honed.model import Model
from honed.tasks.contract import Array, Input, Predictions

FEWEST = 5
"""Counts of hashed words below this are not told apart: they could point at a person."""
BINS = 20
DIMENSIONS = 16
"""Numbers that a vector of the network is reduced to, by a fixed random projection."""
CURVE_BINS, CURVE_ROWS = 10, 30
FORMAT = 2.0

Line = tuple[str, str, str, float]


@dataclass(frozen=True)
class HeldOut:
    """Rows the model did not learn from, with what it gave for them.

    Parameters
    ----------
    outputs : array (n, outputs)
    targets : array of length n
        Encoded; every row has one.
    vectors : array (n, d) or None
        What the head read, where the predictor offers it.
    """

    outputs: Array
    targets: Array
    vectors: Array | None = None


def reference_table(model: Model, inputs: Sequence[Input], held_out: HeldOut | None = None) -> pa.Table:
    """The reference of a model from inputs of its making, and from held-out rows where there are any."""
    lines: list[Line] = [("rows", "count", "", float(len(inputs))), ("rows", "format", "", FORMAT)]
    rows = [model.task.medium.measured(row) for row in inputs]
    layout = layout_of(rows[0]) if rows else ""
    names = model.task.medium.measured_columns(model.problem.inputs)
    if len(layout) == len(names):
        lines += [("rows", "layout", layout, 1.0), *_columns(names, rows, layout)]
    if held_out is not None and len(held_out.targets):
        answers = model.task.decode(held_out.outputs, model.problem, model.decision)
        lines += _answers(model, answers, held_out.targets)
        if held_out.vectors is not None:
            for number, values in enumerate(project(held_out.vectors).T):
                lines += histogram("vector", f"projection_{number}", values, bins=10)
    fields = ("feature", "statistic", "bucket", "value")
    return pa.table({name: [line[i] for line in lines] for i, name in enumerate(fields)})


def _columns(names: Sequence[str], rows: Sequence[Input], layout: str) -> list[Line]:
    traits, lines = traits_of(rows, layout), []
    for position, name in enumerate(names):
        if layout[position] == "t":
            lines += _text_column(name, traits[str(position)])
        elif layout[position] == "n":
            column = traits[str(position)]
            lines += histogram(name, "value", column["value"], digits=3)
            lines += [(name, "flag", "empty", float((column["flags"] & FLAGS["empty"] != 0).sum()))]
    return lines


def _text_column(name: str, traits: Array) -> list[Line]:
    lines = histogram(name, "characters", traits["characters"]) + histogram(
        name, "share_not_ascii", traits["not_ascii"]
    )
    counts = bucket_counts(traits).astype(float)
    counts[counts < FEWEST] = 0
    lines += [
        (name, "word_bucket", str(bucket), count / max(1, len(traits))) for bucket, count in enumerate(counts.tolist())
    ]
    lines += [(name, "flag", flag, float((traits["flags"] & bit != 0).sum())) for flag, bit in FLAGS.items()]
    for statistic, known in (("script", SCRIPTS), ("language", LANGUAGES)):
        found = np.bincount(traits[statistic], minlength=len(known))
        lines += [(name, statistic, known[i], float(n)) for i, n in enumerate(found.tolist())]
    return lines


def _answers(model: Model, answers: Predictions, targets: Array) -> list[Line]:
    """Labels, confidence and the share unsure; how often it was right, also by confidence; or errors of numbers."""
    lines: list[Line] = [("prediction", "held_out", "", float(len(targets)))]
    lines += [("prediction", "unsure", "", float(np.asarray(answers.unsure).sum()))]
    if model.problem.numeric:
        values = np.asarray(answers.encoded, dtype=float)
        lines += histogram("prediction", "value", values, digits=3)
        return lines + histogram("performance", "absolute_error", np.abs(values - targets), digits=3)
    given, judging = np.asarray(answers.encoded), model.task.judging
    counts = (judging.counts(targets, given, len(model.problem.labels)).given > 0).sum(axis=0)
    lines += [("prediction", "label", label, float(n)) for label, n in zip(model.problem.labels, counts, strict=True)]
    right = judging.right(targets, given).astype(np.float64)
    lines += [("performance", "right", "", float(right.sum())), ("performance", "rows", "", float(len(right)))]
    if answers.confidence is not None:
        lines += histogram("prediction", "confidence", answers.confidence)
        bins = reliability_bins(answers.confidence, right, min(CURVE_BINS, max(1, len(right) // CURVE_ROWS)))
        means = np.array([float(f"{mean:.6g}") for _, _, mean, _, _ in bins])
        rows = np.array([n for *_, n in bins])
        hits = np.round(np.array([share for _, _, _, share, _ in bins]) * rows)
        for mean, right_ones, n in zip(means, hits, rows, strict=True):
            place = f"{mean:.6g}"
            lines += [("curve", "rows", place, float(n)), ("curve", "right", place, float(right_ones))]
        estimates = share_right(answers.confidence, rising_curve(means, hits, rows))
        lines += [("prediction", "estimate", "", float(estimates.mean()))]
    return lines


def histogram(feature: str, statistic: str, values: Any, bins: int = BINS, digits: int = 6) -> list[Line]:
    """Counts in bins of about equal numbers of rows; the outermost are open, so that no single value can be read."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    edges = _edges(values, bins, digits)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    bounds = [-np.inf, *edges, np.inf]
    return [
        (feature, statistic, f"{bounds[i]:.{digits}g}..{bounds[i + 1]:.{digits}g}", float(count))
        for i, count in enumerate(counts)
    ]


def _edges(values: Array, bins: int, digits: int) -> Array:
    """Places between values near the quantiles, so that rounding an edge moves no row across it."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < 2:
        return distinct - 0.5 if len(distinct) else np.zeros(0)
    reached = np.cumsum(counts) / len(values)
    places = np.unique(np.searchsorted(reached, np.arange(1, bins) / bins))
    places = places[places < len(distinct) - 1]
    middles = (distinct[places] + distinct[places + 1]) / 2 if len(places) else [(distinct[0] + distinct[1]) / 2]
    return np.unique([float(f"{edge:.{digits}g}") for edge in middles])


def project(vectors: Array) -> Array:
    """Vectors (n, d) reduced to 16 numbers each by fixed random signs; the same on every machine and for ever."""
    signs = np.random.RandomState(7).randint(0, 2, size=(vectors.shape[1], DIMENSIONS)) * 2 - 1
    return np.asarray(vectors @ (signs / np.sqrt(vectors.shape[1])), dtype=np.float32)
