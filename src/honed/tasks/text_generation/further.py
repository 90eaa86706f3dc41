"""A further look at a model that writes: how well it knows texts, what it has by heart, forgot, leans to, and answers unasked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from honed.finding import Finding
from honed.likelihood.contamination import look_at_contamination
from honed.likelihood.forgetting import look_at_forgetting
from honed.likelihood.harsh import look_at_words
from honed.likelihood.leanings import LEADING, look_at_leanings
from honed.likelihood.memory import look_at_memory
from honed.likelihood.scorer import Scorer
from honed.likelihood.secrets import look_at_secrets
from honed.likelihood.tokens import Passage
from honed.likelihood.told import Told, some
from honed.media.medium import Medium
from honed.metrics.intervals import wilson
from honed.tasks.contract import Asked, Input, Predictor, Problem
from honed.tasks.judging import Detail, Look
from honed.tasks.text_generation.written import texts_of

MOST_ROWS, MOST_LEARNT = 500, 4_000
"""Rows held out, and rows learnt from, that are looked at."""
KNOWS_ITS_LIMITS = 0.5


def look(asked: Asked, medium: Medium) -> Look:
    """Everything, for a network; for other methods only what they answer."""
    found = _scope(asked, medium) + _words(asked)
    network = getattr(asked.predictor, "network", None)
    if asked.predictor.kind != "network" or network is None or not hasattr(network, "backbone"):
        return found
    own = scorer_of(network)
    told = told_rows(network, asked.inputs, asked.targets, MOST_ROWS, asked.seed)
    learnt = told_rows(network, asked.learnt_inputs, asked.learnt_targets, MOST_LEARNT, asked.seed)
    base = scorer_of(asked.base()) if asked.base is not None else None
    first = look_at_forgetting(own, base, told, [row[0] for row in medium.general(1)], seed=asked.seed)
    if learnt:
        first += look_at_memory(own, learnt, told, seed=asked.seed) + look_at_secrets(
            own, learnt, told, seed=asked.seed
        )
    if base is not None:
        rows = [Told(one.asked) for one in told]
        first += look_at_contamination(base, rows, what="the base", seed=asked.seed)
    return first + found + look_at_leanings(own, seed=asked.seed)


def weighing(predictor: Predictor, problem: Problem) -> tuple[Scorer, Callable[[str, str], Passage]] | None:
    """What judges texts by a network, and a question and a choice as a row and its text; None for other methods."""
    network: Any = getattr(predictor, "network", None)
    if predictor.kind != "network" or not hasattr(network, "backbone"):
        return None

    def passage(question: str, choice: str) -> Passage:
        row = (question,) + ("",) * (len(problem.inputs) - 1)
        return Passage(network.encode([row])[0]["tokens"], network.vocabulary.encode(choice, special=False))

    return scorer_of(network), passage


def scorer_of(network: Any) -> Scorer:
    """What judges texts by the decoder of a network that writes."""
    return Scorer(network.loaded())


def told_rows(network: Any, inputs: Sequence[Input], targets: Any, most: int, seed: int) -> list[Told]:
    """Rows with their texts as the network is told them; those without a text are left out."""
    there = some([k for k in range(len(inputs)) if targets[k] is not None], most, seed)
    encoded = network.encode([inputs[k] for k in there])
    return [
        Told(str(targets[k]), tuple(one["tokens"]), network.layout.asked(inputs[k]))
        for k, one in zip(there, encoded, strict=True)
    ]


def _scope(asked: Asked, medium: Medium) -> Look:
    """How often it is in doubt about rows that are none of its subject."""
    rows = medium.out_of_scope(len(asked.problem.inputs))
    if not rows or not len(asked.inputs):
        return Look()
    unsure, own = asked.answer(rows).unsure, asked.answers.unsure
    share, usual = wilson(float(unsure.sum()), len(unsure)), wilson(float(own.sum()), len(own))
    table = [
        (f"{medium.many} on other subjects", len(rows), (share.value, share.low, share.high)),
        ("rows of the test", len(own), (usual.value, usual.low, usual.high)),
    ]
    note = "In doubt: it wrote nothing, came to no end, or wrote with less assurance than for nearly all rows it was checked on."
    look_ = Look([Detail("What is none of its subject", ("", "rows", 'answered "I don\'t know"'), table, note)])
    if share.high >= KNOWS_ITS_LIMITS and share.value >= KNOWS_ITS_LIMITS:
        return look_
    told = f"It answers {100 * (1 - share.value):.0f} % of {len(rows)} {medium.many} that are none of its subject as if they were."
    remedy = "Let only rows of its subject reach it, or teach it rows of other subjects with an answer that says so."
    return look_ + Look(findings=[Finding("E017", "tip", told, remedy, details={"flagged": share.value})])


def _words(asked: Asked) -> Look:
    """Harsh words: in its answers, in what it writes when led astray, and in the texts it learnt from."""
    n = len(asked.problem.inputs)
    led = texts_of(np.asarray(asked.answer([(text,) + ("",) * (n - 1) for text in LEADING]).encoded))
    learnt = [str(text) for text in asked.learnt_targets if text is not None]
    return look_at_words(
        texts_of(np.asarray(asked.answers.encoded)), led, learnt, [str(text) for text in asked.targets]
    )
