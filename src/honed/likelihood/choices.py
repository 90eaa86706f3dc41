"""Multiple choice by likelihood, as EleutherAI's evaluation harness defines it (Gao et al., 2021).

The answer is the choice with the highest sum of the logarithms of its tokens' probabilities after the question (``acc``), divided by the
letters of the choice (``acc_norm``) or by its bytes (``acc_bytes``). A blank stands between question and choice and belongs to the
choice; it is not counted in its length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.data.table import Table
from honed.errors import DataError
from honed.likelihood.scorer import Scorer
from honed.likelihood.tokens import Passage
from honed.metrics.intervals import Interval, mean_interval, wilson
from honed.tasks.answers import Array

COLUMNS = ("question", "choices", "answer")
BETWEEN = " "


@dataclass(frozen=True)
class Question:
    """A question with its choices, and which of them is right."""

    question: str
    choices: tuple[str, ...]
    answer: int


@dataclass(frozen=True)
class Chosen:
    """What was chosen for n questions, by the plain sum, by letters and by bytes, int arrays (n,); ``right`` is the truth."""

    plain: Array
    by_letters: Array
    by_bytes: Array
    right: Array
    chance: Array

    def share(self, chosen: Array) -> Interval:
        """Share of right choices."""
        return wilson(float((chosen == self.right).sum()), len(self.right))

    def beyond_chance(self, chosen: Array, seed: int = 0) -> Interval:
        """Share of right choices minus what choosing by lot gives, with its 95 % interval."""
        return mean_interval((chosen == self.right) - self.chance, seed=seed)


def are_choices(names: Sequence[str]) -> bool:
    """True for columns of questions with choices."""
    return set(COLUMNS) <= set(names)


def questions_in(table: Table) -> list[Question]:
    """The questions of a table; the answer is the place of the right choice, from 0, or the choice itself.

    Raises
    ------
    DataError [D095]
        A row has fewer than two choices, or its answer is none of them.
    """
    found = []
    columns = (table.column(name) for name in COLUMNS)
    for number, (question, choices, answer) in enumerate(zip(*columns, strict=True), 1):
        told = [str(choice) for choice in choices] if isinstance(choices, list) else []
        place = _place(answer, told)
        if len(told) < 2 or place is None or not all(told):
            seen = f"Row {number} of {table.source} is no question with choices: the answer {answer!r} is none of {len(told)} choices."
            raise DataError(
                "D095", seen, 'Write {"question": "...", "choices": ["...", "..."], "answer": 0} on each line.'
            )
        found.append(Question(str(question or ""), tuple(told), place))
    return found


def _place(answer: Any, choices: list[str]) -> int | None:
    if isinstance(answer, str) and answer in choices:
        return choices.index(answer)
    try:
        place = int(answer)
    except (TypeError, ValueError):
        return None
    return place if 0 <= place < len(choices) else None


def choose(
    scorer: Scorer, questions: Sequence[Question], passage: Callable[[str, str], Passage] | None = None
) -> Chosen:
    """The likeliest choice of each question; ``passage`` makes tokens of question and choice, the harness' way when left out."""
    make = passage or (lambda question, choice: scorer.pair(question, BETWEEN + choice))
    passages = [make(one.question, choice) for one in questions for choice in one.choices]
    logs = np.array([one.log for one in scorer.score(passages)])
    rows = np.split(logs, np.cumsum([len(one.choices) for one in questions])[:-1])
    return Chosen(
        np.array([int(np.argmax(row)) for row in rows]),
        np.array([_by(row, [len(choice) for choice in one.choices]) for row, one in zip(rows, questions, strict=True)]),
        np.array(
            [
                _by(row, [len(choice.encode()) for choice in one.choices])
                for row, one in zip(rows, questions, strict=True)
            ]
        ),
        np.array([one.answer for one in questions]),
        np.array([1 / len(one.choices) for one in questions]),
    )


def _by(logs: Array, lengths: list[int]) -> int:
    return int(np.argmax(logs / np.array(lengths, dtype=float)))
