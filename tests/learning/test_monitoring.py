"""Planted drift is found by its own check, a clean stream is silent, and the blind spot is where it is said to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import honed
from honed.monitoring.evidence import (
    distance_p_value,
    histogram_distance,
    mean_p_value,
    mix_change,
    share_p_values,
    spend,
)
from honed.monitoring.results import Monitoring
from tests import monitored
from tests.monitored import rows


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the help desk."""
    return monitored.make_bundle(tmp_path_factory.mktemp("desk") / "model")


def looked(desk: Path, data: list[dict[str, Any]], window: int = 500) -> Monitoring:
    return honed.monitor(desk, [{"text": row["text"]} for row in data], window=window)


def names(result: Monitoring) -> set[str]:
    return {alert.name for alert in result.alerts}


def test_a_clean_stream_is_silent(desk: Path) -> None:
    found = honed.monitor(desk, rows(8000, 50), window=400)
    assert found.state == "ok" and found.alerts == [] and len(found.windows) == 20
    assert found.n_labelled == 8000 and found.real is not None
    assert abs(found.real.value - found.reference["share_right"]) < 0.03


@pytest.mark.parametrize(
    ("change", "name", "code"),
    [
        (monitored.new_words, "text: words", "M102"),
        (monitored.longer, "text: length", "M102"),
        (monitored.damaged, "text: quality", "M101"),
        (monitored.empty, "text: quality", "M101"),
        (monitored.foreign, "text: script", "M101"),
    ],
)
def test_each_drift_of_rows_fires_its_check(desk: Path, change: Any, name: str, code: str) -> None:
    stream = rows(1500, 60) + rows(1500, 61, change=change)
    found = looked(desk, stream)
    assert found.state == "alert"
    alert = next(alert for alert in found.alerts if alert.name == name)
    assert alert.code == code and alert.first == 4 and alert.current and alert.n >= 3
    assert found.advice and found.examples


def test_a_shift_of_labels_is_told_without_labels(desk: Path) -> None:
    found = looked(desk, rows(1000, 70) + rows(1000, 71, shares=(0.1, 0.2, 0.7)))
    alert = next(alert for alert in found.alerts if alert.name == "predicted labels")
    assert alert.code == "M104" and alert.first == 3 and '"printing"' in alert.message


def test_confusing_rows_lower_the_estimate(desk: Path) -> None:
    """Half of the rows lose every telling word: the model says itself that it is right less often."""

    def bare(text: str, rng: np.random.Generator) -> str:
        words = [word for word in text.split() if word in monitored.FILLERS]
        return " ".join(words) if rng.random() < 0.5 else text

    found = looked(desk, rows(1000, 80) + rows(1000, 81, change=bare))
    assert {"estimated share right", "confidence"} <= names(found)
    assert found.expected is not None and found.expected.value < found.reference["share_right"] - 0.1


def test_a_change_of_the_truth_is_seen_by_labels_alone(desk: Path) -> None:
    """Concept change: the same rows, other truths. Without labels nothing can be seen, and the result says so."""
    stream = rows(1000, 90) + rows(1000, 91, relabel=monitored.swapped)
    blind = looked(desk, stream)
    assert blind.state == "ok" and any("blind to a change of the truth" in limit for limit in blind.limits)
    seeing = honed.monitor(desk, stream, window=500)
    assert {alert.code for alert in seeing.alerts} == {"M106"}
    assert seeing.alerts[0].first <= 13
    assert "honed finetune" in " ".join(seeing.advice) and "honed rollback" in " ".join(seeing.advice)


def test_the_estimate_is_near_the_truth(desk: Path) -> None:
    found = honed.monitor(desk, rows(4000, 95), window=4000)
    assert found.expected is not None and found.real is not None
    assert found.expected.low - 0.02 <= found.real.value <= found.expected.high + 0.02


def test_few_rows_are_too_early_to_tell(desk: Path) -> None:
    found = looked(desk, rows(200, 96), window=1000)
    assert found.state == "too early" and found.windows[0].complete is False


def test_numbers_are_watched_through_the_same_contract(tmp_path: Path) -> None:
    """The toy task: a sensor that reads half a unit too high is seen in its column and in the vectors of the network."""
    from honed.tasks.registry import get_task

    sample = get_task("toy").sample().table
    rng = np.random.default_rng(0)

    def points(n: int, shift: float = 0.0) -> list[dict[str, Any]]:
        found = rng.normal(size=(n, 2))
        return [{"x": float(x) + shift, "y": float(y), "where": "above" if y > 0.4 * x else "below"} for x, y in found]

    assert sample.names == ["x", "y", "where"]
    settings = {"training.race": 1, "training.epochs": 3, "training.precision": "fp32"}
    run = honed.finetune(points(1500), target="where", task="toy", out=tmp_path / "runs", settings=settings)
    bundle = run.folder / "model"
    assert honed.monitor(bundle, points(2000), window=500).state == "ok"
    found = honed.monitor(bundle, points(1000) + points(1000, 0.5), window=500)
    assert {"x: value", "meaning (vectors of the network)"} <= names(found) and "y: value" not in names(found)


# --- the evidence itself, beside independent implementations ------------------------------------------------------------
def test_shares_agree_with_fisher() -> None:
    for now, then in ((30, 20), (5, 40), (0, 12), (61, 60)):
        ours = share_p_values(np.array([now]), 200, np.array([then]), 400, side="more")[0]
        table = [[now, 200 - now], [then, 400 - then]]
        fisher = stats.fisher_exact(table, alternative="greater").pvalue
        if ours < 1.0:
            assert ours == pytest.approx(fisher, rel=1e-6)
        else:
            assert fisher > 0.05


def test_distances_agree_with_scipy_and_are_bounded() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=300), rng.normal(0.4, size=500)
    edges = np.sort(np.concatenate([a, b]))
    counts = [np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1) for x in (a, b)]
    theirs = stats.ks_2samp(a, b, method="exact")
    distance = histogram_distance(*counts)
    assert distance == pytest.approx(theirs.statistic, abs=1e-12)
    assert theirs.pvalue <= distance_p_value(distance, 300, 500) <= 20 * theirs.pvalue


def test_means_are_bounded_where_nothing_changed() -> None:
    """Among many clean pairs the bound is below its level at most as often as it says."""
    rng = np.random.default_rng(2)
    found = [mean_p_value(rng.beta(8, 1, 200).mean(), 200, rng.beta(8, 1, 800).mean(), 800) for _ in range(2000)]
    assert (np.array(found) <= 0.05).mean() <= 0.05
    assert mean_p_value(0.80, 500, 0.90, 1500) < 1e-4


def test_many_small_changes_of_a_mix_are_told_together() -> None:
    """77 labels, a quarter of them three times as frequent as before: no single one is telling, all together are."""
    rng = np.random.default_rng(4)
    then = np.ones(77) / 77
    changed = np.where(np.arange(77) < 19, 3.0, 1.0)
    counts = rng.multinomial(1500, then)
    now = rng.multinomial(1000, changed / changed.sum())
    assert min(1.0, share_p_values(now, 1000, counts, 1500).min() * 77) > 1e-4
    found = mix_change(now, counts)
    assert found.p_value < 1e-5 and found.now - found.then > 0.1
    clean = [mix_change(rng.multinomial(500, then), rng.multinomial(1500, then)).p_value for _ in range(2000)]
    assert (np.array(clean) <= 0.05).mean() <= 0.06 and (np.array(clean) <= 0.01).mean() <= 0.016


def test_the_budget_is_never_exceeded() -> None:
    assert sum(spend(0.05, look) for look in range(1, 100_000)) <= 0.05


def test_false_alarms_over_200_clean_windows_are_rare(desk: Path) -> None:
    """Ten streams of 200 clean windows each, reference and rows drawn from one population: at most one may alarm."""
    from honed.monitoring.reference import watch
    from tests.clean_streams import alarms

    watched, population = watch(desk), rows(6000, 300)
    assert sum(alarms(desk, watched, population, seed, n_windows=200, size=150) for seed in range(10)) <= 1
