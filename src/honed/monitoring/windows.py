"""Windows of rows as counts that add up: two windows together are the sum of their counts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.checks.traits import FLAGS, bucket_counts
from honed.metrics.calibration import share_right
from honed.monitoring.reference import Watched
from honed.tasks.contract import Array
from honed.tasks.judging import names_in

Counts = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """Rows in the order they came.

    Parameters
    ----------
    at : int64 array, UTC milliseconds
    traits : structured array in the layout of the reference
    predictions : list of JSON texts
    confidence : float array, NaN where there is none
    unsure : bool array
    vectors : float array (n, 16), NaN rows where there is none; or None
    """

    at: Array
    traits: Array
    predictions: list[str]
    confidence: Array
    unsure: Array
    vectors: Array | None = None

    def __len__(self) -> int:
        return len(self.at)

    def cut(self, start: int, end: int) -> Batch:
        """Some of the rows."""
        vectors = None if self.vectors is None else self.vectors[start:end]
        return Batch(self.at[start:end], self.traits[start:end], self.predictions[start:end], self.confidence[start:end],
                     self.unsure[start:end], vectors)  # fmt: skip


@dataclass
class Span:
    """The counts of one window and when it was. ``number`` counts from the first window of the version."""

    number: int
    counts: Counts
    start: int
    end: int
    complete: bool

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.counts["n"])


class Counter:
    """Counts rows into the bins of a reference."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.labels = {label: i for i, label in enumerate(watched.problem.labels)}
        self._known: dict[str, list[int]] = {}

    def count(self, batch: Batch) -> Counts:
        """The counts of some rows."""
        reference = self.watched.reference
        found: Counts = {"n": len(batch), "unsure": int(batch.unsure.sum())}
        for position, column in enumerate(reference.columns):
            self._column(found, f"{column.name}/", column, batch.traits[str(self._position(position))])
        answers = reference.answers
        told = np.isfinite(batch.confidence)
        confidence = batch.confidence[told]
        found["confidence_n"], found["confidence_sum"] = len(confidence), float(confidence.sum())
        if answers and answers.confidence is not None and len(confidence):
            found["confidence"] = answers.confidence.count(confidence)
        if answers and answers.curve is not None and len(confidence):
            estimates = share_right(confidence, answers.curve)
            found["estimate_sum"], found["estimate_squares"] = float(estimates.sum()), float((estimates**2).sum())
        if self.labels:
            found["labels"] = self._labels(batch.predictions)
        elif answers and answers.value is not None:
            found["value"] = answers.value.count(np.array([float(json.loads(one)) for one in batch.predictions]))
        if batch.vectors is not None and reference.vectors:
            vectors = batch.vectors[np.isfinite(batch.vectors[:, 0])]
            if len(vectors):
                found["vectors"] = [one.count(vectors[:, i]) for i, one in enumerate(reference.vectors)]
        return found

    def _position(self, number: int) -> int:
        return [i for i, letter in enumerate(self.watched.reference.layout) if letter != "-"][number]

    @staticmethod
    def _column(found: Counts, prefix: str, column: Any, traits: Array) -> None:
        names = {"characters": "characters", "share_not_ascii": "not_ascii", "value": "value"}
        there = (traits["flags"] & FLAGS["empty"]) == 0
        for statistic, histogram in column.histograms.items():
            values = traits[names[statistic]]
            found[prefix + statistic] = histogram.count(values if column.letter == "t" else values[there])
        found[prefix + "flag"] = np.array([(traits["flags"] & bit != 0).sum() for bit in FLAGS.values()])
        if column.letter == "t":
            for statistic in ("script", "language"):
                if statistic in column.shares:
                    size = len(column.shares[statistic].names)
                    found[prefix + statistic] = np.bincount(np.minimum(traits[statistic], size - 1), minlength=size)
            found[prefix + "word_bucket"] = bucket_counts(traits)

    def _labels(self, predictions: list[str]) -> Array:
        counts = np.zeros(len(self.labels), dtype=np.int64)
        tally: dict[str, int] = {}
        for one in predictions:
            tally[one] = tally.get(one, 0) + 1
        for text, n in tally.items():
            places = self._known.get(text)
            if places is None:
                names = names_in(json.loads(text))
                places = self._known[text] = [self.labels[name] for name in names if name in self.labels]
            for place in places:
                counts[place] += n
        return counts


def added(first: Counts, second: Counts) -> Counts:
    """The counts of two windows together."""
    found = dict(first)
    for name, value in second.items():
        if name not in found:
            found[name] = value
        elif isinstance(value, list):
            found[name] = [a + b for a, b in zip(found[name], value, strict=True)]
        else:
            found[name] = found[name] + value
    return found


def by_rows(batches: Iterator[Batch], counter: Counter, size: int, before: int = 0) -> Iterator[Span]:
    """Windows of ``size`` rows; ``before`` rows were deleted earlier, and windows keep the numbers they had."""
    number, room, open_span = before // size + 1, size - before % size, None
    whole = before % size == 0
    for batch in batches:
        start = 0
        while start < len(batch):
            part = batch.cut(start, start + room)
            open_span = _joined(open_span, number, counter.count(part), part)
            start, room = start + len(part), room - len(part)
            if room == 0:
                open_span.complete = whole
                yield open_span
                number, room, open_span, whole = number + 1, size, None, True
    if open_span is not None:
        yield open_span


def by_time(batches: Iterator[Batch], counter: Counter, size_ms: int, first_at: int | None = None) -> Iterator[Span]:
    """Windows of a length of time, on the clock (days begin at midnight UTC); the last one is not complete yet."""
    open_span: Span | None = None
    origin = None if first_at is None else first_at // size_ms
    for batch in batches:
        slots = batch.at // size_ms
        origin = int(slots[0]) if origin is None else origin
        borders = [0, *(np.flatnonzero(np.diff(slots)) + 1).tolist(), len(batch)]
        for start, end in itertools.pairwise(borders):
            part, number = batch.cut(start, end), int(slots[start]) - origin + 1
            if open_span is not None and number > open_span.number:
                open_span.complete = True
                yield open_span
                open_span = None
            number = max(number, open_span.number if open_span else number)
            open_span = _joined(open_span, number, counter.count(part), part)
    if open_span is not None:
        yield open_span


def _joined(span: Span | None, number: int, counts: Counts, part: Batch) -> Span:
    if span is None:
        return Span(number, counts, int(part.at[0]), int(part.at[-1]), False)
    span.counts, span.end = added(span.counts, counts), int(part.at[-1])
    return span
