"""Metrics against scikit-learn and worked examples, intervals against their promise, calibration against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from honed.metrics import calibration, classification, intervals, multilabel, regression

labels = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1, max_size=60)
)


@settings(max_examples=60, deadline=None)
@given(pairs=labels)
def test_classification_equals_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, given_ = np.array([*pairs, (0, 1), (1, 0)]).T
    assert classification.accuracy(truth, given_) == pytest.approx(reference.accuracy_score(truth, given_))
    assert classification.macro_f1(truth, given_) == pytest.approx(reference.f1_score(truth, given_, average="macro"))
    recall = reference.recall_score(truth, given_, average=None, labels=np.unique(truth), zero_division=0)
    assert classification.balanced_accuracy(truth, given_) == pytest.approx(recall.mean())
    n = int(max(truth.max(), given_.max())) + 1
    wanted = reference.confusion_matrix(truth, given_, labels=range(n))
    assert (classification.confusion_matrix(truth, given_, n) == wanted).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 1)] * 6), min_size=1, max_size=40))
def test_multilabel_equals_scikit_learn(rows: list[tuple[int, ...]]) -> None:
    matrix = np.array(rows)
    truth, given_ = matrix[:, :3], matrix[:, 3:]
    if truth.sum() + given_.sum():
        assert multilabel.micro_f1(truth, given_) == pytest.approx(
            reference.f1_score(truth, given_, average="micro", zero_division=0)
        )
    assert multilabel.exact_match(truth, given_) == pytest.approx(reference.accuracy_score(truth, given_))


def test_regression_equals_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, given_ = rng.normal(size=50), rng.normal(size=50)
    assert regression.mae(truth, given_) == pytest.approx(reference.mean_absolute_error(truth, given_))
    assert regression.rmse(truth, given_) == pytest.approx(reference.root_mean_squared_error(truth, given_))
    assert regression.r2(truth, given_) == pytest.approx(reference.r2_score(truth, given_))
    from scipy import stats

    assert regression.spearman(truth, given_) == pytest.approx(stats.spearmanr(truth, given_).statistic)
    assert regression.pearson(truth, np.zeros(50)) == 0.0


def test_unknown_labels_never_count_as_right() -> None:
    assert classification.accuracy(np.array([-2, 1]), np.array([0, 1])) == 0.5


def test_no_rows_are_no_figure() -> None:
    empty = np.array([], dtype=np.int64)
    assert np.isnan(classification.accuracy(empty, empty)) and np.isnan(regression.mae(empty, empty))


def test_intervals_cover_what_they_promise() -> None:
    """Of 300 samples at least 92 % of the 95 % intervals hold the truth, for accuracy and for macro F1."""
    rng = np.random.default_rng(0)
    truth_of_all = rng.integers(0, 3, 200_000)
    given_of_all = np.where(rng.random(200_000) < 0.8, truth_of_all, rng.integers(0, 3, 200_000))
    for score in (classification.accuracy, classification.macro_f1):
        wanted, inside = score(truth_of_all, given_of_all), 0
        for _ in range(300):
            rows = rng.integers(0, 200_000, 150)
            found = intervals.bootstrap_interval(score, truth_of_all[rows], given_of_all[rows], n=200, seed=1)
            inside += found.low <= wanted <= found.high
        assert inside / 300 > 0.92


def test_wilson_is_sound_at_the_ends() -> None:
    none, all_ = intervals.wilson(0, 10), intervals.wilson(10, 10)
    assert none.low == 0 and 0.2 < none.high < 0.35 and all_.high == 1 and 0.65 < all_.low < 0.8


def test_a_paired_difference_is_sharper() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    first = np.where(rng.random(400) < 0.85, truth, 1 - truth)
    second = first.copy()
    second[:12] = 1 - truth[:12]
    first[:12] = truth[:12]
    paired = intervals.paired_difference(classification.accuracy, truth, first, second)
    assert paired.low > 0 and paired.value == pytest.approx(0.03)


def test_temperature_is_recovered() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 4)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([rng.choice(4, p=row) for row in shares])
    assert calibration.fit_temperature(logits * 3, truth, "multiclass") == pytest.approx(3, rel=0.1)


def test_calibration_error_of_known_confidences() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 6000)
    right = (rng.random(6000) < confidence).astype(float)
    assert calibration.expected_calibration_error(confidence, right) < 0.02
    overconfident = np.clip(confidence + 0.15, 0, 1)
    assert calibration.expected_calibration_error(overconfident, right) == pytest.approx(0.14, abs=0.03)


def test_chance_is_told_from_miscalibration() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.6, 0.95, 140)
    above = 0
    for _ in range(100):
        right = (rng.random(140) < confidence).astype(float)
        above += calibration.expected_calibration_error(confidence, right) > calibration.error_by_chance(confidence)[1]
    assert above <= 9
    wrong = (rng.random(140) < confidence - 0.35).astype(float)
    assert calibration.expected_calibration_error(confidence, wrong) > calibration.error_by_chance(confidence)[1]


def test_thresholds_make_the_best_f1() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((500, 2)) < [0.1, 0.5]).astype(int)
    shares = np.clip(truth * 0.25 + rng.random((500, 2)) * 0.2, 0, 1)
    found = calibration.fit_thresholds(shares, truth)
    assert (found < 0.3).all() and multilabel.micro_f1(truth, (shares > found).astype(int)) > 0.95
