"""Drawn scenes: the same from the same seed, boxes that fit masks, all kinds in fair numbers, sets that can be read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from honed.scenes import (
    FAULTS,
    KEPT_BACK,
    PARTS,
    TRAINED,
    SceneObject,
    render_conveyor,
    render_part,
    render_scene,
    render_single,
    write_conveyor_set,
    write_part_folders,
)
from honed.scenes.kinds import ALL
from honed.scenes.layouts import LAYOUTS
from honed.scenes.sets import run_lengths

SIZE = (96, 128)


def scene(seed: int, **options: object) -> tuple[np.ndarray, list[SceneObject]]:
    return render_scene(np.random.default_rng(seed), SIZE, **options)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_scene_in_another_process() -> None:
    code = (
        "import hashlib, numpy as np; from honed.scenes import render_scene;"
        f"p, o = render_scene(np.random.default_rng(4), {SIZE});"
        "print(hashlib.sha256(p.tobytes()).hexdigest(), [(x.label, x.box_xyxy) for x in o])"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in "ab"
    ]
    assert told[0] == told[1]
    assert len(told[0]) > 64
    assert (scene(4)[0] == scene(4)[0]).all()
    assert (scene(4)[0] != scene(5)[0]).any()


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_boxes_fit_masks_in_every_layout(layout: str) -> None:
    n_objects = 0
    for seed in range(4):
        picture, objects = scene(seed, layout=layout)
        assert picture.shape == (*SIZE, 3)
        assert picture.dtype == np.uint8
        for item in objects:
            rows, columns = np.nonzero(item.mask)
            assert item.box_xyxy == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert item.label in TRAINED
            n_objects += 1
    assert n_objects >= 4


def test_what_lies_above_hides_what_lies_below() -> None:
    """Without transparency no pixel belongs to two objects."""
    objects = scene(3, layout="heap")[1]
    assert len(objects) > 3
    assert np.sum([item.mask for item in objects], axis=0).max() == 1


def test_all_kinds_appear_in_fair_numbers() -> None:
    counts = Counter(item.label for seed in range(150) for item in scene(seed)[1])
    assert set(counts) == set(TRAINED)
    total = sum(counts.values())
    assert min(counts.values()) > total / len(TRAINED) / 6
    assert max(counts.values()) < total / len(TRAINED) * 4


def test_the_kinds_of_training_judging_and_example_are_apart() -> None:
    assert not set(TRAINED) & set(KEPT_BACK)
    assert not set(PARTS) & (set(TRAINED) | set(KEPT_BACK))
    assert len(ALL) == len(TRAINED) + len(KEPT_BACK) + len(PARTS)
    labels = {item.label for seed in range(10) for item in scene(seed, kinds=tuple(KEPT_BACK))[1]}
    assert labels <= set(KEPT_BACK)


@pytest.mark.parametrize("kind", [*ALL, 0, 7])
def test_a_single_object_stands_out_from_its_ground(kind: str | int) -> None:
    picture = render_single(np.random.default_rng(8), kind, side=64)
    assert picture.shape == (64, 64, 3)
    assert picture[12:52, 12:52].std() > 4
    assert (picture != render_single(np.random.default_rng(9), kind, side=64)).any()


def test_faults_change_a_part() -> None:
    clean = render_part(np.random.default_rng(2), "nut").astype(int)
    for fault in FAULTS[1:]:
        assert np.abs(render_part(np.random.default_rng(2), "nut", fault).astype(int) - clean).max() > 20


def test_a_conveyor_set_reads_back(tmp_path: Path) -> None:
    told = json.loads(write_conveyor_set(tmp_path, 6, seed=1).read_text())
    assert [kind["name"] for kind in told["categories"]] == list(PARTS)
    assert len(told["images"]) == 6
    assert len(told["annotations"]) > 6
    for note in told["annotations"]:
        item = told["images"][note["image_id"] - 1]
        with Image.open(tmp_path / item["file_name"]) as picture:
            assert picture.size == (item["width"], item["height"])
        x, y, w, h = note["bbox"]
        assert 0 <= x < x + w <= item["width"]
        assert 0 <= y < y + h <= item["height"]
        assert sum(note["segmentation"]["counts"]) == item["width"] * item["height"]
        assert sum(note["segmentation"]["counts"][1::2]) == note["area"]
    drawn = render_conveyor(np.random.default_rng((1, 2)), (240, 320))[1]
    assert len([note for note in told["annotations"] if note["image_id"] == 3]) == len(drawn)


def test_run_lengths_of_small_masks() -> None:
    assert run_lengths(np.array([[True, False], [False, False]])) == [0, 1, 3]
    assert run_lengths(np.array([[False, True], [True, True]])) == [1, 3]
    assert run_lengths(np.zeros((2, 2), dtype=bool)) == [4]


def test_a_folder_for_each_kind_of_part(tmp_path: Path) -> None:
    folders = sorted(path.name for path in write_part_folders(tmp_path, 3).iterdir())
    assert folders == sorted(name.replace(" ", "_") for name in PARTS)
    assert all(len(list((tmp_path / name).iterdir())) == 3 for name in folders)
