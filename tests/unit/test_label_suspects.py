"""Labels and annotations that look wrong: planted faults are found, clean data raise no alarm."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import honed
from honed.checks.labels import out_of_fold
from honed.config import fill
from honed.data.read import read_table
from honed.data.roles import infer_roles
from honed.finding import Finding
from honed.scenes import write_conveyor_set, write_part_folders
from honed.tasks.detection.doubts import doubts, overlaps
from honed.tasks.detection.judging import ObjectJudging
from honed.tasks.registry import get_task
from honed.training.suspects import linear_judge
from honed.zoo.resolve import resolve
from tests.unit.test_objects import BOLT, LABELS, NUT, array, given, shapes

AWAY = (60.0, 70.0, 90.0, 95.0)


def told(*pictures: object, truth: np.ndarray) -> list[tuple[int, str]]:
    return [(doubt.row, doubt.kind) for doubt in doubts(truth, given(*pictures), LABELS)]  # type: ignore[arg-type]


def test_missing_objects_and_boxes_far_off_are_doubted_and_the_rest_is_not() -> None:
    truth = array(shapes(("bolt", BOLT), ("nut", NUT)))
    right = [("bolt", BOLT, 0.9), ("nut", NUT, 0.8)]
    assert told(right, truth=truth) == []
    assert told([*right, ("nut", AWAY, 0.9)], truth=truth) == [(0, "missing")]
    assert told([*right, ("nut", AWAY, 0.4)], truth=truth) == [], "a guess is no ground for doubt"
    beside = tuple(value + 10 for value in NUT)
    assert told([("bolt", BOLT, 0.9), ("nut", beside, 0.8)], truth=truth) == [(0, "box")]
    assert told([*right, ("nut", beside, 0.8)], truth=truth) == [], "the box stands where something was found"
    assert told([("bolt", BOLT, 0.9), ("bolt", NUT, 0.8)], truth=truth) == [], "labels are judged apart"
    twice = [("nut", AWAY, 0.7), ("bolt", AWAY, 0.9)]
    assert told([*right, *twice], truth=truth) == [(0, "missing")]
    text = doubts(truth, given([*right, ("nut", AWAY, 0.9)]), LABELS)[0].text
    assert text == '"nut" at 60, 70 to 90, 95 is not annotated (0.90)'


def test_the_surest_comes_first_and_rows_without_annotation_are_passed_over() -> None:
    truth = np.empty(3, dtype=object)
    truth[:] = [None, shapes(), shapes(("bolt", BOLT))]
    found = told([("nut", NUT, 0.9)], [("nut", NUT, 0.6)], [("bolt", BOLT, 0.9), ("nut", AWAY, 0.8)], truth=truth)
    assert found == [(2, "missing"), (1, "missing")]


def test_overlaps_are_those_of_boxes() -> None:
    found = overlaps(np.array([[0, 0, 10, 10]]), np.array([[5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 10, 10]]))
    np.testing.assert_allclose(found, [[1 / 3, 0, 1]])


def test_a_linear_model_never_judges_rows_it_has_seen() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(200, 150)), rng.integers(2, size=200)
    found = out_of_fold(features, labels, 2, linear_judge, 0)
    assert abs((found.argmax(axis=1) == labels).mean() - 0.5) < 0.15, "noise cannot be told"
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_objects_are_cut_out_and_wrong_labels_among_them_found(tmp_path: Path) -> None:
    """Of a tenth of labels dealt wrongly most are named, and few others are."""
    from honed.checks.labels import wrong_labels

    table = read_table(write_conveyor_set(tmp_path, 60, seed=3))
    task = get_task("object-detection")
    problem = task.frame(table, infer_roles(table), fill(task.config, {"longest_side": 192}))
    inputs, targets = task.inputs(table, problem), task.targets(table, problem)
    network = task.build(resolve(None, kind="objects"), problem, task.config(), 0)
    shown = task.shown_labels(network, inputs, targets, lambda: np.zeros((0, 0)))
    assert shown is not None and len(shown.features) == len(shown.labels) == len(shown.rows) == len(shown.places)
    assert all(shown.labels[k] in targets[row].labels for k, row in enumerate(shown.rows))
    rng = np.random.default_rng(0)
    wrong = rng.random(len(shown.labels)) < 0.1
    labels = np.where(wrong, (shown.labels + rng.integers(1, 6, len(wrong))) % 6, shown.labels)
    suspects, _ = wrong_labels(out_of_fold(shown.features, labels, 6, linear_judge, 0), labels, 0.4)
    assert wrong[suspects].sum() >= 0.5 * wrong.sum() and wrong[suspects].mean() >= 0.6
    picture = ObjectJudging().picture(inputs[0], targets[0], None, problem.labels)
    assert picture.startswith("data:image/jpeg")


@pytest.mark.parametrize("planted", [True, False])
def test_pictures_in_the_wrong_folder_are_named_in_the_report(tmp_path: Path, planted: bool) -> None:
    folder = write_part_folders(tmp_path / "parts", 25, seed=4, side=64)
    kinds = sorted(path for path in folder.iterdir() if path.is_dir())
    moved = set()
    if planted:
        for number, kind in enumerate(kinds):
            for one in ("0003", "0011"):
                name = f"wrong_{number}_{one}.jpg"
                shutil.move(kind / f"{one}.jpg", kinds[(number + 1) % len(kinds)] / name)
                moved.add(name)
    settings = {"training.stop_after": "probe", "training.precision": "fp32"}
    result = honed.finetune(folder, out=tmp_path / "runs", settings=settings)
    (finding,) = [finding for finding in result.report.findings if finding.code == "D150"]
    if not planted:
        assert finding.level == "passed" or finding.n_rows <= 2
        return
    assert finding.level in ("issue", "tip") and finding.n_rows >= 6
    names = [Path(value).name for value in read_table(folder).column("image")]
    named = {names[row - 1] for row in finding.rows}
    assert len(named & moved) >= 6 and len(named - moved) <= 2
    assert finding.details["pictures"] and "looks like" in finding.examples[0]
    assert finding.details["pictures"][0] in (result.folder / "report.html").read_text()


def test_annotations_that_the_best_method_contradicts_are_named_with_pictures(tmp_path: Path) -> None:
    """Answers out of fold that know every object; of two pictures all annotations were lost."""
    import dataclasses

    from honed.config import RunConfig
    from honed.evaluation.results import Estimate
    from honed.networks.detection.packing import width_of
    from honed.networks.engine import NetworkPredictor
    from honed.tasks.answers import Decision
    from honed.tasks.detection.given import as_given
    from honed.testing.check_task import bench_of
    from honed.training.candidate import Candidate
    from honed.training.session import Session, make_parts
    from honed.training.suspects import suspect_parts

    bench = bench_of(get_task("object-detection"))
    outputs, n = as_given(bench.targets, np.zeros((1, width_of(False)))), len(bench.inputs)
    lost = bench.targets.copy()
    for row in (3, 7):
        none = np.zeros(0, dtype=np.int64)
        lost[row] = dataclasses.replace(
            lost[row], boxes=np.zeros((0, 4), np.float32), labels=none, crowd=none.astype(bool), outlines=None
        )
    best = Candidate("probe", "", NetworkPredictor(bench.network()), outputs, Estimate(1, 1, 1), (1, 0), 0, 0)

    def found(targets: np.ndarray) -> Finding:
        parts = make_parts(bench.inputs, targets, np.arange(n), np.arange(0))
        session = Session(
            bench.task, bench.problem, bench.settings, RunConfig(), bench.base, *parts, tmp_path, folds=4
        )  # fmt: skip
        decide = lambda rows: bench.task.decode(rows, bench.problem, Decision(thresholds=(0.5, 0.5)))  # noqa: E731
        (finding,) = suspect_parts(session, best, decide, np.arange(n) + 100)
        return finding

    finding = found(lost)
    assert (finding.code, finding.level, set(finding.rows)) == ("D151", "tip", {104, 108})
    assert "nobody annotated" in finding.message and len(finding.details["pictures"]) == 2
    assert found(bench.targets).level == "passed"
