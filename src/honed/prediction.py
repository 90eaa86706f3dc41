"""Predicting a file of any size: read in batches, predicted, written in batches, with bounded memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from honed.data import arrays
from honed.data.stream import BatchSource, open_batches
from honed.data.table import Table
from honed.data.write import open_writer
from honed.model import Model
from honed.progress import Progress, Silent, Step
from honed.tasks.contract import Array, Input, Predictions

MOST_PROBABILITY_COLUMNS = 20
BATCH_ROWS = 8192
Keep = Literal["all", "id", "none"]


@dataclass
class PredictionSummary:
    """What was predicted: rows, seconds, how many were unsure or had nothing to read, and how often each answer came."""

    n_rows: int = 0
    n_unsure: int = 0
    n_empty: int = 0
    rows_unreadable: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    target: str = ""


def predict_file(
    model: Model,
    source: Any,
    target: str | Path,
    *,
    format: str | None = None,
    keep: Keep = "all",
    batch_rows: int = BATCH_ROWS,
    progress: Progress | None = None,
) -> PredictionSummary:
    """Read ``source`` ("-" is standard input), predict, write ``target`` ("-" is standard output).

    Columns written: those kept, ``prediction``, ``confidence`` and ``probability_LABEL`` (one JSON column
    ``probabilities`` for more than 20 labels), or ``low`` and ``high`` (90 % interval) for numbers, and ``unsure``.

    Raises
    ------
    DataError [D001.., D022], ConfigError [C005], RunError [R010, R011]
        The target is whole or absent in every case, also after Ctrl-C.
    """
    begin, summary = time.monotonic(), PredictionSummary(target=str(target))
    progress = progress or Silent()
    wanted = model.problem.inputs
    with open_batches(source, batch_rows=batch_rows, wanted=wanted) as batches, open_writer(target, format) as writer:
        total = batches.total_rows or None
        with progress.step(
            "predicting", total if total else (100.0 if batches.share_done is not None else None)
        ) as step:
            told = 0.0
            for batch in batches:
                writer.write(_predicted(model, pa.Table.from_batches([batch]), keep, summary))
                told = _tell(step, batches, told, total, batch.num_rows)
        summary.rows_unreadable = batches.rows_unreadable
    summary.seconds = time.monotonic() - begin
    return summary


def _tell(step: Step, batches: BatchSource, told: float, total: int | None, n: int) -> float:
    if total:
        step.advance(n)
        return told
    now = 100.0 * (batches.share_done or 0.0)
    step.advance(now - told)
    return now


def _predicted(model: Model, arrow: pa.Table, keep: Keep, summary: PredictionSummary) -> pa.Table:
    table = Table(arrow, "the input", "")
    inputs = model.task.inputs(table, model.problem)
    empty = model.task.medium.empty(inputs)
    answers = answers_where(model, inputs, ~empty)
    unsure = answers.unsure | empty
    summary.n_rows += len(inputs)
    summary.n_unsure += int(unsure.sum())
    summary.n_empty += int(empty.sum())
    there = [label for label, nothing in zip(answers.labels, empty, strict=True) if not nothing]
    summary.answers.update(word for label in there for word in _words(label))
    return _columns(model, _kept(model, arrow, keep), answers, empty, unsure)


def _words(label: Any) -> list[str]:
    """What an answer is counted as: itself, or each object it lists."""
    if isinstance(label, list) and (not label or isinstance(label[0], dict)):
        return [str(item["label"]) for item in label]
    return [", ".join(label) if isinstance(label, list) else f"{label:.1f}" if isinstance(label, float) else str(label)]


def _kept(model: Model, arrow: pa.Table, keep: Keep) -> pa.Table:
    if keep == "none":
        return arrow.select([])
    key = model.roles.id
    return arrow.select([key]) if keep == "id" and key in arrow.column_names else arrow


def answers_where(model: Model, inputs: Sequence[Input], there: Array) -> Predictions:
    """Answers for inputs; those where nothing is there get what outputs of zero mean."""
    rows = np.flatnonzero(there)
    outputs = _outputs_once(model, [inputs[row] for row in rows.tolist()])
    return model.task.decode(spread(outputs, rows, len(inputs), 0.0), model.problem, model.decision)


def spread(found: Array, rows: Array, n: int, rest: float) -> Array:
    """An array of n rows: those found at their places, the others filled with ``rest``."""
    if len(rows) == n:
        return found
    whole = np.full((n, *found.shape[1:]), rest, dtype=np.float32)
    whole[rows] = found
    return whole


def _outputs_once(model: Model, inputs: Sequence[Input]) -> Array:
    """Raw outputs, those of equal inputs computed once."""
    try:
        positions: dict[Input, int] = {}
        back = np.array([positions.setdefault(row, len(positions)) for row in inputs], dtype=np.int64)
    except TypeError:
        return model.outputs(inputs)
    found: Array = model.outputs(list(positions))[back]
    return found


def _columns(model: Model, kept: pa.Table, answers: Predictions, empty: Array, unsure: Array) -> pa.Table:
    labels = [None if nothing else label for label, nothing in zip(answers.labels, empty, strict=True)]
    several = any(isinstance(label, list) for label in answers.labels)
    found = {"prediction": _labels(model, labels, several)}
    if answers.confidence is not None:
        found["confidence"] = arrays.numbers(np.round(answers.confidence.astype(np.float64), 6))
    elif np.ndim(answers.encoded) == 1:
        values = np.asarray(answers.encoded, dtype=np.float64)
        found |= {
            "low": arrays.numbers(values - model.decision.half_width),
            "high": arrays.numbers(values + model.decision.half_width),
        }
    if answers.probabilities is not None:
        found |= probability_columns(model.problem.labels, np.round(answers.probabilities.astype(np.float64), 6))
    found["unsure"] = arrays.flags(unsure)
    return with_columns(kept, found)


def with_columns(table: pa.Table, found: dict[str, pa.Array]) -> pa.Table:
    """A table with columns of answers beside its own; a name that is taken gets ``honed_`` before it."""
    for name, column in found.items():
        unique = name
        while unique in table.column_names:
            unique = f"honed_{unique}"
        table = table.append_column(unique, column) if table.num_columns else pa.table({unique: column})
    return table


def _labels(model: Model, labels: list[Any], several: bool) -> pa.Array:
    own = model.task.answer_type(model.problem)
    if own is not None:
        return pa.array(labels, type=own)
    if not model.problem.labels:
        return pa.array(labels)
    return pa.array(labels, type=pa.list_(pa.string())) if several else arrays.texts(labels)


def probability_columns(labels: tuple[str, ...], shares: Array) -> dict[str, pa.Array]:
    """A column for each label, or one of JSON for more than 20 labels."""
    if len(labels) <= MOST_PROBABILITY_COLUMNS:
        return {f"probability_{label}": arrays.numbers(shares[:, i]) for i, label in enumerate(labels)}
    import json

    rows = [json.dumps({labels[i]: row[i] for i in np.argsort(-row)[:10].tolist()}) for row in shares]
    return {"probabilities": arrays.texts(rows)}
