"""Answering a file of any size by examples: read, answered and written in batches, with bounded memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from honed.data import arrays
from honed.data.stream import BatchSource, open_batches
from honed.data.table import Table
from honed.data.write import RowWriter, open_writer
from honed.prediction import Keep, probability_columns, with_columns
from honed.progress import Progress, Silent, Step
from honed.shots.beside import Beside
from honed.shots.examples import Examples, Row, is_key, row_texts
from honed.shots.few_shot import Answers, FewShot
from honed.shots.schema import column_of
from honed.shots.truth import Line, Truth

BATCH_ROWS = 512


@dataclass
class Answered:
    """What was answered: counts, how often each answer came, and what it is worth where the data hold the truth."""

    n_rows: int = 0
    n_unsure: int = 0
    n_empty: int = 0
    n_shortened: int = 0
    n_shots: int = 0
    rows_unreadable: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    lines: list[Line] = field(default_factory=list)
    likeness_title: str = ""
    n_truth: int = 0
    n_known: int = 0
    n_learnt: int = 0
    target: str = ""


class Source:
    """An opened file or table, its columns known before it is read."""

    def __init__(self, batches: BatchSource) -> None:
        self._batches = batches
        self._iterator: Iterator[pa.RecordBatch] = iter(batches)
        self._first = next(self._iterator, None)

    @property
    def names(self) -> list[str]:
        """Columns."""
        return list(self._first.schema.names) if self._first is not None else list(self._batches.names)

    def first_table(self, n: int = 1) -> Table:
        """The first rows."""
        arrow = pa.Table.from_batches([self._first.slice(0, n)]) if self._first is not None else pa.table({})
        return Table(arrow, "the data", "")

    def tables(self) -> Iterator[Table]:
        """All rows, a batch at a time."""
        if self._first is not None:
            yield Table(pa.Table.from_batches([self._first]), "the data", "")
        for batch in self._iterator:
            yield Table(pa.Table.from_batches([batch]), "the data", "")

    @property
    def total(self) -> float | None:
        """Rows, or 100 per cent of a file, or None."""
        known = self._batches.total_rows
        return float(known) if known else 100.0 if self._batches.share_done is not None else None

    def advance(self, step: Step, told: float, n: int) -> float:
        """Tell progress; gives what was told of a file."""
        if self._batches.total_rows:
            step.advance(n)
            return told
        now = 100.0 * (self._batches.share_done or 0.0)
        step.advance(now - told)
        return now

    @property
    def rows_unreadable(self) -> int:
        """Rows that could not be read so far."""
        return self._batches.rows_unreadable


def open_source(stack: ExitStack, source: Any) -> Source:
    """Open data for answering; "-" is standard input."""
    return Source(stack.enter_context(open_batches(source, batch_rows=BATCH_ROWS)))


def answer_file(
    model: FewShot, source: Source, target: str | Path, *, format: str | None = None, keep: Keep = "all",
    beside: Beside | None = None, progress: Progress | None = None,
) -> Answered:  # fmt: skip
    """Answer every row and write ``target`` ("-" is standard output), whole or not at all.

    Columns written: those kept; ``prediction``, ``confidence`` and ``probability_LABEL`` for labels, a column for each field, or
    ``prediction`` for texts; and ``unsure``. Where the data hold the answers, how often they are met is counted, also for a packaged
    model ``beside`` it.

    Raises
    ------
    DataError [D022], ConfigError [C005], RunError [R010, R011], GenerationError
    """
    begin, found = time.monotonic(), Answered(target=str(target))
    truth = Truth(model.examples, model.choice, beside) if model.examples.answer in source.names else None
    with open_writer(target, format) as writer, (progress or Silent()).step("answering", source.total) as step:
        told = 0.0
        for table in source.tables():
            for start in range(0, table.n_rows, model.base.at_once):
                part = Table(table.arrow.slice(start, model.base.at_once), table.source, "")
                _answer(model, part, writer, keep, found, truth)
                if source.total != 100.0:
                    told = source.advance(step, told, part.n_rows)
            if source.total == 100.0:
                told = source.advance(step, told, table.n_rows)
    found.rows_unreadable = source.rows_unreadable
    if truth is not None and truth.n:
        found.lines, found.n_truth, found.n_known = truth.lines(), truth.n, truth.n_known
        found.likeness_title, found.n_learnt = truth.likeness_title, truth.n_learnt
    found.seconds = time.monotonic() - begin
    return found


def _answer(model: FewShot, table: Table, writer: RowWriter, keep: Keep, found: Answered, truth: Truth | None) -> None:
    rows = row_texts(table, model.examples.names)
    answers, empty = answer_rows(model, rows)
    found.n_rows += len(rows)
    found.n_empty += int(empty.sum())
    found.n_unsure += int(answers.unsure.sum())
    found.n_shortened += int(answers.shortened.sum())
    found.n_shots += int(answers.n_shots.sum())
    if model.examples.kind == "label":
        found.answers.update(value for value in answers.values if value is not None)
    if truth is not None:
        truth.add(rows, table.column(model.examples.answer), answers.values, table)
    kept = table.arrow if keep == "all" else table.arrow.select([n for n in table.names if keep == "id" and is_key(n)])
    writer.write(with_columns(kept, columns(model.examples, answers)))


def answer_rows(model: FewShot, rows: Sequence[Row]) -> tuple[Answers, Any]:
    """Answers to rows, and which rows had nothing to read: those get no answer. Equal rows are asked once."""
    empty = np.array([not any(part.strip() for part in row) for row in rows], dtype=bool)
    asked = list(dict.fromkeys(row for row, nothing in zip(rows, empty, strict=True) if not nothing))
    place = {row: k for k, row in enumerate(asked)}
    got = model.answer(asked)
    back = np.array(
        [place.get(row, -1) if not nothing else -1 for row, nothing in zip(rows, empty, strict=True)], dtype=int
    )
    return _spread(got, back, len(model.examples.labels)), empty


def _spread(got: Answers, back: Any, n_labels: int) -> Answers:
    there = back >= 0

    def each(given: Any, rest: float, *width: int) -> Any:
        found = np.full((len(back), *width), rest)
        if len(given):
            found[there] = given[back[there]]
        return found

    return Answers(
        [got.values[k] if k >= 0 else None for k in back.tolist()],
        None if got.probabilities is None else each(got.probabilities, np.nan, n_labels),
        None if got.confidence is None else each(got.confidence, np.nan),
        each(got.unsure, 1).astype(bool),
        each(got.n_shots, 0).astype(int),
        each(got.shortened, 0).astype(bool),
    )


def columns(examples: Examples, answers: Answers) -> dict[str, pa.Array]:
    """Answers as columns."""
    found: dict[str, pa.Array] = {}
    if examples.kind == "fields":
        assert examples.schema is not None
        for name, part in examples.schema["properties"].items():
            values = [None if value is None else value.get(name) for value in answers.values]
            found[name] = column_of(values, part if isinstance(part, dict) else {})
    else:
        found["prediction"] = arrays.texts(answers.values)
    nothing = pa.array([value is None for value in answers.values], pa.bool_())
    if examples.kind == "label":
        told = np.full(len(answers.values), np.nan) if answers.confidence is None else answers.confidence
        found["confidence"] = pa.array(np.round(told.astype(np.float64), 6), from_pandas=True)
    if answers.probabilities is not None:
        shares = probability_columns(examples.labels, np.round(answers.probabilities.astype(np.float64), 6))
        found |= {name: pc.if_else(nothing, pa.scalar(None, one.type), one) for name, one in shares.items()}
    found["unsure"] = arrays.flags(answers.unsure)
    return found
