"""``monitor``: what a model meets in production against what it was made with."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from honed.bundle.reference import project
from honed.checks.traits import traits_of
from honed.data.read import read_table
from honed.data.table import Table
from honed.errors import ConfigError, MonitorError
from honed.model import Model
from honed.monitoring.analyse import WindowSize, analyse
from honed.monitoring.compare import FEWEST_ROWS
from honed.monitoring.overview import monitor_log, no_truth
from honed.monitoring.reference import Watched, watch
from honed.monitoring.results import Monitoring
from honed.monitoring.store import to_json
from honed.monitoring.truth import Truth
from honed.monitoring.windows import Batch
from honed.prediction import spread
from honed.progress import Progress, Silent
from honed.tasks.contract import Array, Input, Predictions

DEFAULT_ROWS = 1_000
CHUNK = 8_192
UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def monitor(
    bundle: str | Path | Model,
    data: Any = None,
    *,
    log: str | Path | None = None,
    window: str | int | None = None,
    time_column: str | None = None,
    progress: Progress | None = None,
) -> Monitoring:
    """Compare windows of production rows with the reference in a bundle.

    Parameters
    ----------
    bundle : path of a bundle, or Model
    data : path, list or frame, optional
        Rows to predict and look at, with the truth where the target column is there; else the prediction log is read.
    log : path or "postgresql://..." URL
        The prediction log; ``log.sqlite`` beside the bundle when left out.
    window : str or int
        "1000rows" (the default), "1d", "12h".
    time_column : str
        Column of ``data`` that says when a row happened; rows are put into that order.

    Raises
    ------
    BundleError, MonitorError, DataError, ConfigError [C002]
    """
    size = window_size(window)
    watched = watch(bundle)
    if data is None:
        return monitor_log(watched, log or default_log(watched.folder), size)
    model = bundle if isinstance(bundle, Model) else Model.load(bundle)
    return _monitor_data(watched, model, read_table(data), size, window is None, time_column, progress or Silent())


def default_log(folder: Path) -> Path:
    """Where the log of a bundle lies unless another place is named: beside the bundle."""
    return folder.absolute().parent / "log.sqlite"


def window_size(text: str | int | None) -> WindowSize:
    """ "500rows", "500", "1d", "12h", "30m". Raises ConfigError [C002]."""
    if text is None:
        return WindowSize(DEFAULT_ROWS)
    found = re.fullmatch(r"\s*(\d+)\s*(rows?|[smhd])?\s*", str(text))
    number, unit = (int(found[1]), found[2] or "rows") if found else (0, "")
    if unit.startswith("row") and number >= FEWEST_ROWS:
        return WindowSize(number)
    if unit in UNITS_MS and number > 0:
        return WindowSize(0, number * UNITS_MS[unit])
    raise ConfigError("C002", f'"{text}" is no window.', f"Write 1000rows (at least {FEWEST_ROWS}), 1d or 12h.")


def _monitor_data(
    watched: Watched,
    model: Model,
    table: Table,
    size: WindowSize,
    by_default: bool,
    time_column: str | None,
    progress: Progress,
) -> Monitoring:
    name = time_column or model.roles.time
    at = _times(table, name, strict=time_column is not None)
    if at is None and size.ms:
        seen = f"Windows of {size} need to know when a row happened, and {table.source} does not say."
        raise MonitorError("M014", seen, "Name the column with --time, or use windows of rows.")
    if at is not None:
        order = np.argsort(at, kind="stable")
        table, at = table.take(order), at[order]
    else:
        at = int(time.time() * 1000) - table.n_rows + np.arange(table.n_rows, dtype=np.int64)
    if by_default and table.n_rows < 2 * DEFAULT_ROWS:
        size = WindowSize(max(FEWEST_ROWS, table.n_rows))
    inputs = model.inputs(table)
    batches, labels = [], []
    with progress.step("predicting the rows", len(inputs)) as step:
        for start in range(0, len(inputs), CHUNK):
            part = inputs[start : start + CHUNK]
            answers, vectors = _answered(model, part)
            batches.append(_batch(watched, at[start : start + CHUNK], part, answers, vectors))
            labels += [to_json(label) for label in answers.labels]
            step.advance(len(part))
    result = analyse(watched, iter(batches), _truth(watched, table, at, labels), size=size, source=table.source)
    return Monitoring(**{**vars(result), "examples": _examples(result, model, inputs, batches)})


def _answered(model: Model, inputs: list[Input]) -> tuple[Predictions, Array | None]:
    rows = np.flatnonzero(~model.task.medium.unreadable(inputs))
    some = inputs if len(rows) == len(inputs) else [inputs[row] for row in rows.tolist()]
    together, vectors = getattr(model.predictor, "outputs_and_vectors", None), None
    if together is not None and model.task.facts.linear_head:
        outputs, found = together(some)
        vectors = spread(project(found), rows, len(inputs), float("nan"))
    else:
        outputs = model.outputs(some)
    return model.task.decode(spread(outputs, rows, len(inputs), 0.0), model.problem, model.decision), vectors


def _batch(watched: Watched, at: Array, inputs: list[Input], answers: Predictions, vectors: Array | None) -> Batch:
    confidence = (
        np.full(len(inputs), np.nan) if answers.confidence is None else np.asarray(answers.confidence, dtype=float)
    )
    rows = [watched.task.medium.measured(row) for row in inputs]
    return Batch(
        at, traits_of(rows, watched.reference.layout), [to_json(label) for label in answers.labels], confidence,
        np.asarray(answers.unsure, dtype=bool), vectors,
    )  # fmt: skip


def _truth(watched: Watched, table: Table, at: Array, predictions: list[str]) -> Truth:
    target = watched.problem.target
    if target not in table.names:
        return no_truth()
    values = table.column(target)
    rows = [i for i, value in enumerate(values) if value is not None and str(value).strip()]
    labels = [_label(watched, values[i]) for i in rows]
    return Truth(at[rows], [predictions[i] for i in rows], labels, at[rows])


def _label(watched: Watched, value: Any) -> str:
    """The truth as the log would hold it: a list where rows have several labels."""
    separator = watched.problem.extra.get("separator")
    if separator and separator != "json" and isinstance(value, str) and watched.problem.labels:
        return to_json([part.strip() for part in value.split(separator)])
    return to_json(value)


def _times(table: Table, name: str | None, *, strict: bool) -> Array | None:
    """UTC milliseconds of a column of dates, times or ISO texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name is None or (name not in table.names and not strict):
        return None
    if name not in table.names:
        raise MonitorError(
            "M014", f'There is no column "{name}" in {table.source}.', f"Columns there: {', '.join(table.names[:12])}."
        )
    try:
        stamps = table.arrow.column(name).cast(pa.timestamp("ms"))
        if stamps.null_count:
            raise ValueError("empty cells")
        return np.asarray(pc.cast(stamps, pa.int64()), dtype=np.int64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        if not strict:
            return None
        seen = f'The column "{name}" does not hold a time in every row.'
        raise MonitorError("M014", seen, "Write times such as 2026-11-25 14:30:00.") from error


def _examples(result: Monitoring, model: Model, inputs: list[Input], batches: list[Batch]) -> list[str]:
    """The least certain rows of the newest window with an alert, masked."""
    numbers = [alert.last for alert in result.alerts if alert.family != "performance"]
    if not numbers:
        return []
    end = sum(window.n for window in result.windows if window.number <= max(numbers))
    start = end - next(window.n for window in result.windows if window.number == max(numbers))
    confidence = np.nan_to_num(np.concatenate([batch.confidence for batch in batches])[start:end], nan=1.0)
    rows = start + np.argsort(confidence, kind="stable")[:5]
    return [model.task.medium.shown(inputs[row]) for row in rows.tolist()]
