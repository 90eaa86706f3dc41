"""How often answers are right where the data say so, beside cheap methods that go by the same examples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from honed.data.table import Table
from honed.metrics import texts
from honed.metrics.intervals import Interval, mean_interval, wilson
from honed.shots.beside import Beside
from honed.shots.choice import Choice
from honed.shots.examples import Examples, Row
from honed.tasks.contract import Problem

FEWEST_FOR_WORDS = 4
"""Examples from which counting words is tried."""
TITLES = {
    "model": "the model with its examples",
    "constant": "always the answer that came most often",
    "nearest": "the answer of the example most alike",
    "words": "counting words (TF-IDF) in the examples",
}


@dataclass(frozen=True)
class Line:
    """One method: how often it was right, with the 95 % interval, and the likeness of texts or fields."""

    name: str
    title: str
    right: Interval
    likeness: Interval | None = None


@dataclass
class _Count:
    right: int = 0
    shares: list[float] = field(default_factory=list)


class Truth:
    """Counts right answers batch by batch; keeps at most one number a row and method.

    Rows that stand among the examples do not count: their answers were shown.

    Parameters
    ----------
    examples : Examples
    choice : Choice
    beside : Beside, optional
        A packaged model that answers the same rows.
    """

    def __init__(self, examples: Examples, choice: Choice, beside: Beside | None = None) -> None:
        self.examples, self.choice, self.beside = examples, choice, beside
        self.n, self.n_known, self.n_learnt = 0, 0, 0
        self._known = set(examples.rows)
        self._counts: dict[str, _Count] = {}
        usual = Counter(examples.answers).most_common(1)
        self._usual = self._value(usual[0][0]) if usual else None
        self._words = _words(examples)

    def add(
        self, rows: Sequence[Row], truths: Sequence[Any], answers: Sequence[Any], table: Table | None = None
    ) -> None:
        """Rows with their truth (None where there is none) and the model's answers; ``table`` holds them for the other model."""
        there = [k for k, truth in enumerate(truths) if truth is not None and str(truth).strip()]
        fresh = [k for k in there if rows[k] not in self._known]
        self.n_known += len(there) - len(fresh)
        if not fresh:
            return
        self.n += len(fresh)
        some, wanted = [rows[k] for k in fresh], [self._value(truths[k]) for k in fresh]
        self._count("model", wanted, [answers[k] for k in fresh])
        if self.beside is not None and table is not None:
            given, learnt = self.beside.answers(table, fresh)
            self.n_learnt += int(learnt.sum())
            self._count("beside", wanted, [self._value(one) for one in given])
        if not len(self.examples):
            return
        self._count("constant", wanted, [self._usual] * len(some))
        near = self.choice.nearest(some)
        self._count("nearest", wanted, [self._value(self.examples.answers[k]) for k in near])
        if self._words is not None:
            best = self._words.outputs(some).argmax(axis=1)
            self._count("words", wanted, [self.examples.labels[k] for k in best])

    def lines(self) -> list[Line]:
        """The model first."""
        found = []
        for name, count in self._counts.items():
            shares = np.array(count.shares)
            likeness = mean_interval(shares) if len(shares) else None
            title = self.beside.title if name == "beside" and self.beside else TITLES[name]
            found.append(Line(name, title, wilson(float(count.right), self.n), likeness))
        return found

    @property
    def likeness_title(self) -> str:
        """What the second figure says."""
        return "right fields" if self.examples.kind == "fields" else "likeness (chrF)"

    def _count(self, name: str, wanted: Sequence[Any], given: Sequence[Any]) -> None:
        count = self._counts.setdefault(name, _Count())
        for truth, answer in zip(wanted, given, strict=True):
            if self.examples.kind == "label":
                count.right += truth == answer
                continue
            share = _fields(truth, answer) if self.examples.kind == "fields" else texts.chrf(truth, answer or "")
            exact = share == 1.0 if self.examples.kind == "fields" else texts.exact_match(truth, answer or "") == 1.0
            count.right += exact
            count.shares.append(share)

    def _value(self, answer: Any) -> Any:
        """An answer as it is compared: a label, fields, or a text."""
        if self.examples.kind != "fields":
            return str(answer).strip()
        if isinstance(answer, str):
            try:
                answer = json.loads(answer)
            except ValueError:
                return {}
        return answer if isinstance(answer, dict) else {}


def _fields(wanted: dict[str, Any], given: dict[str, Any] | None) -> float:
    """Share of the fields of either that are the same in both; absent is null."""
    names = {name for one in (wanted, given or {}) for name, value in one.items() if value is not None}
    if not names:
        return float(given is not None)
    return sum(_same(wanted.get(name), (given or {}).get(name)) for name in names) / len(names)


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, str) and isinstance(second, str):
        return first.split() == second.split()
    return bool(first == second)


def _words(examples: Examples) -> Any:
    """Counted words with a linear model, where there are labels and enough examples."""
    if examples.kind != "label" or len(examples) < FEWEST_FOR_WORDS or len(set(examples.answers)) < 2:
        return None
    from honed.networks.linear_text import LinearText

    known = {label: k for k, label in enumerate(examples.labels)}
    targets = np.array([known[answer] for answer in examples.answers])
    problem = Problem("", "multiclass", examples.names, examples.answer, examples.labels)
    return LinearText.fit(examples.rows, targets, problem, 0)
