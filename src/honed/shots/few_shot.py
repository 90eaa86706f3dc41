"""Rows answered by a model that is shown examples: labels, fields of an object, or texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from honed.networks.decoders.layout import APART, Layout
from honed.progress import Progress, Silent
from honed.shots.base import Asked, Base, Shot, Wish, Written
from honed.shots.choice import Choice
from honed.shots.examples import Examples, Row
from honed.shots.labels import LabelScores
from honed.shots.schema import as_json, bounded, longest
from honed.shots.settings import FewShotConfig
from honed.tasks.answers import Array, Decision
from honed.tasks.classification import decisions
from honed.tasks.contract import Problem

MOST_SHOTS, MOST_LISTED = 16, 40
JUDGED, FEWEST_JUDGED = 64, 20
"""Examples that are answered by the others, at most; from how many on."""
SPARE, SPARE_TOKENS, UNKNOWN_TOKENS = 1.5, 16, 128
"""Tokens kept free for an answer: so many times the longest of the examples, and some more; without any examples."""


@dataclass(frozen=True)
class Answers:
    """Answers to n rows.

    Parameters
    ----------
    values : list
        A label, a dictionary of fields or a text; None where nothing of the wanted form came.
    probabilities : array (n, labels), optional
    confidence : array (n,), optional
    unsure : bool array (n,)
    n_shots : int array (n,)
        Examples that were shown.
    shortened : bool array (n,)
        Rows that were too long.
    """

    values: list[Any]
    probabilities: Array | None
    confidence: Array | None
    unsure: Array
    n_shots: Array
    shortened: Array


class FewShot:
    """A model with examples to go by.

    Parameters
    ----------
    base : Base
    examples : Examples
    config : FewShotConfig
    """

    def __init__(
        self, base: Base, examples: Examples, config: FewShotConfig | None = None, *, progress: Progress | None = None
    ) -> None:
        self.base, self.examples, self.config = base, examples, config or FewShotConfig()
        self.scored = examples.kind == "label" and base.scores
        self.choice = Choice(examples, self.config.choice, self.config.seed)
        self.layout = Layout(
            examples.names, self.config.instruction or _instruction(examples, self._as_object), chat=base.chat,
            answer=examples.answer, block=not self.scored and examples.kind != "text",
        )  # fmt: skip
        self.wish, self._room = self._wished()
        self._scores = LabelScores(base, self.layout, examples.labels, self.config.calibrate)
        self.problem = Problem("", "multiclass", examples.names, examples.answer, examples.labels, "accuracy")
        self.decision = Decision(unsure_below=1.2 / max(1, len(examples.labels)))
        self.judged: tuple[int, int] | None = None
        if self.scored and self.config.judge_examples and len(examples) >= FEWEST_JUDGED and self.n_shots:
            self._judge_examples(progress or Silent())

    @property
    def n_shots(self) -> int:
        """Examples shown with a row at most."""
        wanted = self.config.shots
        return min(len(self.examples), MOST_SHOTS if wanted < 0 else wanted)

    @property
    def _as_object(self) -> bool:
        """Labels are written as a field of an object, where only the form of an answer can be asked for."""
        return self.examples.kind == "label" and not self.base.scores

    def asked(self, rows: Sequence[Row], *, others: bool = False) -> list[Asked]:
        """Rows with their examples as the model reads them; with ``others`` no example equals its row."""
        orders = self.choice.ordered(rows, self.n_shots, others=others)
        by_likeness = self.config.choice == "alike" and self.examples.kind == "label" and self.n_shots
        scores = self.choice.likeness(rows) if by_likeness and rows else [None] * len(rows)
        return [self._asked(row, order, one) for row, order, one in zip(rows, orders, scores, strict=True)]

    def _asked(self, row: Row, order: list[int], likeness: Any) -> Asked:
        """As many examples as fit; where labels took turns they are then shown by likeness, the most alike last."""
        found = self.base.asked(self.layout, row, self._shots(order), self._room)
        kept = order[: len(found.shots)]
        best_first = kept if likeness is None else sorted(kept, key=lambda k: -likeness[k])
        if best_first == kept:
            return found
        again = replace(found, shots=tuple(self._shots(best_first)[::-1]))
        return replace(self.base.again(self.layout, again, found.row), shortened=found.shortened)

    def _shots(self, places: Sequence[int]) -> list[Shot]:
        return [(self.examples.rows[k], self._written(self.examples.answers[k])) for k in places]

    def _written(self, answer: str) -> str:
        return as_json({self.examples.answer: answer}) if self._as_object else answer

    def prompt(self, row: Row) -> str:
        """What the model reads for a row."""
        return self.base.shown(self.asked([row])[0])

    def answer(self, rows: Sequence[Row]) -> Answers:
        """Answers to rows."""
        asked = self.asked(rows)
        facts = np.array([len(one.shots) for one in asked]), np.array([one.shortened for one in asked], dtype=bool)
        if self.scored:
            given = decisions.decode(self._scores.of(asked), self.problem, self.decision)
            return Answers(given.labels, given.probabilities, given.confidence, given.unsure, *facts)
        written = self.base.write(asked, self.wish)
        values = [self._read(one) for one in written]
        unsure = np.array(
            [value is None or not one.ended for value, one in zip(values, written, strict=True)], dtype=bool
        )
        told = [one.chance for one in written]
        chances = (
            np.array([np.nan if one is None else one for one in told]) if any(one is not None for one in told) else None
        )
        return Answers(values, None, chances, unsure, *facts)

    def _read(self, written: Written) -> Any:
        """The value of what was written; None where it is not of the wanted form."""
        text = written.text.strip()
        if self.examples.kind == "text":
            return text or None
        found = _object_in(text)
        if found is None or self.examples.kind == "fields":
            return found if found is None or _fits(found, self.wish.schema) else None
        label = found.get(self.examples.answer)
        return label if label in self.examples.labels else None

    def _wished(self) -> tuple[Wish, int]:
        """What answers must be like, and how many tokens are kept free for one."""
        examples, config = self.examples, self.config
        if self.scored:
            return Wish(1), max(map(self.base.length, examples.labels)) + 2
        usual = max((self.base.length(self._written(answer)) for answer in examples.answers), default=0)
        room = config.max_tokens or (int(SPARE * usual) + SPARE_TOKENS if usual else UNKNOWN_TOKENS)
        if self._as_object:
            schema = _object({examples.answer: {"type": "string", "enum": list(examples.labels)}})
            return Wish(config.max_tokens or longest(schema), schema=schema), room
        if examples.kind == "fields":
            assert examples.schema is not None
            schema = bounded(examples.schema)
            return Wish(config.max_tokens or max(room, longest(schema)), schema=schema), room
        stop = config.stop or (APART if any("\n" in one for one in examples.answers) else "\n")
        return Wish(room, (stop,) if config.stop or not self.base.chat else ()), room

    def _judge_examples(self, progress: Progress) -> None:
        """Answer examples by the others, to learn how far scores can be believed."""
        examples, known = self.examples, {label: k for k, label in enumerate(self.examples.labels)}
        step = max(1, len(examples) // JUDGED)
        places = list(range(0, len(examples), step))[:JUDGED]
        outputs = []
        with progress.step("judging the examples by each other", len(places)) as bar:
            for k in places:
                outputs.append(self._scores.of(self.asked([examples.rows[k]], others=True))[0])
                bar.advance()
        scores = np.array(outputs)
        targets = np.array([known[examples.answers[k]] for k in places])
        self.decision = decisions.fit_decision(scores, targets, self.problem, SimpleNamespace(costs={}))
        self.judged = int((scores.argmax(axis=1) == targets).sum()), len(targets)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _instruction(examples: Examples, as_object: bool) -> str:
    """What is said where the user says nothing: which labels or fields there are."""
    if examples.kind == "label":
        if len(examples.labels) > MOST_LISTED:
            return ""
        names = ", ".join(examples.labels)
        return (
            f'Answer with JSON, "{examples.answer}" one of: {names}.' if as_object else f"Answer with one of: {names}."
        )
    if examples.kind == "fields":
        assert examples.schema is not None
        return f"Answer with JSON: {', '.join(examples.schema['properties'])}."
    return ""


def _object_in(text: str) -> dict[str, Any] | None:
    """The JSON object of an answer, also where words or fences stand around it."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[begin : end + 1]) if 0 <= begin < end else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _fits(found: dict[str, Any], schema: dict[str, Any] | None) -> bool:
    """True where an answer has the fields that are required and no others."""
    assert schema is not None
    known, needed = set(schema["properties"]), set(schema.get("required", ()))
    return needed <= set(found) and (set(found) <= known or schema.get("additionalProperties", True) is not False)
