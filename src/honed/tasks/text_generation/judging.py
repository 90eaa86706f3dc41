"""Written texts against those that were wanted, row by row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from honed.metrics import texts
from honed.metrics.intervals import wilson
from honed.tasks.answers import Array, Predictions
from honed.tasks.judging import Counts, Detail, Judging, Worry
from honed.tasks.text_generation.written import BYTES, ENDED, SURE, pack, texts_of, width_of

if TYPE_CHECKING:
    from honed.tasks.contract import Problem

WRONG_CARE, WRONG_REFUSE = 0.02, 0.2
"""Shares of texts with a wrong number, beyond chance, from which care is asked for and shipping is refused."""
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
RIGHT_FROM = 0.999
LONGEST_SHOWN = 300


class TextJudging(Judging):
    """Targets are arrays of texts, answers packed rows (:mod:`honed.tasks.text_generation.written`)."""

    def right(self, truth: Array, given: Array) -> Array:
        """True where the text is the wanted one but for blanks."""
        return _each(texts.exact_match, _words(truth), texts_of(given)) >= RIGHT_FROM

    def same(self, first: Array, second: Array) -> Array:
        """True where the two texts are the same but for blanks."""
        return self.right(np.array(texts_of(first), dtype=object), second)

    def errors(self, truth: Array, given: Array) -> Array:
        """1 minus the likeness of letters (chrF)."""
        return 1 - _each(texts.chrf, _words(truth), texts_of(given))

    def changed(self, first: Array, second: Array) -> float:
        """Mean share of a text that became another."""
        if not len(first):
            return 0.0
        return float((1 - _each(texts.chrf, texts_of(first), texts_of(second))).mean())

    def counts(self, truth: Array, given: Array, n_labels: int) -> Counts:
        """Nothing: there are no labels."""
        none = np.zeros((len(given), 0), dtype=np.int64)
        return Counts(none, none, none)

    def census(self, targets: Array, n_labels: int) -> Array:
        return np.zeros(0, dtype=np.int64)

    def worst(self, truth: Array, answers: Predictions) -> Array:
        """Rows that are not right, the least alike first."""
        errors = self.errors(truth, answers.encoded)
        order = np.argsort(-errors, kind="stable")
        found: Array = order[errors[order] > 1 - RIGHT_FROM]
        return found

    def named(self, encoded: Any, labels: tuple[str, ...]) -> str:
        """The text itself, shortened."""
        text = encoded if isinstance(encoded, str) else texts_of(np.asarray(encoded)[None])[0]
        return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"

    def from_words(self, answers: list[Any], truths: list[Any], labels: tuple[str, ...]) -> tuple[Array, Array]:
        room = max((len(str(answer).encode()) for answer in answers), default=0)
        return pack([str(answer) for answer in answers], width_of(room)), _words(truths)

    def details(self, truth: Array, given: Array, problem: Problem, seed: int) -> list[Detail]:
        """How often facts are right, and whether texts come to their end."""
        facts, wrong = wrong_numbers(truth, given)
        ended, empty = given[:, ENDED] > 0, given[:, BYTES] == 0
        counted = [
            ("every number in it is right", int((~wrong[facts]).sum()), int(facts.sum())),
            ("it came to its own end", int(ended.sum()), len(given)),
            ("something was written", int((~empty).sum()), len(given)),
        ]
        rows = [(name, n, _share(hits, n)) for name, hits, n in counted if n]
        return [Detail("What was written", ("", "rows", "share"), rows, "Numbers count where either text has any.")]

    def worries(self, truth: Array, given: Array, problem: Problem) -> list[Worry]:
        """Wrong numbers: a text may read well and send somebody to the wrong room."""
        facts, wrong = wrong_numbers(truth, given)
        found = wilson(float(wrong.sum()), int(facts.sum()))
        if found.low <= WRONG_CARE:
            return []
        told = f"Of {int(facts.sum()):,} texts with numbers {100 * found.value:.0f} % have a wrong one, however well they read."
        return [Worry(told, forbids=found.low > WRONG_REFUSE)]

    def differ(self, found: Array, wanted: Array) -> float:
        """1 where a text differs, else the largest difference of a mean log-probability."""
        if found.shape != wanted.shape or not np.isfinite(found).all():
            return float("inf")
        if texts_of(found) != texts_of(wanted):
            return 1.0
        return float(np.abs(found[:, SURE] - wanted[:, SURE]).max(initial=0.0))


def wrong_numbers(truth: Array, given: Array) -> tuple[Array, Array]:
    """Rows in which either text has a number, and those in which the numbers are not the same, bool (n,) each."""
    pairs = [(_NUMBER.findall(a), _NUMBER.findall(b)) for a, b in zip(_words(truth), texts_of(given), strict=True)]
    there = np.array([bool(a or b) for a, b in pairs], dtype=bool)
    return there, np.array([sorted(a) != sorted(b) for a, b in pairs], dtype=bool)


def _share(hits: int, n: int) -> tuple[float, float, float]:
    found = wilson(float(hits), n)
    return found.value, found.low, found.high


def _words(values: Any) -> Array:
    found = np.empty(len(values), dtype=object)
    found[:] = [str(value) for value in values]
    return found


def _each(likeness: Any, first: Any, second: Any) -> Array:
    return np.array([likeness(str(a), str(b)) for a, b in zip(first, second, strict=True)], dtype=float)
