"""The parts of tasks that find objects: packing, canvas, variation, targets, decisions, and how answers are judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from honed.data.picture_sets.raw import OBJECT
from honed.data.picture_sets.rle import mask_of, text_of_mask
from honed.data.read import read_table
from honed.data.roles import answer_kind, infer_roles
from honed.data.stream import open_batches
from honed.data.table import Roles, Table
from honed.metrics.intervals import bootstrap_interval, paired_difference
from honed.networks.detection.canvas import Canvas, canvas_for
from honed.networks.detection.mask_cells import MASK_SIDE
from honed.networks.detection.packing import GRID, TOLD, cells_of, pack, packed_cells, pasted, unpack, width_of
from honed.networks.detection.truth import Objects
from honed.networks.detection.variation import ObjectVariation, varied
from honed.scenes import write_conveyor_set
from honed.tasks.answers import Decision
from honed.tasks.contract import Problem
from honed.tasks.detection.decisions import decode, fit_decision
from honed.tasks.detection.given import as_given, in_words
from honed.tasks.detection.judging import ObjectJudging
from honed.tasks.detection.scores import AveragePrecision, ObjectF1, told_counts
from honed.tasks.detection.shapes import Shapes, shapes_of
from honed.tasks.judging import Judging
from honed.tasks.registry import get_task

LABELS = ("bolt", "nut")
PROBLEM = Problem("object-detection", "objects", ("image",), "objects", LABELS, "ap", {})


def shapes(*objects: tuple[str, tuple[float, ...]], size: tuple[int, int] = (100, 120)) -> Shapes:
    cells = [{"label": label, "box_xyxy": list(box), "crowd": False} for label, box in objects]
    return shapes_of(cells, size, {label: k for k, label in enumerate(LABELS)}, False)


def array(*targets: Shapes) -> np.ndarray:
    found = np.empty(len(targets), dtype=object)
    found[:] = targets
    return found


def given(*pictures: list[tuple[str, tuple[float, ...], float]], told: bool = True) -> np.ndarray:
    rows = []
    for objects in pictures:
        boxes = np.array([box for _, box, _ in objects], dtype=np.float32).reshape(-1, 4)
        labels = np.array([LABELS.index(label) for label, _, _ in objects])
        rows.append(pack((100, 120), boxes, np.array([score for *_, score in objects]), labels, None, False))
    packed = np.stack(rows)
    unpack(packed).objects[..., 6] = unpack(packed).there & told
    return packed


BOLT, NUT = (10.0, 10.0, 40.0, 30.0), (60.0, 20.0, 90.0, 60.0)
TRUTH = array(shapes(("bolt", BOLT), ("nut", NUT)), shapes(("nut", NUT)), shapes())


def test_packed_objects_come_back() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((3, GRID, GRID)) < 0.5
    boxes = np.array([BOLT, NUT, BOLT])
    row = pack((480, 640), boxes, np.array([0.9, 0.5, 0.1]), np.array([1, 0, 1]), masks, True)
    packed = unpack(row[None])
    assert len(row) == width_of(True) and packed.size.tolist() == [[480, 640]]
    assert packed.there[0].sum() == 3 and packed.labels[0, :3].tolist() == [1, 0, 1]
    np.testing.assert_allclose(packed.boxes[0, :3], boxes)
    assert packed.cells is not None
    np.testing.assert_array_equal(cells_of(packed.cells[0, :3]), masks)
    np.testing.assert_array_equal(cells_of(packed_cells(masks)), masks)


def test_a_pasted_mask_lies_in_its_box() -> None:
    mask = pasted(np.ones((GRID, GRID), dtype=bool), np.array([10.0, 20.0, 40.0, 60.0]), (100, 120))
    assert mask.shape == (100, 120) and mask.sum() == 30 * 40 and mask[20:60, 10:40].all()
    assert not pasted(np.ones((GRID, GRID), dtype=bool), np.array([-9.0, -9.0, -1.0, -1.0]), (10, 10)).any()


def test_the_canvas_follows_the_smallest_objects_and_the_shape_of_the_pictures() -> None:
    lying = np.tile([480, 640], (50, 1))
    fine, coarse = (canvas_for(lying, side, 64) for side in (12.0, 200.0))
    assert (fine.height, fine.width) == (512, 640) and (coarse.height, coarse.width) == (192, 256)
    mixed = canvas_for(np.array([[480, 640], [640, 480]] * 20), 12.0, 64)
    assert mixed.height == mixed.width
    assert Canvas(192, 256).scale_of((480, 640)) == pytest.approx(0.4)


def test_a_fitted_picture_lies_in_the_upper_left_corner() -> None:
    canvas = Canvas(64, 128)
    picture = canvas.fitted(np.full((100, 100, 3), 255, dtype=np.uint8))
    laid = canvas.laid(picture, (0.5, 0.5, 0.5))
    assert picture.shape == (64, 64, 3) and laid.shape == (3, 64, 128)
    assert (laid[:, :, :64] == 255).all() and (laid[:, :, 64:] == 128).all()


@pytest.mark.parametrize("seed", range(8))
def test_boxes_and_masks_go_with_their_picture(seed: int) -> None:
    """A bright square, its box and its mask stay together however the picture is changed."""
    pixels = torch.zeros(1, 3, 64, 64)
    pixels[:, :, 20:40, 12:44] = 1.0
    whole = torch.full((1, MASK_SIDE, MASK_SIDE), 255, dtype=torch.uint8)
    objects = Objects(torch.tensor([[12.0, 20, 44, 40]]), torch.tensor([1]), whole)
    how = ObjectVariation(upright=False, light=0.0, least_seen=0.05)
    changed, (moved,) = varied(pixels, [objects], [(64, 64)], how, (0.0, 0.0, 0.0), np.random.default_rng(seed))
    bright = changed[0, 0] > 0.5
    down, across = torch.nonzero(bright.any(dim=1)).flatten(), torch.nonzero(bright.any(dim=0)).flatten()
    seen = torch.stack([across[0], down[0], across[-1] + 1, down[-1] + 1]).float()
    torch.testing.assert_close(moved.boxes[0], seen, atol=1.5, rtol=0)
    assert moved.masks is not None and (moved.masks == 255).all() and moved.labels.tolist() == [1]


def test_a_mask_is_cut_with_its_box() -> None:
    half = torch.zeros(1, MASK_SIDE, MASK_SIDE, dtype=torch.uint8)
    half[:, :, MASK_SIDE // 2 :] = 255
    objects = Objects(torch.tensor([[0.0, 0, 64, 64]]), torch.tensor([0]), half)
    how = ObjectVariation(mirror=False, zoom=(2.0, 2.0), light=0.0, least_seen=0.01)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        _, (moved,) = varied(torch.zeros(1, 3, 64, 64), [objects], [(64, 64)], how, (0, 0, 0), rng)
        rng = np.random.default_rng(seed)
        rng.uniform(), rng.uniform()  # the zoom and the top
        left = rng.uniform(0, 32)
        assert moved.masks is not None
        filled = float((moved.masks[0].float() / 255).mean())
        assert filled == pytest.approx((32 - max(0.0, 32 - left)) / 32, abs=0.05)


def test_polygons_masks_and_boxes_without_outline() -> None:
    mask = np.zeros((100, 120), dtype=bool)
    mask[20:60, 60:75] = True
    cells = [
        {"label": "bolt", "box_xyxy": [10, 10, 30, 30], "polygons": [[10, 10, 30, 10, 10, 30]], "rle": None},
        {"label": "nut", "box_xyxy": [60, 20, 90, 60], "polygons": None, "rle": text_of_mask(mask)},
        {"label": "screw", "box_xyxy": [0, 0, 5, 5], "polygons": None, "rle": None},
    ]
    found = shapes_of(cells, (100, 120), {"bolt": 0, "nut": 1}, True)
    assert found.labels.tolist() == [0, 1, -2] and found.crowd.tolist() == [False, False, True]
    shares = found.cells().mean(axis=(1, 2)) / 255
    np.testing.assert_allclose(shares, [0.5, 0.5, 1.0], atol=0.03)
    assert mask_of(found.rles()[1]["counts"], 100, 120).sum() == mask.sum()


def test_the_perfect_answer_is_perfect_and_told_in_words() -> None:
    rows = as_given(TRUTH, given([], [], []))
    assert AveragePrecision(LABELS)(TRUTH, rows) == pytest.approx(1.0)
    judging = ObjectJudging()
    assert judging.right(TRUTH, rows).all() and not judging.errors(TRUTH, rows).any()
    words = in_words(unpack(rows), 0, LABELS)
    assert [one["label"] for one in words] == ["bolt", "nut"] and words[0]["box"] == list(BOLT)
    assert judging.named(TRUTH[0], LABELS) == judging.named(rows[0], LABELS) == "1 bolt, 1 nut"
    assert judging.named(TRUTH[2], LABELS) == "nothing"


def test_missed_false_and_wrongly_named_objects_count() -> None:
    rows = given([("bolt", BOLT, 0.9)], [("bolt", NUT, 0.9)], [("nut", BOLT, 0.8)])
    hits, told, true = (counts.sum(axis=0).tolist() for counts in told_counts(TRUTH, rows, LABELS))
    assert (hits, told, true) == ([1, 0], [2, 1], [1, 2])
    judging = ObjectJudging()
    assert judging.right(TRUTH, rows).tolist() == [False, False, False]
    np.testing.assert_allclose(judging.errors(TRUTH, rows), [0.5, 1.0, 1.0])
    counts = judging.counts(TRUTH, rows, 2)
    assert counts.true.sum() == 3 and counts.hits.sum() == 1
    assert judging.census(TRUTH, 2).tolist() == [1, 2]


def test_what_is_not_told_is_no_answer_but_counts_for_the_curve() -> None:
    rows = given([("bolt", BOLT, 0.9), ("nut", NUT, 0.9)], [("nut", NUT, 0.9)], [], told=False)
    assert AveragePrecision(LABELS)(TRUTH, rows) == pytest.approx(1.0)
    assert told_counts(TRUTH, rows, LABELS)[1].sum() == 0


def test_engines_are_compared_whatever_the_order() -> None:
    judging = ObjectJudging()
    first = given([("bolt", BOLT, 0.9), ("nut", NUT, 0.8), ("nut", BOLT, 0.03)])
    second = given([("nut", NUT, 0.8), ("bolt", BOLT, 0.9)])
    assert judging.differ(first, second) == 0.0
    moved = given([("nut", tuple(v + 3 for v in NUT), 0.8), ("bolt", BOLT, 0.9)])
    assert judging.differ(first, moved) == pytest.approx(3 / 40)
    assert judging.differ(first, given([("bolt", BOLT, 0.9)])) == pytest.approx(0.8)
    assert judging.changed(first, given([("bolt", BOLT, 0.9), ("nut", NUT, 0.8), ("nut", BOLT, 0.03)])) == 0.0
    assert judging.changed(given([("bolt", BOLT, 0.9)]), given([("nut", BOLT, 0.9)])) == 1.0


def test_thresholds_follow_the_costs_and_scores_become_shares() -> None:
    rng = np.random.default_rng(0)
    targets, rows = [], []
    for _ in range(60):
        right = rng.random() < 0.5
        score = float(np.clip(rng.normal(0.45 if right else 0.25, 0.08), 0.05, 0.95))
        targets.append(shapes(("bolt", BOLT)) if right else shapes())
        rows.append([("bolt", BOLT, score)])
    truth, outputs = array(*targets), given(*rows)
    even = fit_decision(outputs, truth, PROBLEM, {})
    dear = fit_decision(outputs, truth, PROBLEM, {"bolt": 20.0})
    assert dear.thresholds[0] < even.thresholds[0] and dear.costs == (20.0, 1.0)
    answers = decode(outputs, PROBLEM, even)
    scores = unpack(answers.encoded).scores[:, 0]
    right = np.array([len(target.boxes) > 0 for target in targets])
    assert abs(scores.mean() - right.mean()) < 0.1, "mended scores are shares that are right"
    told = np.array([len(label) for label in answers.labels])
    assert (told == right).mean() > 0.85


def test_a_picture_where_something_may_be_is_in_doubt() -> None:
    decision = Decision(thresholds=(0.5, 0.5))
    outputs = given([("bolt", BOLT, 0.9)], [("bolt", BOLT, 0.4)], [("bolt", BOLT, 0.1)], [])
    answers = decode(outputs, PROBLEM, decision)
    assert answers.unsure.tolist() == [False, True, False, False]
    assert [len(label) for label in answers.labels] == [1, 0, 0, 0]


def test_a_log_is_encoded_again() -> None:
    judging = ObjectJudging()
    rows = given([("bolt", BOLT, 0.9), ("nut", NUT, 0.8)], [])
    words = [in_words(unpack(rows), row, LABELS) for row in range(2)]
    both = [{"label": "bolt", "box": list(BOLT)}, {"label": "nut", "box_xyxy": list(NUT)}]
    truths = [both, [{"label": "nut", "box": list(NUT)}]]
    found = judging.from_words(words, truths, LABELS)
    assert found is not None
    assert judging.right(found[1], found[0]).tolist() == [True, False]


def table(objects: list[list[dict] | None], n_bare: int = 0) -> Table:
    cells = pa.array(objects, pa.list_(OBJECT))
    return Table(pa.table({"image": ["data:image/png;base64,x"] * len(objects), "objects": cells}), "set", "")


def one(label: str = "bolt", box: tuple[float, ...] = BOLT, outline: bool = False) -> dict:
    polygons = [[10.0, 10.0, 40.0, 10.0, 40.0, 30.0]] if outline else None
    return {"label": label, "box_xyxy": list(box), "crowd": False, "polygons": polygons, "rle": None}


def test_the_task_is_chosen_by_what_the_objects_have() -> None:
    for outline, kind in ((False, "boxes"), (True, "masks")):
        found = table([[one(outline=outline)]] * 9)
        roles = infer_roles(found)
        assert roles.target == "objects" and answer_kind(found, roles) == kind


def codes(found: Table, task: str = "object-detection") -> set[str]:
    settings = get_task(task).config()
    findings = get_task(task).validate(found, Roles(target="objects", image="image"), settings)
    return {finding.code for finding in findings}


def test_bad_objects_are_told() -> None:
    assert "D183" in codes(table([None] * 9)) and "D183" in codes(table([[]] * 9))
    assert "D025" in codes(table([[one()]] * 3))
    assert "D027" in codes(table([[one()]] * 9 + [None]))
    assert {"D184", "D185"} <= codes(table([[one()]] * 12 + [[one("nut", (0, 0, 5, 5))]] * 3))
    assert "D186" in codes(table([[one(outline=True)]] * 12 + [[one()]]), "image-segmentation")
    assert not {"D183", "D184", "D185"} & codes(table([[one()]] * 12))


def test_annotations_and_single_pictures_are_read_as_such(tmp_path: Path) -> None:
    annotations = write_conveyor_set(tmp_path, 3)
    found = read_table(annotations)
    assert found.n_rows == 3 and "objects" in found.names and read_table(tmp_path).digest == found.digest
    one = read_table(tmp_path / "images" / "00000.jpg")
    assert one.names == ("image",) or list(one.names) == ["image"]
    with open_batches(tmp_path / "images" / "00001.jpg") as batches:
        assert [batch.num_rows for batch in batches] == [1]
    plain = tmp_path / "rows.json"
    plain.write_text('[{"images": "a", "text": "b"}]')
    assert read_table(plain).names[0] == "images"


@pytest.mark.parametrize("masks", [False, True])
def test_answers_dealt_in_another_order_score_as_their_rows_do(masks: bool) -> None:
    rng = np.random.default_rng(1)
    truth, rows = some_pictures(rng, 12, masks)
    score, order = AveragePrecision(LABELS), rng.permutation(12)
    assert score.dealt(truth, rows)(np.arange(12)) == pytest.approx(score(truth, rows))
    assert score.dealt(truth, rows)(order) == pytest.approx(score(truth, rows[order]))


def test_the_interval_of_f1_is_that_of_its_resampled_pictures() -> None:
    truth, rows = some_pictures(np.random.default_rng(2), 30, False)
    _, worse = some_pictures(np.random.default_rng(3), 30, False)
    score = ObjectF1(LABELS)
    found = bootstrap_interval(score, truth, rows, n=50)
    plain = bootstrap_interval(lambda targets, given: score(targets, given), truth, rows, n=50)
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))
    lost = paired_difference(score, truth, rows, worse, n=50)
    plain = paired_difference(lambda targets, given: score(targets, given), truth, rows, worse, n=50)
    assert (lost.value, lost.low, lost.high) == pytest.approx((plain.value, plain.low, plain.high))


def some_pictures(rng: np.random.Generator, n: int, masks: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two objects a picture, found a little beside their place or not at all."""
    truths, rows = [], []
    for _ in range(n):
        corners = rng.uniform(0, 60, (2, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(15, 35, (2, 2))], axis=1)
        cells = [
            {"label": label, "box_xyxy": box.tolist(), "crowd": False, "polygons": None, "rle": None}
            for label, box in zip(LABELS, boxes, strict=True)
        ]
        truths.append(shapes_of(cells, (100, 120), {label: k for k, label in enumerate(LABELS)}, masks))
        there = rng.random(2) < 0.8
        moved = (boxes + rng.normal(0, 3, boxes.shape))[there].astype(np.float32)
        cut = np.ones((len(moved), GRID, GRID), dtype=bool) if masks else None
        rows.append(pack((100, 120), moved, rng.uniform(0.2, 1, len(moved)), np.array([0, 1])[there], cut, masks))
    packed = np.stack(rows)
    unpack(packed).objects[..., TOLD] = unpack(packed).there
    return array(*truths), packed


def test_two_models_agree_that_tell_the_same_objects() -> None:
    def told(label: str, *box: float) -> dict[str, object]:
        return {"label": label, "score": 0.9, "box": list(box)}

    one = [told("bolt", 10, 10, 40, 30), told("nut", 60, 20, 90, 60)]
    moved = [told("nut", 61, 20, 91, 61), told("bolt", 11, 10, 40, 30)]
    renamed = [told("nut", 10, 10, 40, 30), told("nut", 60, 20, 90, 60)]
    found = ObjectJudging().agree([one, one, one, []], [moved, one[:1], renamed, []])
    assert found.tolist() == [True, False, False, True]
    assert Judging().agree(["a", ["a", "b"], 1.0, 1.0], ["a", ["a"], 1.01, 2.0]).tolist() == [True, False, True, False]
