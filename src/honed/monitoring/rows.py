"""From an answered request to rows of the log: masked, hashed, with the traits that drift is told by."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from honed.bundle.reference import project
from honed.checks.personal_data import mask_personal
from honed.checks.traits import MOST_CHARACTERS, layout_of, packed, parts_of
from honed.monitoring.store import Row, to_json
from honed.tasks.contract import Array, Input, Predictions

TextKept = Literal["masked", "none", "raw"]
TOP = 5
_WORTH_MASKING = re.compile(r"[@\d!$%&#*]|AKIA|ghp_|-----BEGIN")
"""No kind of personal data that can be masked comes without one of these."""


@dataclass(frozen=True)
class Entry:
    """What the caller handed over, as it was; all work on it is done in the writer's thread."""

    at: int
    model: str
    version: str
    inputs: Sequence[Input]
    predictions: Predictions
    request_id: str
    subject: str | None
    shadow: bool
    vectors: Array | None = None
    handle: Future[bool] | None = None
    measured: Callable[[Input], Input] | None = None
    """What of an input is kept and watched; the input itself where this is left out."""


def masked(text: str) -> str:
    """The text, cut to 20,000 characters, with everything that looks like personal data masked."""
    text = text[:MOST_CHARACTERS]
    return mask_personal(text) if _WORTH_MASKING.search(text) else text


def hashed_subject(subject: str, salt: str) -> str:
    """A keyed hash of whom a row is about: the same in one log, another in every other."""
    return hmac.new(bytes.fromhex(salt), subject.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def clean(text: str) -> str:
    """Text that every database takes: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode()


def rows_of(entry: Entry, first_id: int, salt: str, text: TextKept, hash_subjects: bool) -> list[Row]:
    """The rows of one request, numbered from ``first_id``."""
    predictions, n = entry.predictions, len(entry.inputs)
    subject = entry.subject
    if subject is not None:
        subject = hashed_subject(subject, salt) if hash_subjects else clean(subject)
    model, version, request = clean(entry.model), clean(entry.version), clean(entry.request_id)
    confidence: list[Any] = [None] * n
    if predictions.confidence is not None:
        confidence = np.asarray(predictions.confidence, dtype=np.float64).tolist()
    unsure = np.asarray(predictions.unsure, dtype=np.int64).tolist()
    top = _top(predictions.probabilities, n)
    vectors = [None] * n if entry.vectors is None else [row.tobytes() for row in project(entry.vectors).astype("<f4")]
    found = []
    for line, given in enumerate(entry.inputs):
        row = given if entry.measured is None else entry.measured(given)
        layout = layout_of(row)
        found.append(
            (first_id + line, entry.at, model, version, request, line, subject, _kept(row, text),
             clean(to_json(predictions.labels[line])), confidence[line], top[line], unsure[line], int(entry.shadow), layout,
             packed(row, layout), vectors[line])
        )  # fmt: skip
    return found


def _kept(row: Input, text: TextKept) -> str | None:
    if text == "none":
        return None
    parts = [part if not isinstance(part, str) else part if text == "raw" else masked(part) for part in parts_of(row)]
    return to_json([clean(part) if isinstance(part, str) else part for part in parts])


def _top(probabilities: Array | None, n: int) -> list[str | None]:
    """The most probable labels by position, with their probabilities."""
    if probabilities is None:
        return [None] * n
    width = min(TOP, probabilities.shape[1])
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :width]
    values = np.round(np.take_along_axis(probabilities, best, axis=1).astype(np.float64), 4)
    return [to_json(list(zip(p, v, strict=True))) for p, v in zip(best.tolist(), values.tolist(), strict=True)]
