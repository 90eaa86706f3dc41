"""Detection metrics: worked examples, COCO's reference evaluation, published fixtures, and what must always hold."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from honed.errors import DataError
from honed.metrics import detection as det
from honed.metrics.detection.coco import NAMES
from honed.metrics.detection.error_kinds import KINDS
from honed.metrics.detection.matching import SIZES

BOX = [10.0, 10.0, 50.0, 50.0]
FAR = [200.0, 200.0, 240.0, 240.0]


def one_picture(truths: list[tuple[list[float], int]], found: list[tuple[list[float], int, float]], n: int = 2) -> Any:
    """Truths and detections of one picture, from (box, label) and (box, label, score)."""
    names = [f"label {i}" for i in range(n)]
    truth = det.gather_truths([[box for box, _ in truths]], [[label for _, label in truths]], names)
    boxes, labels, scores = ([row[i] for row in found] for i in range(3))
    return truth, det.gather_detections([boxes], [labels], [scores])


def scene(seed: int, *, n: int = 12, labels: int = 3, ties: bool = True) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """COCO documents with crowds, all sizes, whole-number boxes (so that overlaps are often equal) and equal scores."""
    rng = np.random.default_rng(seed)

    def boxes(k: int) -> Any:
        size = np.exp(rng.uniform(2, 5.4, (k, 2))).round()
        return np.concatenate([rng.integers(0, 60, (k, 2)), size], axis=1)

    annotations, results = [], []
    for picture in range(1, n + 1):
        real = boxes(int(rng.integers(0, 7)))
        names = rng.integers(1, labels + 1, len(real))
        for box, name in zip(real, names.tolist(), strict=True):
            entry = {"image_id": picture, "category_id": name, "bbox": box.tolist()}
            crowd = {"area": float(box[2] * box[3] * 0.7), "iscrowd": int(rng.random() < 0.15)}
            annotations.append({**entry, **crowd, "id": len(annotations) + 1})
        near = np.repeat(real, 2, axis=0) + rng.integers(-4, 5, (2 * len(real), 4))
        given = np.concatenate([np.repeat(names, 2), rng.integers(1, labels + 1, 4)])
        for box, name in zip(np.concatenate([near, boxes(4)]), given.tolist(), strict=True):
            box[2:] = np.maximum(box[2:], 1)
            score = float(rng.integers(1, 10) / 10 if ties else rng.random())
            label = name if rng.random() < 0.8 else int(rng.integers(1, labels + 1))
            results.append({"image_id": picture, "category_id": label, "bbox": box.tolist(), "score": score})
    images = [{"id": i, "width": 300, "height": 300} for i in range(1, n + 1)]
    categories = [{"id": i, "name": f"label {i}"} for i in range(1, labels + 1)]
    return {"images": images, "annotations": annotations, "categories": categories}, results


def with_masks(document: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Give everything a mask: its box without a corner; results lose their box, as in COCO's files of masks."""
    from faster_coco_eval import mask

    for entry in [*document["annotations"], *results]:
        x, y, w, h = (int(v) for v in entry["bbox"])
        grid = np.zeros((300, 300), dtype=np.uint8, order="F")
        grid[max(y, 0) : y + h, max(x, 0) : x + w] = 1
        grid[max(y, 0) : y + h // 2, max(x, 0) : x + w // 3] = 0
        entry["segmentation"] = {"size": [300, 300], "counts": mask.encode(grid)["counts"].decode()}
    for entry in results:
        del entry["bbox"]


def read(document: dict[str, Any], results: list[dict[str, Any]], masks: bool = False) -> Any:
    coco = det.truths_from_coco(document, masks=masks)
    return coco.truth, det.detections_from_coco(results, coco, masks=masks)


def overall(matches: det.Matches) -> float:
    return float(det.mean_over_labels(det.average_precision(matches))[0])


# --- worked examples ----------------------------------------------------------------------------------------------
def test_average_precision_of_a_worked_example() -> None:
    """Hit, false, hit: precision 1 up to half of the objects, 2/3 after, read off at 51 and 50 of the 101 points."""
    truth, found = one_picture([(BOX, 0), (FAR, 0)], [(BOX, 0, 0.9), ([300, 0, 310, 9], 0, 0.8), (FAR, 0, 0.7)])
    figures = det.coco_figures(truth, found)
    assert figures.ap == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert [figures.ap_by_label[0], figures.ap50_by_label[0]] == pytest.approx([figures.ap] * 2)
    assert np.isnan(figures.ap_by_label[1])  # no object has this label
    assert [figures.ar1, figures.ar10] == pytest.approx([0.5, 1.0])
    assert np.isnan(figures.ap_small) and figures.ap_medium == 1.0  # the false one is small and does not count here
    assert figures.as_dict()["ap_small"] is None
    json.dumps(figures.as_dict())


@pytest.mark.parametrize(("right", "counts"), [(30.0, True), (29.0, False)])
def test_an_overlap_of_one_half_is_enough(right: float, counts: bool) -> None:
    truth, found = one_picture([([10, 10, 50, 50], 0)], [([10, 10, right, 50], 0, 0.9)])
    assert (
        det.coco_figures(truth, found).ap50 == det.average_precision(det.match(truth, found))[0, 0, 0] == float(counts)
    )


def test_detections_in_a_crowd_are_neither_right_nor_wrong() -> None:
    truth = det.gather_truths([[BOX, FAR]], [[0, 0]], ["a"], crowd=[[True, False]])
    found = det.gather_detections([[BOX, [12, 12, 20, 20], FAR]], [[0, 0, 0]], [[0.9, 0.8, 0.7]])
    matches = det.match(truth, found)
    assert det.coco_figures(truth, found).ap == overall(matches) == 1.0
    assert matches.ignored[:, 0].tolist() == [True, True, False] and matches.n_truths().tolist() == [1]


def test_nothing_found_and_nothing_there() -> None:
    nothing = det.gather_detections([[], []], [[], []], [[], []])
    truth = det.gather_truths([[BOX], []], [[0], []], ["a"])
    assert det.coco_figures(truth, nothing).ap == overall(det.match(truth, nothing)) == 0.0
    empty = det.gather_truths([[], []], [[], []], ["a"])
    assert np.isnan(det.coco_figures(empty, nothing).ap) and np.isnan(overall(det.match(empty, nothing)))
    assert np.isnan(det.coco_figures(det.gather_truths([], [], ["a"]), det.gather_detections([], [], [])).ap)
    assert np.isnan(det.ap_intervals(det.match(empty, nothing)).ap.low)


# --- against COCO's reference and its fixtures --------------------------------------------------------------------
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_own_matching_equals_the_library(seed: int, masks: bool) -> None:
    """Without resampling, average precision from the matches is COCO's figure, for every label and size."""
    document, results = scene(seed)
    if masks:
        with_masks(document, results)
    truth, found = read(document, results, masks)
    kind: Any = "mask" if masks else "box"
    figures = det.coco_figures(truth, found, iou=kind)
    for number, size in enumerate(SIZES):
        table = det.average_precision(det.match(truth, found, iou=kind, size=size))[:, :, 0]
        wanted = figures.ap if size == "all" else getattr(figures, f"ap_{size}")
        assert det.mean_over_labels(table[..., None])[0] == pytest.approx(wanted, abs=1e-9, nan_ok=True)
        by_label = figures.ap_by_label if size == "all" else figures.ap_by_label_and_size[:, number - 1]
        assert table.mean(axis=0) == pytest.approx(by_label, abs=1e-9, nan_ok=True)
    table = det.average_precision(det.match(truth, found, iou=kind))
    assert table[0, :, 0] == pytest.approx(figures.ap50_by_label, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("seed", range(100, 104))
def test_figures_equal_pycocotools(seed: int, masks: bool) -> None:
    api = pytest.importorskip("pycocotools.coco", reason="pycocotools, the reference, is not installed")
    judge = pytest.importorskip("pycocotools.cocoeval")
    document, results = scene(seed, n=40)
    if masks:
        with_masks(document, results)
    ours = det.coco_figures(*read(document, results, masks), iou="mask" if masks else "box").twelve()
    with contextlib.redirect_stdout(io.StringIO()):
        reference = api.COCO()
        reference.dataset = document
        reference.createIndex()
        run = judge.COCOeval(reference, reference.loadRes(results), "segm" if masks else "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    assert np.nan_to_num([ours[name] for name in NAMES], nan=-1) == pytest.approx(run.stats, abs=1e-9)


PUBLISHED = {
    "box": [0.5045806987249628, 0.6969727247299577, 0.5729816669904824, 0.5856257209410443, 0.5193996948036719,
            0.5013978986347466, 0.38681277964578054, 0.5936795762842003, 0.595352982877607, 0.6398109626113442,
            0.5664205978994309, 0.5642905982905982],
    "mask": [0.3195452758576433, 0.5622883972521636, 0.29892653412086784, 0.3873740315997838, 0.31018272403369485,
             0.3269339071005138, 0.2682297225711534, 0.41544868114906375, 0.4168394992198818, 0.4694498622754236,
             0.37675922666197265, 0.3814715099715099],
}  # fmt: skip
"""COCO's figures for the fixtures, as pycocotools and faster-coco-eval give them."""


@pytest.fixture
def fixtures() -> Path:
    folder = Path(os.environ.get("HONED_DATA", "../shared/data")) / "coco_eval_fixtures"
    if not folder.is_dir():
        pytest.skip("the COCO fixtures are not here; HONED_DATA names the folder of data sets")
    return folder


@pytest.mark.needs_data
@pytest.mark.parametrize("kind", ["box", "mask"])
def test_the_published_fixtures(fixtures: Path, kind: Any) -> None:
    truth, found = fixture_sides(fixtures, kind)
    ours = det.coco_figures(truth, found, iou=kind).twelve()
    assert list(ours.values()) == pytest.approx(PUBLISHED[kind], abs=1e-9)
    blocks = (fixtures / "cocoapi_results/val2014_fake_eval_res.txt").read_text().split("type=")
    text = next(block for block in blocks if block.startswith("bbox" if kind == "box" else "segm"))
    printed = [float(line.rsplit("=", 1)[1]) for line in text.splitlines() if "Average" in line]
    assert len(printed) == 12
    assert [round(value, 3) for value in ours.values()] == printed
    assert overall(det.match(truth, found, iou=kind)) == pytest.approx(PUBLISHED[kind][0], abs=1e-9)


def fixture_sides(fixtures: Path, kind: str) -> Any:
    folder = fixtures / "faster_coco_eval/dataset/cocoapi"
    document = json.loads((folder / "instances_val2014_100.json").read_text())
    name = "fakebbox100" if kind == "box" else "fakesegm100"
    return read(document, json.loads((folder / f"instances_val2014_{name}_results.json").read_text()), kind == "mask")


@pytest.mark.needs_data
def test_the_other_fixtures(fixtures: Path) -> None:
    """Polygons on both sides; ids written as text, objects smaller and larger than any, a lowest score."""
    folder = fixtures / "faster_coco_eval/dataset"
    load = {path.stem: json.loads(path.read_text()) for path in folder.glob("*t_*.json")}
    figures = det.coco_figures(*read(load["gt_dataset"], load["dt_dataset"], masks=True), iou="mask")
    wanted = [0.6947194719471946, np.nan, 0.7367986798679867, 0.0, 2 / 3, 0.75]
    names = ("ap", "ap_small", "ap_medium", "ap_large", "ar1", "ar100")
    assert [getattr(figures, name) for name in names] == pytest.approx(wanted, abs=1e-9, nan_ok=True)
    sure = [entry for entry in load["dt_ignore_test"] if entry["score"] >= 0.1]
    figures = det.coco_figures(*read(load["gt_ignore_test"], sure))
    assert [figures.ap, figures.ap50, figures.ar10] == pytest.approx([0.7099009900990099, 1.0, 0.45384615384615384])


# --- what must always hold ----------------------------------------------------------------------------------------
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_pictures_does_not_matter(seed: int) -> None:
    document, results = scene(seed, n=6, ties=False)
    turn = np.random.default_rng(seed).permutation(6) + 1
    other = [{**entry, "image_id": int(turn[entry["image_id"] - 1])} for entry in results]
    moved = [{**entry, "image_id": int(turn[entry["image_id"] - 1])} for entry in document["annotations"]]
    truth, found = read(document, results)
    first, second = det.match(truth, found), det.match(*read({**document, "annotations": moved}, other))
    assert det.average_precision(first) == pytest.approx(det.average_precision(second), nan_ok=True)
    assert det.calibration_error(first) == pytest.approx(det.calibration_error(second))
    assert repr(det.operating_points(first)) == repr(det.operating_points(second))  # NaN where a label has no objects


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_false_detection_with_the_lowest_score_never_raises_average_precision(seed: int) -> None:
    document, results = scene(seed, n=4)
    extra = {"image_id": 1, "category_id": 1, "bbox": [500.0, 500.0, 40.0, 40.0], "score": 0.001}
    before, after = (overall(det.match(*read(document, rows))) for rows in (results, [*results, extra]))
    if document["annotations"]:
        assert not after > before + 1e-12
    surest = {**extra, "score": 2.0}
    assert not overall(det.match(*read(document, [*results, surest]))) > before + 1e-12


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_weight_of_a_picture_is_that_many_copies_of_it(seed: int) -> None:
    """The heart of the bootstrap: weighted figures are those of COCO for a data set with repeated pictures."""
    document, results = scene(seed, n=5, ties=False)
    counts = np.random.default_rng(seed).integers(0, 3, 5)
    copies = [(old, new) for new, old in enumerate(np.repeat(np.arange(1, 6), counts).tolist(), 1)]
    repeated = {
        "images": [{"id": new} for _, new in copies],
        "categories": document["categories"],
        "annotations": [
            {**entry, "image_id": new}
            for old, new in copies
            for entry in document["annotations"]
            if entry["image_id"] == old
        ],
    }
    rows = [{**entry, "image_id": new} for old, new in copies for entry in results if entry["image_id"] == old]
    wanted = det.coco_figures(*read(repeated, rows))
    table = det.average_precision(det.match(*read(document, results)), counts[:, None])
    assert det.mean_over_labels(table)[0] == pytest.approx(wanted.ap, abs=1e-9, nan_ok=True)
    assert table[0, :, 0] == pytest.approx(wanted.ap50_by_label, abs=1e-9, nan_ok=True)


# --- intervals ----------------------------------------------------------------------------------------------------
def test_intervals_hold_the_figure_repeat_and_shrink() -> None:
    truth, found = read(*scene(5, n=40))
    small, large = (det.match(*read(*scene(5, n=n))) for n in (40, 400))
    first, again = det.ap_intervals(small, n=200), det.ap_intervals(small, n=200)
    assert first == again
    assert first.ap.value == pytest.approx(det.coco_figures(truth, found).ap)
    for interval in (first.ap, first.ap50, first.ap75, *first.by_label, *first.ap50_by_label):
        assert 0 <= interval.low <= interval.value <= interval.high <= 1
    wide, narrow = (one.ap50.high - one.ap50.low for one in (first, det.ap_intervals(large, n=200)))
    assert narrow < wide / 2


def test_a_slice_is_what_those_pictures_alone_would_give() -> None:
    document, results = scene(5, n=20)
    chosen = np.arange(20) % 3 == 0
    keep = {int(i) + 1 for i in np.flatnonzero(chosen)}
    alone = {**document, "images": [one for one in document["images"] if one["id"] in keep]}
    alone["annotations"] = [one for one in document["annotations"] if one["image_id"] in keep]
    wanted = det.match(*read(alone, [one for one in results if one["image_id"] in keep]))
    found = det.match(*read(document, results)).on(chosen)
    assert det.ap_intervals(found, n=50) == det.ap_intervals(wanted, n=50)
    assert repr(det.operating_points(found)) == repr(det.operating_points(wanted))
    assert det.picture_errors(found, [0.5] * 3).cost.tolist() == det.picture_errors(wanted, [0.5] * 3).cost.tolist()


def test_intervals_hold_the_figure_of_very_many_pictures() -> None:
    """Of 25 samples of 80 pictures, intervals of at least 21 hold it (95 % are promised; 21 leaves room for chance)."""
    matches = det.match(*read(*scene(1, n=2000, ties=False)))
    true = overall(matches)
    parts = np.arange(2000) // 80
    held = [det.ap_intervals(matches.on(parts == part), n=100) for part in range(25)]
    assert sum(one.ap.low <= true <= one.ap.high for one in held) >= 21


def test_a_perfect_detector_on_few_pictures_may_still_be_wrong() -> None:
    truth = det.gather_truths([[BOX]] * 10, [[0]] * 10, ["a"])
    found = det.gather_detections([[BOX]] * 10, [[0]] * 10, [[0.9]] * 10)
    interval = det.ap_intervals(det.match(truth, found), n=100).ap
    assert interval.value == 1.0 and 0.6 < interval.low < 0.8


def test_the_better_detector_is_told_from_the_same() -> None:
    document, results = scene(9, n=60)
    truth, found = read(document, results)
    matches = det.match(truth, found)
    same = det.ap_difference(matches, matches, n=100)
    assert (same.ap.low, same.ap.value, same.ap.high) == (0.0, 0.0, 0.0)
    right = [{**entry, "score": 0.9} for entry in document["annotations"]]
    gap = det.ap_difference(det.match(*read(document, right)), matches, n=100)
    assert gap.ap.low > 0.3 and gap.ap.value == pytest.approx(1 - overall(matches))
    with pytest.raises(DataError, match="D085"):
        det.ap_difference(matches, det.match(*read(*scene(8, n=60))))


# --- kinds of errors ----------------------------------------------------------------------------------------------
def test_each_kind_of_error_is_recognised() -> None:
    """Six objects and one planted error of each kind."""
    objects = [
        ([x, 0.0, x + 40.0, 40.0], label) for x, label in ((0, 0), (100, 0), (200, 1), (300, 0), (400, 1), (500, 0))
    ]
    found = [
        ([0, 0, 40, 40], 0, 0.9),  # right
        ([0, 0, 40, 38], 0, 0.8),  # duplicate
        ([100, 0, 140, 40], 1, 0.7),  # classification
        ([220, 0, 260, 40], 1, 0.6),  # localisation, overlap 1/3
        ([320, 0, 360, 40], 1, 0.5),  # both
        ([900, 0, 940, 40], 0, 0.4),  # background
    ]
    truth, detections = one_picture(objects, found)
    breakdown = det.error_kinds(truth, detections)
    where = {kind.name: kind.where.tolist() for kind in breakdown.kinds}
    assert list(where) == list(KINDS)
    assert where == {
        "classification": [2], "localisation": [3], "both": [4], "duplicate": [1], "background": [5], "missed": [3, 4, 5],
    }  # fmt: skip
    # label 0: one hit of four objects (26 of 101 points); label 1: none of two.
    assert breakdown.ap == pytest.approx(26 / 101 / 2)
    gains = {kind.name: kind.gain for kind in breakdown.kinds}
    # Mended: label 0 has hit, duplicate, hit, ..: 26 points at 1 and 25 at 2/3; nothing changes for label 1.
    assert gains["classification"] == pytest.approx(25 * 2 / 3 / 101 / 2)
    assert gains["localisation"] == pytest.approx(51 / 2 / 101 / 2)  # behind a false one: precision 1/2 up to half
    assert gains["duplicate"] == gains["both"] == gains["background"] == 0
    assert gains["missed"] == pytest.approx((51 - 26) / 101 / 2)  # two objects left for label 0, one for label 1
    assert breakdown.false_gain == 0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_detection_and_every_object_is_accounted_for(seed: int) -> None:
    truth, found = read(*scene(seed, n=6))
    breakdown, matches = det.error_kinds(truth, found), det.match(truth, found, thresholds=(0.5,))
    wrong = ~matches.hit[:, 0] & ~matches.ignored[:, 0]
    seen = np.concatenate([kind.where for kind in breakdown.kinds if kind.name != "missed"])
    assert sorted(seen.tolist()) == sorted(matches.source[wrong].tolist())
    if len(matches.truth_label):
        assert all(kind.gain >= -1e-12 for kind in breakdown.kinds if kind.name in ("duplicate", "background", "both"))
        assert breakdown.ap + breakdown.false_gain <= 1 + 1e-12 and breakdown.false_gain >= -1e-12


# --- thresholds, curves, pictures ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("miss", "false"), [(1.0, 1.0), (5.0, 1.0), (1.0, 5.0)])
def test_thresholds_cost_as_little_as_any(miss: float, false: float) -> None:
    matches = det.match(*read(*scene(3, n=60, ties=False)))
    for label, point in enumerate(det.operating_points(matches, miss_cost=miss, false_cost=false)):
        tries = np.append(matches.score[matches.of_label(label)], [0.0, 2.0])
        costs = [det.point_at(matches, label, t, miss_cost=miss, false_cost=false).cost for t in tries]
        assert point.cost == pytest.approx(min(costs)) and point.own
        assert point.hits + point.missed == matches.n_truths()[label]
        assert point.f1 == pytest.approx(2 * point.hits / (2 * point.hits + point.false + point.missed))


def test_dear_misses_lower_the_threshold() -> None:
    matches = det.match(*read(*scene(3, n=60, ties=False)))
    cheap, dear = (det.operating_points(matches, miss_cost=cost) for cost in (1.0, 8.0))
    assert all(b.threshold <= a.threshold and b.recall >= a.recall for a, b in zip(cheap, dear, strict=True))
    assert any(b.threshold < a.threshold for a, b in zip(cheap, dear, strict=True))


def test_a_rare_label_takes_the_threshold_of_all() -> None:
    boxes, labels = [[BOX, FAR]] * 6, [[0, 0]] * 5 + [[0, 1]]
    truth = det.gather_truths(boxes, labels, ["often", "once", "never"])
    found = det.gather_detections(boxes, labels, [[0.9, 0.8]] * 5 + [[0.9, 0.2]])
    often, once, never = det.operating_points(det.match(truth, found))
    assert often.own and not once.own and not never.own
    assert never.threshold == once.threshold < 0.2 and np.isnan(never.recall) and never.precision == 1.0
    assert often.recall == often.precision == 1.0


def test_the_curve_of_a_worked_example() -> None:
    truth, found = one_picture([(BOX, 0), (FAR, 0)], [(BOX, 0, 0.9), ([300, 0, 310, 9], 0, 0.8), (FAR, 0, 0.7)])
    curve = det.precision_recall(det.match(truth, found), 0)
    assert curve.score.tolist() == [0.9, 0.8, 0.7] and curve.recall.tolist() == [0.5, 0.5, 1.0]
    assert curve.precision == pytest.approx([1, 1 / 2, 2 / 3])
    many = det.precision_recall(det.match(*read(*scene(3, n=60, ties=False))), 0, most=10)
    assert len(many.score) == 10 and (np.diff(many.score) < 0).all() and (np.diff(many.recall) >= 0).all()


def test_the_worst_pictures() -> None:
    truth = det.gather_truths([[BOX], [BOX, FAR], []], [[0], [0, 1], []], ["a", "b"])
    found = det.gather_detections([[BOX], [[300, 0, 310, 9]], [BOX]], [[0], [0], [1]], [[0.9], [0.8], [0.3]])
    errors = det.picture_errors(det.match(truth, found), [0.5, 0.5], miss_cost=[1.0, 10.0])
    assert (
        errors.hits.tolist() == [1, 0, 0] and errors.missed.tolist() == [0, 2, 0] and errors.false.tolist() == [0, 1, 0]
    )
    assert errors.cost.tolist() == [0, 12, 0] and errors.worst() == [1]
    assert errors.f1() == pytest.approx(2 / 5) and errors.f1(np.array([True, False, False])) == 1.0
    shown = det.picture_errors(det.match(truth, found), [0.0, 0.0])
    assert shown.worst() == [1, 2] and np.isnan(errors.f1(np.array([False, False, True])))


# --- calibration --------------------------------------------------------------------------------------------------
def believed(n: int, bend: float, seed: int) -> det.Matches:
    """One detection a picture that is right with the chance ``score ** bend``."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    right = rng.random(n) < score**bend
    boxes = [[BOX] if hit else [FAR] for hit in right]
    truth = det.gather_truths([[BOX]] * n, [[0]] * n, ["a"])
    return det.match(truth, det.gather_detections(boxes, [[0]] * n, score[:, None].tolist()))


def test_calibration_error_of_scores_that_can_be_believed_and_that_cannot() -> None:
    assert det.calibration_error(believed(4000, 1, 0)) < 0.03
    assert det.calibration_error(believed(4000, 3, 0)) == pytest.approx(1 / 2 - 1 / 4, abs=0.02)
    bins = det.score_bins(believed(4000, 1, 0), at_least=0.5)
    assert len(bins) == 5 and sum(one.n for one in bins) < 2100
    assert np.isnan(det.calibration_error(believed(10, 1, 0), at_least=1.0))


@pytest.mark.parametrize("kind", ["logistic", "isotonic"])
def test_recalibration_mends_scores_of_other_pictures(kind: Any) -> None:
    curve = det.fit_recalibration(believed(4000, 3, 1), kind=kind)
    again = det.Recalibration.from_dict(json.loads(json.dumps(curve.as_dict())))
    fresh = believed(4000, 3, 2)
    mended = type(fresh)(**{**fresh.__dict__, "score": again.apply(fresh.score)})
    assert det.calibration_error(mended) < 0.04 < 0.2 < det.calibration_error(fresh)
    assert (np.diff(again.apply(np.linspace(0, 1, 50))) >= 0).all()
    if kind == "logistic":
        assert overall(mended) == overall(fresh)


def test_too_few_detections_leave_scores_alone() -> None:
    scores = np.array([0.1, 0.5, 0.9])
    assert det.fit_recalibration(believed(15, 1, 0)).apply(scores) == pytest.approx(scores)


def test_the_example_of_the_page_runs() -> None:
    page = Path(__file__).resolve().parents[2] / "docs/detection-metrics.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    names: dict[str, Any] = {}
    exec(block, names)
    assert det.coco_figures(names["truth"], names["found"]).ap50 == pytest.approx(0.5)
    assert det.ap_intervals(names["matches"]).ap50.value == pytest.approx(0.5)


# --- what cannot be measured says so ------------------------------------------------------------------------------
def test_bad_input_is_named() -> None:
    def truths(boxes: Any, labels: Any, **more: Any) -> Any:
        return det.gather_truths(boxes, labels, ["a"], **more)

    found = det.gather_detections([[BOX]], [[0]], [[0.5]])
    document, results = scene(0)
    tries = {
        "D080": [
            lambda: truths([[BOX]], [[0, 0]]), lambda: truths([[BOX]], []), lambda: truths([[BOX]], [[0]], masks=[[]]),
        ],
        "D081": [lambda: truths([[[5, 5, 1, 9]]], [[0]]), lambda: truths([[[0, 0, np.nan, 9]]], [[0]])],
        "D082": [
            lambda: truths([[BOX]], [[1]]), lambda: det.match(truths([[BOX]] * 2, [[0]] * 2), found),
            lambda: det.match(truths([[BOX]], [[0]]), det.gather_detections([[BOX]], [[3]], [[0.5]])),
        ],
        "D083": [
            lambda: det.gather_detections([[BOX]], [[0]], [[np.inf]]),
            lambda: det.calibration_error(det.match(truths([[BOX]], [[0]]), det.gather_detections([[BOX]], [[0]], [[7]]))),
        ],
        "D084": [
            lambda: det.coco_figures(truths([[BOX]], [[0]]), found, iou="mask"),
            lambda: det.truths_from_coco(document, masks=True),
        ],
        "D086": [
            lambda: det.truths_from_coco({"images": []}), lambda: read(document, [{**results[0], "image_id": 99}]),
            lambda: read(document, [{**results[0], "category_id": "cat"}]), lambda: read(document, [{**results[0], "bbox": [1, 2]}]),
        ],
    }  # fmt: skip
    for code, calls in tries.items():
        for call in calls:
            with pytest.raises(DataError) as caught:
                call()
            assert caught.value.code == code and caught.value.remedy
