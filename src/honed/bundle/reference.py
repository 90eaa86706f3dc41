"""What the training data looked like, as aggregates: the reference against which drift is told. No raw rows, no words."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from honed.model import Model
from honed.tasks.contract import Input

BUCKETS = 256
FEWEST = 5
"""Buckets with fewer rows are not told apart: they could point at a person."""


def reference_table(model: Model, inputs: Sequence[Input]) -> pa.Table:
    """Tidy aggregates (feature, statistic, bucket, value) of inputs and of the model's answers to them."""
    rows: list[tuple[str, str, str, float]] = [("rows", "count", "", float(len(inputs)))]
    for position, name in enumerate(model.problem.inputs):
        texts = [str(row[position]) for row in inputs]
        rows += _histogram(name, "characters", np.log1p([len(text) for text in texts]))
        rows += _histogram(name, "share_not_ascii", np.array([_not_ascii(text) for text in texts]))
        rows += _tokens(name, texts)
    answers = model.answers(inputs)
    if answers.confidence is not None:
        rows += _histogram("prediction", "confidence", answers.confidence)
    if answers.probabilities is not None:
        mean = answers.probabilities.mean(axis=0)
        rows += [
            ("prediction", "mean_probability", label, float(p))
            for label, p in zip(model.problem.labels, mean, strict=True)
        ]
    else:
        rows += _histogram("prediction", "value", np.asarray(answers.encoded, dtype=float))
    names = ("feature", "statistic", "bucket", "value")
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})


def _histogram(feature: str, statistic: str, values: Any) -> list[tuple[str, str, str, float]]:
    counts, edges = np.histogram(np.asarray(values, dtype=float), bins=20)
    return [(feature, statistic, f"{edges[i]:.6g}..{edges[i + 1]:.6g}", float(count)) for i, count in enumerate(counts)]


def _not_ascii(text: str) -> float:
    return sum(character > "\x7f" for character in text) / max(1, len(text))


def _tokens(feature: str, texts: list[str]) -> list[tuple[str, str, str, float]]:
    """Share of rows with a word in each of 256 hash buckets; the words themselves cannot be read back."""
    counts = np.zeros(BUCKETS)
    for text in texts:
        buckets = {zlib.crc32(word.encode()) % BUCKETS for word in text.lower().split()}
        counts[list(buckets)] += 1
    counts[counts < FEWEST] = 0
    return [
        (feature, "word_bucket", str(bucket), float(count) / max(1, len(texts))) for bucket, count in enumerate(counts)
    ]
