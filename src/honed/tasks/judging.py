"""How answers are compared with the truth, row by row, whatever an answer is; a task whose answers are neither labels nor
numbers brings a Judging of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from honed.finding import Finding
from honed.tasks.answers import Array, Predictions
from honed.tasks.problem import Problem


@dataclass(frozen=True)
class Counts:
    """How often each label was true, given, and both, in every row: int arrays (n, labels)."""

    true: Array
    given: Array
    hits: Array


@dataclass(frozen=True)
class Measured:
    """A number that is no share, with its 95 % interval; ``unit`` stands behind it where there is one."""

    value: float
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True)
class Detail:
    """A table that only answers of one kind have.

    Parameters
    ----------
    title, note : str
    columns : tuple of str
    rows : list of tuples
        Texts and numbers, one for each column: a float or (value, low, high) is a share, other numbers are :class:`Measured`.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Worry:
    """Something that speaks against relying on answers: one sentence, and whether it forbids it or asks for care."""

    text: str
    forbids: bool = False


@dataclass(frozen=True)
class Look:
    """What was found by a further look at a network: tables, what speaks against relying on it, findings."""

    details: list[Detail] = field(default_factory=list)
    worries: list[Worry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def __add__(self, other: Look) -> Look:
        return Look(self.details + other.details, self.worries + other.worries, self.findings + other.findings)


@dataclass(frozen=True)
class Doubt:
    """One part of a target that looks wrong beside a model's answer.

    Parameters
    ----------
    row : int
        Which of the rows.
    kind, text : str
        What is doubted, in a word and in a sentence.
    weight : float
        How sure the model is, 0 to 1.
    """

    row: int
    kind: str
    text: str
    weight: float


@dataclass(frozen=True)
class ShownLabels:
    """Every label of some rows with what a base sees of the part of the row that it names.

    Parameters
    ----------
    features : float array (m, d)
    labels, rows : int arrays (m,)
        The label as given, and which row it is of.
    places : tuple of m str
        Where in the row, in words; "" for the row as a whole.
    """

    features: Array
    labels: Array
    rows: Array
    places: tuple[str, ...]


class Judging:
    """For a label, several labels, or a number a row. Arrays are in the encoding of the targets."""

    tells_places: ClassVar[bool] = False
    """Answers say where something is in the input."""

    def right(self, truth: Array, given: Array) -> Array:
        """True where an answer is right (all labels of a row, for several), bool (n,)."""
        same: Array = np.asarray(truth) == np.asarray(given)
        return np.asarray(same.all(axis=1)) if same.ndim == 2 else same

    def same(self, first: Array, second: Array) -> Array:
        """True where two answers are the same, bool (n,); numbers within 5 %."""
        if first.dtype.kind == "f":
            return np.isclose(first, second, rtol=0.05)
        return self.right(first, second)

    def agree(self, first: list[Any], second: list[Any]) -> Array:
        """True where two models' answers in words say the same, bool (n,); numbers within 5 %."""
        pairs = zip(first, second, strict=True)
        found = [bool(np.isclose(a, b, rtol=0.05)) if isinstance(a, float) else a == b for a, b in pairs]
        return np.array(found, dtype=bool)

    def errors(self, truth: Array, given: Array) -> Array:
        """How wrong each row is, float (n,): 0 or 1, the share of wrong labels, or the distance."""
        if truth.ndim == 2:
            return np.asarray((truth != given).mean(axis=1))
        return (truth != given).astype(float) if truth.dtype.kind == "i" else np.abs(truth - given)

    def changed(self, first: Array, second: Array) -> float:
        """Share of answers that differ; for numbers the mean difference relative to their spread."""
        if not len(first):
            return 0.0
        if first.dtype.kind == "f":
            return float(np.abs(first - second).mean() / (first.std() or 1.0))
        return float((first != second).reshape(len(first), -1).any(axis=1).mean())

    def counts(self, truth: Array, given: Array, n_labels: int) -> Counts:
        """True, given and right labels of every row."""
        if truth.ndim == 2:
            true, told = truth == 1, given == 1
        else:
            true, told = truth[:, None] == np.arange(n_labels), given[:, None] == np.arange(n_labels)
        return Counts(true.astype(np.int64), told.astype(np.int64), (true & told).astype(np.int64))

    def census(self, targets: Array, n_labels: int) -> Array:
        """How often each label is true, int (labels,)."""
        known = targets if targets.ndim == 2 else targets[targets >= 0]
        return known.sum(axis=0) if targets.ndim == 2 else np.bincount(known, minlength=n_labels)

    def graded(self, truth: Array, answers: Predictions) -> tuple[Array, Array] | None:
        """Confidence and rightness (0 or 1) of everything that was answered with a confidence, float (m,) each."""
        if answers.confidence is None:
            return None
        return np.asarray(answers.confidence, dtype=float), self.right(truth, answers.encoded).astype(float)

    def worst(self, truth: Array, answers: Predictions) -> Array:
        """Rows with mistakes, the worst first: those most confident, or furthest off."""
        if answers.confidence is None:
            return np.argsort(-np.abs(truth - answers.encoded), kind="stable")
        wrong = np.flatnonzero(~self.right(truth, answers.encoded))
        return wrong[np.argsort(-np.asarray(answers.confidence)[wrong], kind="stable")]

    def named(self, encoded: Any, labels: tuple[str, ...]) -> str:
        """One target or answer in words."""
        if not labels:
            return f"{float(encoded):.3g}"
        if np.ndim(encoded) == 1:
            return ", ".join(labels[i] for i in np.flatnonzero(encoded)) or "(none)"
        return labels[int(encoded)] if 0 <= int(encoded) < len(labels) else "(unknown label)"

    def picture(self, row: Any, truth: Any, given: Any, labels: tuple[str, ...]) -> str:
        """The input with truth and answer (None for none) drawn into it, as a data URI; "" where there is nothing to draw."""
        return ""

    def doubts(self, truth: Array, given: Array, labels: tuple[str, ...]) -> list[Doubt]:
        """What looks wrong in targets of several parts beside a model's decided answers, the surest first."""
        return []

    def from_words(self, answers: list[Any], truths: list[Any], labels: tuple[str, ...]) -> tuple[Array, Array] | None:
        """Answers and truths as a log holds them, encoded again; None where a table can hold them and the task encodes it."""
        return None

    def details(self, truth: Array, given: Array, problem: Problem, seed: int) -> list[Detail]:
        """Tables that only answers of this kind have."""
        return []

    def worries(self, truth: Array, given: Array, problem: Problem) -> list[Worry]:
        """What only answers of this kind can do wrong, and how grave that is."""
        return []

    def differ(self, found: Array, wanted: Array) -> float:
        """Largest difference of raw outputs, relative to the largest output."""
        scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
        worst = float(np.abs(found - wanted).max(initial=0.0)) / scale
        return worst if np.isfinite(found).all() else float("inf")


def names_in(answer: Any) -> list[str]:
    """The labels that one answer names, each once: of a label, a list of labels, or a list of objects with a label."""
    parts = answer if isinstance(answer, list) else [answer]
    return list(dict.fromkeys(str(part["label"]) if isinstance(part, dict) else str(part) for part in parts))
