"""Attempts to make the verdict say "ship" for models that must not be shipped; and good models, which it must let pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import honed
from honed.checks.leakage import check_leaking_columns, check_leaking_words
from honed.data.table import Roles, Table
from honed.evaluation.evaluate import Background, evaluate_model
from honed.evaluation.results import Estimate, Evaluation, MetricResult
from honed.evaluation.trivial import best_constant, by_lot
from honed.evaluation.verdict import Evidence, reach_verdict
from honed.finding import Finding
from honed.model import Model
from honed.networks.constant import Constant
from honed.tasks.classification import judging
from honed.tasks.contract import Array, Decision, Problem
from honed.tasks.registry import get_task
from tests.conftest import FAST

N = 800
SHIPPED = ("ship", "ship with care")


class Answers:
    """A predictor that gives row "no 17" the outputs it was told to, and texts it was told nothing about those of 0."""

    kind = "answers"

    def __init__(self, outputs: Array) -> None:
        self.rows = outputs

    def outputs(self, inputs: Sequence[Any], advance: Any = None) -> Array:
        numbers = [int(digits) if (digits := "".join(filter(str.isdigit, row[0]))) else 0 for row in inputs]
        return np.asarray(self.rows[[number % len(self.rows) for number in numbers]], dtype=np.float32)

    def save(self, folder: Any) -> None:
        raise NotImplementedError


def problem_of(kind: str, n_labels: int = 2, metric: str = "accuracy") -> Problem:
    labels = () if kind == "regression" else tuple("abcdefgh"[:n_labels])
    extra = {"separator": "|" if kind == "multilabel" else "", "spread": 1.0}
    return Problem("text-classification", kind, ("text",), "y", labels, metric, extra)


def shown(targets: Array, problem: Problem) -> list[Any]:
    """Encoded targets as a column of the data has them."""
    if problem.kind == "regression":
        return [float(value) for value in targets]
    if problem.kind == "multilabel":
        return ["|".join(problem.labels[i] for i in np.flatnonzero(row)) for row in targets]
    return [problem.labels[i] for i in targets]


def judged(
    problem: Problem, targets: Array, outputs: Array, trivial: Constant | None = None, **named: Any
) -> Evaluation:
    """The evaluation of a model that gives these outputs for rows with these targets."""
    columns = {"text": named.pop("texts", [f"text no {i}" for i in range(len(targets))]), "y": shown(targets, problem)}
    columns |= named.pop("columns", {})
    group = named.pop("group", ())
    task = get_task("text-classification")
    model = Model(task, problem, Answers(outputs), named.pop("decision", Decision()), {}, Roles(("text",), "y"))
    trivial = trivial or Constant.fit([], targets, problem, 0)
    background = Background(baselines={"constant": trivial}, trivial=["constant"], **named)
    return evaluate_model(model, Table(pa.table(columns), "test.csv", ""), background=background, group=group)


def logits(answers: Array, n_labels: int, sure: float = 0.9) -> Array:
    """Outputs of a model that gives these classes with this confidence."""
    found = np.zeros((len(answers), n_labels), dtype=np.float32)
    found[np.arange(len(answers)), answers] = np.log(sure * (n_labels - 1) / (1 - sure))
    return found


def noisy(targets: Array, n_labels: int, right: float, seed: int = 1) -> Array:
    """The targets, replaced by another class in all but this share of rows."""
    rng = np.random.default_rng(seed)
    other = (targets + rng.integers(1, n_labels, len(targets))) % n_labels
    return np.where(rng.random(len(targets)) < right, targets, other)


def classes(n_labels: int, n: int = N, shares: Sequence[float] | None = None, seed: int = 0) -> Array:
    return np.random.default_rng(seed).choice(n_labels, n, p=shares)


# --- good models pass ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_labels", [2, 3, 8])
def test_a_good_model_passes(n_labels: int) -> None:
    targets = classes(n_labels)
    found = judged(problem_of("multiclass", n_labels), targets, logits(noisy(targets, n_labels, 0.9), n_labels))
    assert found.verdict.answer == "ship", found.verdict


def test_good_models_of_several_labels_and_of_numbers_pass() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((N, 4)) < 0.3).astype(np.int64)
    given = np.where(rng.random(truth.shape) < 0.95, truth, 1 - truth)
    found = judged(problem_of("multilabel", 4), truth, np.where(given == 1, 3.0, -3.0))
    assert found.verdict.answer in SHIPPED and not any("trivial" in reason for reason in found.verdict.reasons)
    values = rng.normal(50, 10, N)
    found = judged(problem_of("regression"), values, (values + rng.normal(0, 3, N))[:, None])
    assert found.verdict.answer == "ship", found.verdict


# --- nothing was learnt -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.1, 0.9)])
def test_always_one_label_never_ships(metric: str, shares: tuple[float, float]) -> None:
    """Also where the training rows had another majority, so that the baseline of the run is weak."""
    targets, problem = classes(2, shares=shares), problem_of("binary", metric=metric)
    for answer in (0, 1):
        for learnt in ((0.9, 0.1), (0.1, 0.9)):
            found = judged(problem, targets, logits(np.full(N, answer), 2), Constant(np.log(learnt)))
            assert found.verdict.answer == "do not ship", found.verdict


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize("n_labels", [2, 3, 8])
def test_guessing_never_ships(metric: str, n_labels: int) -> None:
    """Guesses in the right shares beat a constant answer in macro F1; still nothing was learnt."""
    shares = np.array([0.8] + [0.2 / (n_labels - 1)] * (n_labels - 1))
    problem = problem_of("multiclass", n_labels, metric)
    for seed in range(3):
        targets, guesses = classes(n_labels, shares=shares, seed=seed), classes(n_labels, shares=shares, seed=seed + 50)
        found = judged(problem, targets, logits(guesses, n_labels, 0.8), seen=frozenset())
        assert found.verdict.answer == "do not ship", found.verdict


@pytest.mark.parametrize("giving", ["all", "none", "most frequent", "guesses"])
def test_several_labels_without_learning_never_ship(giving: str) -> None:
    rng = np.random.default_rng(0)
    shares = np.array([0.7, 0.3, 0.1, 0.05])
    truth = (rng.random((N, 4)) < shares).astype(np.int64)
    given = {
        "all": np.ones_like(truth),
        "none": np.zeros_like(truth),
        "most frequent": np.tile([1, 0, 0, 0], (N, 1)),
        "guesses": (rng.random((N, 4)) < shares).astype(np.int64),
    }[giving]
    never = Constant(np.full(4, -5.0))  # a run whose thresholds make its baseline give no label at all
    found = judged(problem_of("multilabel", 4), truth, np.where(given == 1, 2.0, -2.0), never)
    assert found.verdict.answer == "do not ship", found.verdict


@pytest.mark.parametrize("giving", ["mean", "median", "noise", "shifted"])
def test_numbers_without_learning_never_ship(giving: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(2, 1, N)
    given = {
        "mean": np.full(N, values.mean()),
        "median": np.full(N, np.median(values)),
        "noise": np.median(values) + rng.normal(0, 0.1, N),
        "shifted": rng.permutation(values),
    }[giving]
    found = judged(problem_of("regression"), values, given[:, None], Constant(np.array([1000.0])))
    assert found.verdict.answer == "do not ship", found.verdict


def test_a_model_within_noise_of_the_baseline_does_not_ship() -> None:
    targets = classes(2, shares=(0.6, 0.4))
    for right in (0.56, 0.60, 0.62):
        found = judged(problem_of("binary"), targets, logits(noisy(targets, 2, right), 2, 0.6))
        assert found.verdict.answer not in SHIPPED, (right, found.verdict)


def test_a_gain_that_is_sure_but_tiny_is_told() -> None:
    n = 20_000
    targets = classes(2, n)
    found = judged(problem_of("binary"), targets, logits(noisy(targets, 2, 0.52), 2, 0.52))
    assert found.verdict.answer == "ship with care" and "hardly better" in " ".join(found.verdict.reasons)


def test_a_shuffle_is_told_from_learning() -> None:
    """The share of shuffles that do as well is small only where something was learnt."""
    targets = classes(3)
    accuracy = judging.ACCURACY
    assert by_lot(accuracy, targets, noisy(targets, 3, 0.5), 0) == 0.0
    assert by_lot(accuracy, targets, np.zeros_like(targets), 0) == 1.0
    lucky = [by_lot(accuracy, targets, classes(3, seed=seed), 0) <= 0.025 for seed in range(1, 101)]
    assert sum(lucky) <= 8  # 2.5 expected


def test_the_best_constant_is_the_best() -> None:
    assert (best_constant(judging.ACCURACY, np.array([1, 1, 0, 2, -2])) == 1).all()
    assert (best_constant(judging.MAE, np.array([0.0, 0.0, 9.0])) == 0.0).all()
    several = np.array([[1, 0, 1], [1, 0, 0], [1, 1, 0]])
    assert (best_constant(judging.MICRO_F1_SEVERAL, several) == [1, 0, 0]).all()
    assert best_constant(judging.MAE, np.zeros((2, 2))) is None and best_constant(judging.MAE, np.zeros(0)) is None


# --- the test itself is no test -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 5, 20, 39])
def test_a_tiny_test_cannot_tell(n: int) -> None:
    targets = np.arange(n) % 2
    assert judged(problem_of("binary"), targets, logits(targets, 2, 0.99)).verdict.answer not in SHIPPED


def test_the_same_rows_again_and_again_are_a_tiny_test() -> None:
    targets = np.arange(N) % 2
    few = [f"text no {i % 20}" for i in range(N)]
    found = judged(problem_of("binary"), targets, logits(targets, 2, 0.99), texts=few)
    assert found.verdict.answer == "cannot tell" and "20 rows" in found.verdict.reasons[0]
    some = [f"text no {i % 200}" for i in range(N)]
    found = judged(problem_of("binary"), targets, logits(targets, 2, 0.99), texts=some)
    assert found.verdict.answer == "ship with care" and "differ" in " ".join(found.verdict.reasons)


def test_rows_of_one_label_cannot_tell() -> None:
    """A model that is right on the one label that occurs may know nothing of the others."""
    rng = np.random.default_rng(0)
    targets = np.where(rng.random(N) < 0.004, 0, 1)
    outputs = logits(np.where(rng.random(N) < 0.9, 1, 0), 2)
    assert judged(problem_of("binary"), np.ones(N, dtype=int), outputs).verdict.answer not in SHIPPED
    assert judged(problem_of("binary"), targets, outputs).verdict.answer not in SHIPPED


def test_rows_learnt_from_are_no_evidence() -> None:
    from honed.media.medium import hashes
    from honed.media.text import Text

    targets = classes(2)
    learnt = frozenset(hashes(Text(), [(f"text no {i}",) for i in range(N - 30)]))
    known = np.where(np.arange(N) < N - 30, targets, 1 - targets)  # by heart, and wrong on all that is new
    found = judged(problem_of("binary"), targets, logits(known, 2), seen=learnt)
    assert found.n_used == 30 and found.metrics[0].model.value == 0.0 and found.verdict.answer == "do not ship"


def test_without_knowledge_of_its_training_no_claim_is_made(bundle: Path) -> None:
    """A bundle without the hashes of its training rows, and a model that never was a bundle."""
    from tests.conftest import new_rows

    assert "never seen" in honed.evaluate(bundle, new_rows()).verdict.headline
    model = Model.load(bundle)
    found = honed.evaluate(replace(model, folder=None), new_rows())
    assert found.verdict.answer not in SHIPPED and "never seen" not in found.verdict.headline


def test_labels_it_does_not_know_are_counted_for_every_kind() -> None:
    """With several labels a row such rows look like rows without any label, which a model that says nothing gets right."""
    task = get_task("text-classification")
    problem = problem_of("multilabel", 3)
    rng = np.random.default_rng(0)
    truth = (rng.random((N, 3)) < 0.3).astype(np.int64)
    values = [text if i % 2 else "zebra" for i, text in enumerate(shown(truth, problem))]
    table = Table(pa.table({"text": [f"text no {i}" for i in range(N)], "y": values}), "test.csv", "")
    model = Model(task, problem, Answers(np.where(truth == 1, 3.0, -3.0)), Decision(), {}, Roles(("text",), "y"))
    verdict = evaluate_model(model, table).verdict
    assert verdict.answer == "do not ship" and "50.0 %" in " ".join(verdict.reasons)


# --- the model is broken, or faulty where it hurts ----------------------------------------------------------------


@pytest.mark.parametrize("share", [0.002, 1.0])
@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression"])
def test_answers_that_are_no_numbers_never_ship(kind: str, share: float) -> None:
    rng = np.random.default_rng(0)
    if kind == "multilabel":
        truth = (rng.random((N, 3)) < 0.4).astype(np.int64)
        outputs = np.where(truth == 1, 3.0, -3.0)
    else:
        truth = classes(2) if kind == "binary" else rng.normal(size=N)
        outputs = logits(truth, 2) if kind == "binary" else truth[:, None].copy()
    outputs[: max(1, int(share * N))] = np.nan
    with np.errstate(invalid="ignore"):
        found = judged(problem_of(kind, 3 if kind == "multilabel" else 2), truth, outputs)
    assert found.verdict.answer == "do not ship" and "broken" in " ".join(found.verdict.reasons)


def test_a_confidence_that_lies_is_told() -> None:
    targets = classes(2)
    found = judged(problem_of("binary"), targets, logits(noisy(targets, 2, 0.75), 2, 0.999))
    assert found.verdict.answer == "ship with care" and "confidence is off" in " ".join(found.verdict.reasons)


def test_saying_i_do_not_know_to_most_rows_is_told() -> None:
    targets = classes(2)
    outputs = logits(noisy(targets, 2, 0.9), 2, 0.9)
    found = judged(problem_of("binary"), targets, outputs, decision=Decision(unsure_below=0.95))
    assert "I don’t know” to 100.0 % of the rows" in " ".join(found.verdict.reasons)


def test_a_small_group_served_badly_does_not_ship() -> None:
    targets = classes(2)
    group = np.where(np.arange(N) % 50 == 0, "few", "many")  # 16 rows of 800
    outputs = logits(np.where(group == "few", 1 - targets, noisy(targets, 2, 0.95)), 2)
    found = judged(problem_of("binary"), targets, outputs, columns={"site": group}, group=("site",))
    assert found.verdict.answer == "do not ship" and "site = few" in found.verdict.reasons[0]


def test_a_group_whose_numbers_are_far_off_does_not_ship() -> None:
    rng = np.random.default_rng(0)
    values, group = rng.normal(50, 10, N), np.where(rng.random(N) < 0.25, "north", "south")
    given = values + rng.normal(0, 2, N) + np.where(group == "north", 9, 0)
    found = judged(problem_of("regression"), values, given[:, None], columns={"site": group}, group=("site",))
    assert found.verdict.answer == "do not ship" and "site = north" in found.verdict.reasons[0]


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_drop_under_capitals_is_told(kind: str) -> None:
    class Shouted(Answers):
        def outputs(self, inputs: Sequence[Any], advance: Any = None) -> Array:
            found = super().outputs(inputs)
            loud = np.array([row[0].isupper() for row in inputs])
            found[loud] = found[0]
            return found

    values = np.random.default_rng(0).normal(size=N) if kind == "regression" else classes(2)
    outputs = values[:, None] if kind == "regression" else logits(values, 2)
    problem = problem_of(kind)
    model = Model(get_task("text-classification"), problem, Shouted(outputs), Decision(), {}, Roles(("text",), "y"))
    table = Table(pa.table({"text": [f"text no {i}" for i in range(N)], "y": shown(values, problem)}), "test.csv", "")
    found = evaluate_model(model, table, background=Background())
    assert found.verdict.answer == "ship with care" and "CAPITALS" in " ".join(found.verdict.reasons)


def test_rows_of_another_kind_than_it_was_chosen_on_are_told() -> None:
    targets = classes(2)
    found = judged(
        problem_of("binary"), targets, logits(noisy(targets, 2, 0.8), 2, 0.8), validation=Estimate(0.95, 0.93, 0.97)
    )
    assert found.verdict.answer == "ship with care" and "another kind" in " ".join(found.verdict.reasons)


# --- the data give the answer away --------------------------------------------------------------------------------


def leaking(share: float, n: int = 300) -> tuple[Table, Array]:
    rng = np.random.default_rng(0)
    targets = classes(3, n)
    codes = np.where(rng.random(n) < share, targets, (targets + 1) % 3)
    columns = {"text": [f"text {i}" for i in range(n)], "code": [f"code {c}" for c in codes], "y": targets.astype(str)}
    return Table(pa.table(columns), "data.csv", ""), targets


@pytest.mark.parametrize(("share", "answer"), [(1.0, "do not ship"), (0.985, "ship with care"), (0.8, "ship")])
def test_an_input_that_holds_the_answer(share: float, answer: str) -> None:
    table, targets = leaking(share)
    found = check_leaking_columns(table, Roles(("text", "code"), "y"), targets)
    assert reach_verdict(sound(found)).answer == answer
    beside = check_leaking_columns(table, Roles(("text",), "y"), targets)
    assert reach_verdict(sound(beside)).answer == "ship"  # the model does not read it


def test_a_number_that_stands_in_its_own_text() -> None:
    values = np.random.default_rng(0).normal(50, 10, 200).round(2)
    texts = [f"fine, rated {value} of 100".replace(".", ",") for value in values]
    table = Table(pa.table({"text": texts, "y": values}), "data.csv", "")
    [found] = check_leaking_words(table, Roles(("text",), "y"), values, ())
    assert found.level == "issue" and "200 of 200" in found.message
    assert reach_verdict(sound([found])).answer == "ship with care"
    table = Table(pa.table({"text": [f"text {i}" for i in range(200)], "y": values}), "data.csv", "")
    assert check_leaking_words(table, Roles(("text",), "y"), values, ())[0].level == "passed"


def sound(findings: Sequence[Finding]) -> Evidence:
    """A faultless model, beside what was noticed about its data."""
    metric = MetricResult("accuracy", "accuracy", "%", True, Estimate(0.95, 0.93, 0.97))
    return Evidence(
        metric, N, True, Estimate(0.4, 0.35, 0.45), "constant", None, None, [], [], [], None, list(findings)
    )


# --- from end to end: labels that were shuffled -------------------------------------------------------------------


def shuffled(kind: str, n: int = 260) -> list[dict[str, Any]]:
    rng = np.random.default_rng(4)
    words = [f"word{i}" for i in range(60)]
    draw: dict[str, Callable[[], Any]] = {
        "binary": lambda: rng.choice(["yes", "no"]),
        "unbalanced": lambda: rng.choice(["yes", "no"], p=[0.85, 0.15]),
        "multiclass": lambda: rng.choice(["red", "green", "blue"]),
        "multilabel": lambda: list(rng.choice(["red", "green", "blue"], rng.integers(0, 3), replace=False)),
        "regression": lambda: float(rng.normal(10, 3)),
    }
    return [{"text": " ".join(rng.choice(words, 12)), "label": draw[kind]()} for _ in range(n)]


@pytest.mark.parametrize("kind", ["binary", "unbalanced", "multiclass", "multilabel", "regression"])
def test_a_run_on_shuffled_labels_does_not_ship(kind: str, tiny_base: Path, tmp_path: Path) -> None:
    rows = shuffled(kind)
    result = honed.finetune(rows, base=tiny_base, out=tmp_path, settings={**FAST, "data.test": 0.4})
    assert result.evaluation is not None and result.evaluation.n_used >= 90
    assert result.evaluation.verdict.answer not in SHIPPED, result.evaluation.verdict
