"""Few rows: which method leads when held-out rows cannot tell, and what the contrastive rung learns from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from honed.config import RunConfig
from honed.evaluation.results import Estimate
from honed.metrics.classification import accuracy
from honed.metrics.regression import mae
from honed.tasks.contract import Array, Metric, Predictions, Problem
from honed.tasks.registry import get_task
from honed.tasks.text_classification import TextClassification
from honed.testing.check_task import bench_of
from honed.training import contrastive, ladder
from honed.training.candidate import Candidate
from honed.training.contrastive import NAMES, SHARE, ContrastiveRecipe, _with_names
from honed.training.recipe import BaselineRecipe, ProbeRecipe
from honed.training.session import Part, Session, make_parts

TRUTH = np.array([0, 1] * 20)


class Told:
    """A task whose outputs are its answers."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def metrics(self, problem: Any) -> list[Metric]:
        return [self.metric]

    def decode(self, outputs: Array, problem: Any, decision: Any) -> Predictions:
        return Predictions(outputs, list(outputs), None, None, np.zeros(len(outputs), dtype=bool))


def session(metric: Metric, folds: int = 4) -> Any:
    chosen: list[tuple[str, ...]] = []
    part = SimpleNamespace(targets=TRUTH, __len__=None)
    return SimpleNamespace(
        task=Told(metric), problem=None, folds=folds, seed=0, chosen=chosen,
        train=Part([("x",)] * len(TRUTH), TRUTH, np.arange(len(TRUTH))), validation=part,
        choose=lambda *words: chosen.append(words),
    )  # fmt: skip


def candidate(name: str, answers: Array, worth: float) -> Candidate:
    none: Any = None
    return Candidate(name, f"the {name}", none, answers, Estimate(worth, 0.0, 1.0), (worth, 0.0), 0.0, 0.0)


def with_errors(n: int) -> Array:
    answers = TRUTH.copy()
    answers[:n] = 1 - answers[:n]
    return answers


RIGHT = Metric("accuracy", "accuracy", accuracy)


def better(errors: int, trust: int, best_errors: int, best_trust: int, folds: int = 4) -> bool:
    one, best = [candidate(name, with_errors(n), 1 - n / 40) for name, n in (("new", errors), ("old", best_errors))]
    return ladder._better(session(RIGHT, folds), one, trust, best, best_trust)


def test_a_trusted_method_leads_unless_it_is_surely_worse() -> None:
    assert better(12, 2, 10, 1) and better(10, 2, 10, 0)
    assert not better(20, 2, 5, 1)


def test_a_less_trusted_method_must_be_surely_better() -> None:
    assert not better(10, 1, 12, 2)
    assert better(5, 1, 20, 2)


def test_methods_of_equal_trust_and_held_out_rows_go_by_the_score() -> None:
    assert better(10, 1, 11, 1) and not better(11, 1, 10, 1)
    assert better(10, 0, 11, 2, folds=1) and not better(11, 2, 10, 0, folds=1)


def test_a_lead_in_what_should_be_low() -> None:
    metric = Metric("mae", "mean absolute error", mae, False, "target", (0.0, np.inf))
    near, far = candidate("near", TRUTH + 0.1, -0.1), candidate("far", TRUTH + np.linspace(0.2, 2, 40), -1.1)
    lead = ladder._lead(session(metric), near, far)
    assert lead.low > 0.5 and lead.value == pytest.approx(1.0)


def test_a_choice_against_the_score_is_told() -> None:
    told = session(RIGHT)
    first, second = candidate("word counter", with_errors(8), 0.8), candidate("network", with_errors(10), 0.75)
    climbed = ladder.Ladder(candidates={"a": first, "b": second}, best=second, trust=2)
    ladder._tell_trust(told, climbed)
    assert told.chosen == [
        (
            "final method",
            "the network",
            "chosen",
            "the word counter scores more, but not by more than chance on 40 rows",
        )
    ]
    told.chosen.clear()
    climbed.best = first
    ladder._tell_trust(told, climbed)
    assert told.chosen == []


def test_methods_by_trust() -> None:
    assert BaselineRecipe.trust < ProbeRecipe.trust < ContrastiveRecipe.trust


def problem(labels: tuple[str, ...], inputs: tuple[str, ...] = ("text",)) -> Problem:
    return Problem("text-classification", "binary", inputs, "label", labels, "accuracy", {})


@pytest.mark.parametrize(("labels", "inputs", "wanted"), [
    (("not_good", "good"), ("text",), [("not good",), ("good",)]),
    (("0", "1"), ("text",), None),
    (("same", "other"), ("first", "second"), None),
])  # fmt: skip
def test_names_of_labels_are_examples_where_they_say_something(
    labels: tuple[str, ...], inputs: tuple[str, ...], wanted: Any
) -> None:
    task = TextClassification()
    assert task.label_inputs(problem(labels, inputs)) == wanted
    part = Part([("fine",)] * 3, np.array([0, 1, 1]), np.arange(3))
    climb: Any = SimpleNamespace(task=task, problem=problem(labels, inputs))
    rows, targets = _with_names(climb, part)
    assert rows == part.inputs + (wanted or []) * NAMES
    assert targets.tolist() == [0, 1, 1] + [0, 1] * (NAMES if wanted else 0)


def test_a_run_on_few_rows_ends_with_what_is_made_for_them(tmp_path: Path, tiny_base: Path) -> None:
    """All methods learn these rows, so none is ahead by more than chance."""
    import honed

    words = {"yes": "printer paper toner", "no": "password account login"}
    rows = [{"text": " ".join(words[team].split()[: 1 + i % 3]), "team": team} for i in range(12) for team in words]
    settings = {"data.test": 0.0, "training.stop_after": "contrastive", "training.precision": "fp32"}
    result = honed.finetune(rows, target="team", base=tiny_base, out=tmp_path, settings=settings)
    scores = {line.name: line.score.value for line in result.report.ladder if line.score}
    assert next(line.name for line in result.report.ladder if line.best) == "contrastive", scores
    told = [choice for choice in result.report.choices if choice.name == "final method"]
    assert bool(told) <= (scores["contrastive"] <= max(scores.values()))


def test_the_contrastive_rung_goes_part_of_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every weight below the head ends at the same share of the way from the base to what was learnt."""
    import torch

    def learnt(network: Any, *_: Any) -> None:
        with torch.no_grad():
            for weight in network.parameters():
                weight += 1.0

    monkeypatch.setattr(contrastive, "draw_together", learnt)
    bench = bench_of(get_task("text-classification"))
    rows = np.arange(len(bench.inputs))
    part, rest = make_parts(bench.inputs, bench.targets, rows, rows[:0])
    config = RunConfig(task=bench.task.name)
    config.training.precision = "fp32"
    few = Session(bench.task, bench.problem, bench.settings, config, bench.base, part, rest, tmp_path)
    found: Any = ContrastiveRecipe().fit(few, part, None, "all")
    base = few.frozen_network().state_dict()
    for name, weight in found.network.state_dict().items():
        if not name.startswith("head.") and weight.is_floating_point():
            torch.testing.assert_close(weight, base[name] + SHARE)
