"""A decoder, or a model that writes, on questions with choices: how often the right choice is the likeliest."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from honed.data.table import Table
from honed.evaluation.figures import estimate
from honed.evaluation.results import Answer, Estimate, Evaluation, MetricResult, Verdict
from honed.likelihood.choices import Question, choose, questions_in
from honed.likelihood.scorer import Scorer
from honed.likelihood.tokens import Passage
from honed.metrics.intervals import Interval
from honed.progress import Progress, Silent
from honed.tasks.judging import Detail
from honed.wording import counted

FEWEST = 40
BY_LOT, SAME_PLACE, LONGEST = "by lot", "always the same place", "always the longest choice"


def evaluate_choices(
    scorer: Scorer,
    table: Table,
    *,
    name: str,
    passage: Callable[[str, str], Passage] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Shares of right choices by likelihood with intervals, beside methods that need no model, and a verdict.

    Raises
    ------
    DataError [D095]
    """
    begin, progress = time.monotonic(), progress or Silent()
    every = questions_in(table)
    questions = _affordable(scorer, every)
    with progress.step("weighing the choices"):
        chosen = choose(scorer, questions, passage)
    beside = _without_model(questions)
    kinds = (
        ("acc", "right choices (sum of likelihoods)", chosen.plain),
        ("acc_norm", "the same by letter", chosen.by_letters),
        ("acc_bytes", "the same by byte", chosen.by_bytes),
    )
    metrics = [MetricResult(key, title, "%", True, estimate(chosen.share(one)), beside) for key, title, one in kinds]
    gain = chosen.beyond_chance(chosen.plain, seed)
    return Evaluation(
        task="text-generation", kind="choices", model_name=name, base="", data_source=table.source, data_digest=table.digest,
        n_rows=len(every), n_used=len(questions), n_duplicates_removed=0, held_out=False, metrics=metrics,
        verdict=_verdict(metrics[0], beside, gain, len(questions)), details=[_told(questions, gain)],
        seconds=time.monotonic() - begin, unit="question",
    )  # fmt: skip


def _affordable(scorer: Scorer, questions: list[Question]) -> list[Question]:
    """All questions, or evenly spread ones where all would take too long."""
    letters = sum(sum(len(one.question) + len(choice) for choice in one.choices) for one in questions)
    step = max(1, -(-letters // (3 * scorer.tokens_within())))
    return questions[::step]


def _without_model(questions: list[Question]) -> dict[str, Estimate]:
    """What choosing by lot gives, always the best single place, and always the longest choice."""
    places = [one.answer for one in questions]
    same = max(np.mean([place == k for place in places]) for k in set(places))
    longest = np.mean([int(np.argmax([len(c) for c in one.choices])) == one.answer for one in questions])
    lot = float(np.mean([1 / len(one.choices) for one in questions]))
    found = {BY_LOT: lot, SAME_PLACE: float(same), LONGEST: float(longest)}
    return {name: Estimate(value, value, value) for name, value in found.items()}


def _told(questions: list[Question], gain: Interval) -> Detail:
    choices = [len(one.choices) for one in questions]
    rows = [
        ("questions judged", len(questions)),
        ("choices of a question, fewest", min(choices)),
        ("choices of a question, most", max(choices)),
        ("right beyond choosing by lot", (gain.value, gain.low, gain.high)),
    ]
    note = (
        "The likeliest choice after the question counts as the answer, as EleutherAI's evaluation harness defines it."
    )
    return Detail("How it was asked", ("", ""), rows, note)


def _verdict(metric: MetricResult, beside: dict[str, Estimate], gain: Interval, n: int) -> Verdict:
    own, name = metric.model, max(beside, key=lambda key: beside[key].value)
    best, told = beside[name].value, "Every check passed."
    answer: Answer = "ship"
    if n < FEWEST:
        answer, told = "cannot tell", f"Only {counted(n, 'question')} were asked; {FEWEST} are needed at least."
    elif gain.low <= 0:
        answer, told = "do not ship", f"It chooses no better than by lot ({100 * beside[BY_LOT].value:.0f} %)."
    elif own.low <= best:
        answer, told = "ship with care", f"It is not clearly better than {name} ({100 * best:.0f} %)."
    words: dict[Answer, str] = {
        "ship": "It chooses clearly better than without a model",
        "ship with care": "It chooses better than by lot, but look at the points below",
        "do not ship": "Do not rely on its choices",
        "cannot tell": "These questions cannot tell whether it chooses well",
    }
    figure = f"{100 * own.value:.1f} % right (95 % interval {100 * own.low:.1f} to {100 * own.high:.1f} %)"
    power = f"With {counted(n, 'question')} differences below {100 * (own.high - own.low):.0f} points cannot be seen."
    return Verdict(answer, f"{words[answer]}: {figure}.", [told], power)
