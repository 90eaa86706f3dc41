"""The evaluation finds faults that were planted, and leaves good models alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from honed.config import fill
from honed.data.table import Roles, Table
from honed.evaluation.evaluate import Background, evaluate_model
from honed.evaluation.results import Evaluation
from honed.media.medium import apply
from honed.media.text_edits import EDITS
from honed.media.text_likeness import nearly_seen, sketches
from honed.model import Model
from honed.networks.constant import Constant
from honed.tasks.contract import Array, Decision
from honed.tasks.registry import get_task

LABELS = ("network", "printing")
WORDS = {"network": "router", "printing": "toner"}
FILLERS = [
    "please",
    "help",
    "the",
    "thing",
    "is",
    "broken",
    "today",
    "again",
    "office",
    "morning",
    "colleague",
    "urgent",
]


class Ruled:
    """A predictor whose answers and confidence follow a rule, so that its faults are known."""

    kind = "ruled"

    def __init__(self, rule: Callable[[str], tuple[int, float]]) -> None:
        self.rule = rule

    def outputs(self, inputs: Sequence[Any], advance: Any = None) -> Array:
        found = np.zeros((len(inputs), 2), dtype=np.float32)
        for row, texts in enumerate(inputs):
            label, sure = self.rule(" ".join(texts))
            found[row, label] = np.log(sure / (1 - sure))
        return found

    def save(self, folder: Any) -> None:
        raise NotImplementedError


def honest(text: str, sure: float = 0.95) -> tuple[int, float]:
    """Right in 95 of 100 texts, and 95 % sure."""
    right = int("toner" in text.lower())
    return (1 - right if sum(map(ord, text)) % 20 == 0 else right), sure


def rows(n: int = 800, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    teams = [LABELS[i % 2] for i in range(n)]
    texts = [
        " ".join(rng.permutation([WORDS[team], *rng.choice(FILLERS, 7)])) + f" no {i}" for i, team in enumerate(teams)
    ]
    sites = [("north", "south")[int(rng.random() < 0.3)] for _ in range(n)]
    return Table(pa.table({"text": texts, "team": teams, "site": sites}), "test.csv", "digest")


def evaluated(
    rule: Callable[[str], tuple[int, float]], table: Table | None = None, decision: Decision | None = None, **named: Any
) -> Evaluation:
    task = get_task("text-classification")
    roles = Roles(text=("text",), target="team")
    problem = task.frame(rows(), roles, fill(task.config, {}))
    model = Model(task, problem, Ruled(rule), decision or Decision(), {}, roles)
    group = named.pop("group", ())
    background = Background(baselines={"constant": Constant(np.zeros(2))}, trivial=["constant"], **named)
    return evaluate_model(model, table or rows(), background=background, group=group)


def test_a_good_model_ships() -> None:
    found = evaluated(honest)
    assert found.verdict.answer == "ship", found.verdict
    metric = found.metrics[0].model
    assert metric.low < 0.95 < metric.high and "never seen" in found.verdict.headline
    assert found.calibration is not None and found.calibration.error.value < 0.03
    assert "800" in found.verdict.power


def test_guessing_does_not_ship() -> None:
    found = evaluated(lambda text: (sum(map(ord, text)) % 2, 0.6))
    assert found.verdict.answer == "do not ship" and "trivial" in found.verdict.reasons[0]


def test_few_rows_cannot_tell() -> None:
    assert evaluated(honest, rows(30)).verdict.answer == "cannot tell"


def test_overconfidence_is_named() -> None:
    found = evaluated(lambda text: (honest(text)[0] if sum(map(ord, text)) % 3 else 1 - honest(text)[0], 0.999))
    assert found.calibration is not None and found.calibration.error.value > 0.2
    assert any("confidence" in reason for reason in found.verdict.reasons)


def test_a_group_that_is_served_worse_is_found() -> None:
    table = rows()
    south = set(np.array(table.column("text"))[np.array(table.column("site")) == "south"])
    found = evaluated(
        lambda text: (honest(text)[0] if text not in south or sum(map(ord, text)) % 2 else 1 - honest(text)[0], 0.95),
        table,
        group=("site",),
    )
    worst = min((part for part in found.slices if part.kind == "group"), key=lambda part: part.gap.value)
    assert worst.name == "site = south" and worst.significant and worst.gap.high < -0.2
    assert found.verdict.answer == "do not ship" and any("south" in reason for reason in found.verdict.reasons)


def test_a_weak_slice_is_found_without_being_named() -> None:
    found = evaluated(lambda text: (1 - honest(text)[0] if "colleague" in text else honest(text)[0], 0.9))
    assert any("colleague" in part.name and part.kind == "found" and part.significant for part in found.slices)


def test_chance_finds_no_slices() -> None:
    """Over twenty evaluations of a fair model hardly any slice is reported."""
    reported = 0
    for seed in range(20):
        found = evaluated(honest, rows(400, seed), group=("site",))
        reported += any(part.significant for part in found.slices)
    assert reported <= 3


def test_sensitivity_to_case_is_found() -> None:
    found = evaluated(lambda text: (honest(text)[0] if text.lower() == text else 0, 0.95))
    capitals = next(edit for edit in found.robustness if edit.name == "upper_case")
    assert capitals.drop.low > 0.3 and capitals.example[1].isupper()
    assert any("CAPITALS" in reason for reason in found.verdict.reasons)


def test_learning_by_heart_is_named() -> None:
    table = rows()
    known = dict(zip(table.column("text")[:400], table.column("team")[:400], strict=True))

    def rule(text: str) -> tuple[int, float]:
        return (
            (LABELS.index(known[text]), 0.95)
            if text in known
            else (int(sum(map(ord, text)) % 4 == 0) ^ honest(text)[0], 0.75)
        )

    targets = np.array([LABELS.index(team) for team in known.values()])
    found = evaluated(
        rule, table.take(range(400, 800)), train_inputs=[(text,) for text in known], train_targets=targets
    )
    assert found.gap is not None and found.gap.difference.low > 0.1
    assert any("by heart" in reason for reason in found.verdict.reasons)


def test_rows_of_training_are_left_out() -> None:
    from honed.media.medium import hashes
    from honed.media.text import Text

    table = rows(200)
    seen = frozenset(hashes(Text(), [(text,) for text in table.column("text")[:150]]))
    found = evaluated(honest, table, seen=seen)
    assert found.n_used == 50 and found.n_duplicates_removed == 150
    whole = evaluated(honest, table, seen=frozenset(hashes(Text(), [(text,) for text in table.column("text")])))
    assert whole.verdict.answer == "cannot tell" and not whole.held_out


def test_saying_i_do_not_know_buys_accuracy() -> None:
    found = evaluated(
        lambda text: (1 - honest(text)[0], 0.6) if "urgent" in text else (honest(text)[0], 0.95),
        decision=Decision(unsure_below=0.8),
    )
    assert found.abstention is not None
    assert found.abstention.score_answered.value > found.abstention.score_all.value + 0.1
    assert 0.3 < found.abstention.coverage.low < found.abstention.coverage.value < found.abstention.coverage.high < 0.9


def test_shares_have_the_intervals_of_wilson() -> None:
    """Known values: 400 of 800 are 50 % (46.5 to 53.5), 0 of 35 are 0 % (0 to 9.9), 35 of 35 are 100 % (90.1 to 100)."""
    numbered = {text: i for i, text in enumerate(rows().column("text"))}
    found = evaluated(
        lambda text: (honest(text)[0], 0.95 if numbered.get(text, 0) % 2 else 0.7), decision=Decision(unsure_below=0.8)
    )
    doubt = found.abstention
    assert doubt is not None and doubt.out_of_scope_n == 35 and doubt.out_of_scope_flagged is not None
    assert vars(doubt.coverage) == pytest.approx({"value": 0.5, "low": 0.4654, "high": 0.5346}, abs=1e-4)
    assert vars(doubt.out_of_scope_flagged) == pytest.approx({"value": 1.0, "low": 0.9011, "high": 1.0}, abs=1e-4)
    sure = evaluated(honest).abstention
    assert sure is not None and sure.out_of_scope_flagged is not None
    assert vars(sure.out_of_scope_flagged) == pytest.approx({"value": 0.0, "low": 0.0, "high": 0.0989}, abs=1e-4)
    steady = evaluated(lambda text: (int("toner" in text.lower()), 0.95), rows(100))
    capitals = next(edit for edit in steady.robustness if edit.name == "upper_case")
    assert vars(capitals.changed) == pytest.approx({"value": 0.0, "low": 0.0, "high": 0.037}, abs=1e-4)
    shaken = evaluated(lambda text: (int("toner" in text), 0.95), rows(100))
    capitals = next(edit for edit in shaken.robustness if edit.name == "upper_case")
    assert vars(capitals.changed) == pytest.approx({"value": 0.5, "low": 0.4038, "high": 0.5962}, abs=1e-4)


def test_the_worst_errors_say_why() -> None:
    found = evaluated(lambda text: (0, 0.99) if "urgent" in text else (honest(text)[0], 0.7))
    assert found.worst_errors
    example = found.worst_errors[0]
    assert example.truth == "printing" and example.predicted == "network"
    assert max(example.words, key=lambda word: word[1])[0] == "urgent"


def test_confusion_and_classes_add_up() -> None:
    found = evaluated(honest)
    matrix = np.array(found.confusion)
    assert matrix.sum() == found.n_used
    assert [row.support for row in found.per_class] == matrix.sum(axis=1).tolist()
    assert np.trace(matrix) / matrix.sum() == pytest.approx(found.metrics[0].model.value)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_edits_change_form_only(edit: Any) -> None:
    texts = [(text,) for text in rows(40).column("text")]
    once, twice = apply(edit, texts, 3), apply(edit, texts, 3)
    assert once == twice and len(once) == 40 and all(row[0].strip() for row in once)
    if edit.name not in ("lower_case", "punctuation"):
        assert once != texts


def test_an_evaluation_is_plain_data() -> None:
    import json

    found = evaluated(honest)
    assert json.loads(json.dumps(found.as_dict()))["verdict"]["answer"] == "ship"


def test_near_copies_of_training_rows_are_left_out() -> None:
    """Copies with another greeting, capitals and numbers are found again from sketches; new rows are left alone."""
    rng = np.random.default_rng(7)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(400)]
    learnt = [" ".join(rng.choice(words, 25)) for _ in range(300)]
    new = [" ".join(rng.choice(words, 25)) for _ in range(300)]
    copies = [f"{text.upper()}, {i}" for i, text in enumerate(learnt[:100])]
    known = sketches([(text,) for text in learnt])
    assert known.nbytes == 64 * 300
    assert nearly_seen([(text,) for text in copies], known).mean() >= 0.97
    assert not nearly_seen([(text,) for text in new], known).any()
    assert not nearly_seen([(1.0,), ("short",), (None,)], known).any()


def test_near_copies_are_told_and_kept_only_where_nothing_else_is_left() -> None:
    table = rows(200)
    texts = [(text,) for text in table.column("text")]
    copies = sketches([(f"Fwd {text.upper()} !!",) for (text,) in texts[:100]])
    near = int(nearly_seen(texts, copies).sum())
    found = evaluated(honest, table, near=copies)
    told = {finding.code: finding for finding in found.findings}
    assert (
        near >= 90 and told["E001"].n_rows == near and found.n_used == 200 - near and "nearly" in told["E001"].message
    )
    whole = evaluated(honest, table, near=sketches(texts))
    assert whole.n_used == 200 and [finding.code for finding in whole.findings] == ["E003"]
    assert whole.verdict.answer != "ship"


def test_personal_data_is_masked_in_the_worst_errors() -> None:
    table = rows(100)
    texts = [f"{text} refund to DE89 3704 0044 0532 0130 00" for text in table.column("text")]
    table = Table(pa.table({"text": texts, "team": table.column("team")}), "test.csv", "digest")
    found = evaluated(lambda text: (1 - honest(text)[0], 0.9), table)
    assert found.worst_errors
    for error in found.worst_errors:
        shown = error.text + " ".join(word for word, _ in error.words)
        assert "3704" not in shown and "0532" not in shown and "***" in shown


def test_a_faultless_model_is_not_certain() -> None:
    found = evaluated(lambda text: (int("toner" in text.lower()), 0.99), rows(40))
    for metric in found.metrics:
        assert metric.model.value == 1.0 and 0.7 < metric.model.low < 0.95
    assert all(row.f1.value == 1.0 and row.f1.low < 0.95 for row in found.per_class)
