"""Objects in pictures, from a folder with annotations to a packaged, evaluated, exported and watched model."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import honed
from honed.data.table import Table
from honed.errors import DataError
from honed.monitoring.reference import watch
from honed.networks.detection.variation import TRIED
from honed.prediction import predict_file
from honed.tasks.registry import get_task
from honed.training.eject import write_script

SETTINGS = {"training.epochs": 16, "training.race": 1, "training.batch_size": 8}


def written(folder: Path, table: Table, outlines: bool) -> Path:
    """The sample of the task as a folder with COCO annotations."""
    names = ["disc", "square"]
    (folder / "images").mkdir(parents=True)
    pictures, annotations = [], []
    for row, (picture, objects) in enumerate(zip(table.column("image"), table.column("objects"), strict=True)):
        (folder / "images" / f"{row:03}.png").write_bytes(base64.b64decode(picture.partition(",")[2]))
        pictures.append({"id": row, "file_name": f"images/{row:03}.png", "width": 64, "height": 64})
        for item in objects:
            left, top, right, bottom = item["box_xyxy"]
            box = [left, top, right - left, bottom - top]
            drawn = {"segmentation": {"size": [64, 64], "counts": item["rle"]}} if outlines else {}
            annotations.append(
                {"id": len(annotations) + 1, "image_id": row, "category_id": names.index(item["label"]), "bbox": box, **drawn}
            )  # fmt: skip
    kinds = [{"id": number, "name": name} for number, name in enumerate(names)]
    told = {"images": pictures, "annotations": annotations, "categories": kinds}
    (folder / "annotations.json").write_text(json.dumps(told))
    return folder


@pytest.fixture(scope="module", params=["object-detection", "image-segmentation"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> honed.Result:
    task, place = request.param, tmp_path_factory.mktemp("finding")
    sample = get_task(task).sample()
    folder = written(place / "shapes", sample.table, task == "image-segmentation")
    rest = place / "rest"
    rest_table = Table(sample.table.arrow.slice(20), "rest", "")
    written(rest, rest_table, task == "image-segmentation")
    settings = {**SETTINGS, **{f"task_settings.{name}": value for name, value in sample.config.items()}}
    return honed.finetune(folder, test=rest, base=sample.base, settings=settings, out=place / "runs", name="shapes")


def test_the_ladder_climbs_and_the_evaluation_tells_what_detectors_have(run: honed.Result) -> None:
    assert run.report.task in ("object-detection", "image-segmentation")
    scores = {rung.name: rung.score.value for rung in run.report.ladder if rung.score}
    assert set(scores) == {"usual-objects", "probe", "fine-tune", "soup"}
    assert scores["fine-tune"] > scores["usual-objects"] + 0.2
    evaluation = run.evaluation
    assert evaluation is not None
    titles = [detail.title for detail in evaluation.details]
    assert titles[:3] == ["The twelve figures of COCO", "Average precision by label", "Kinds of errors"]
    assert [metric.name for metric in evaluation.metrics] == ["ap50", "ap", "ap75", "object_f1"]
    assert {row.label for row in evaluation.per_class} == {"disc", "square"}
    assert "turned by 5 degrees" not in [row.title for row in evaluation.robustness]
    assert evaluation.robustness and evaluation.calibration is not None
    page = (run.folder / "report.html").read_text()
    assert "Kinds of errors" in page and "The twelve figures of COCO" in page


def test_pictures_with_mistakes_are_drawn(run: honed.Result) -> None:
    evaluation = run.evaluation
    assert evaluation is not None
    judging = run.model.task.judging
    for error in evaluation.worst_errors:
        assert error.drawn and error.picture.startswith("data:image/jpeg") and error.truth != ""
    perfect = len(evaluation.worst_errors) == 0
    assert perfect or judging.tells_places


def test_a_folder_is_predicted_in_every_format(run: honed.Result, tmp_path: Path) -> None:
    pictures = run.folder.parents[1] / "shapes" / "images"
    model = honed.Model.load(run.folder / "model")
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        summary = predict_file(model, pictures, tmp_path / name)
        assert summary.n_rows == 48 and set(summary.answers) <= {"disc", "square"}
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    found = [item for row in rows for item in row["prediction"]]
    assert found and all(0 <= item["score"] <= 1 and len(item["box"]) == 4 for item in found)
    assert all(("mask" in item) == (run.report.task == "image-segmentation") for item in found)
    assert model.predict([rows[0]["image"]])[0] == rows[0]["prediction"]


def test_the_exported_network_gives_the_same_objects(run: honed.Result) -> None:
    pytest.importorskip("onnxruntime")
    pictures = sorted((run.folder.parents[1] / "shapes" / "images").glob("*.png"))[:8]
    plain = honed.Model.load(run.folder / "model")
    other = honed.Model.load(run.folder / "model", engine="onnx-fp32")
    inputs = [(str(path),) for path in pictures]
    assert plain.task.judging.differ(other.outputs(inputs), plain.outputs(inputs)) < 1e-3


def test_an_export_finds_the_same_objects_without_honed(run: honed.Result, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    found = honed.export(run.folder / "model", "onnx", tmp_path / "out")
    assert found.rows > 4 and found.changed == 0 and found.difference < 1e-3
    kept = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model.onnx", "objects.json", "objects.npz", "objects"} <= kept
    assert {"objects/choose_objects.py", "objects/read_pictures.py"} <= set(found.files)
    assert set(found.packages) == {"numpy", "onnxruntime", "pillow"}


def test_the_reference_knows_what_is_found(run: honed.Result) -> None:
    reference = watch(run.folder / "model").reference
    assert reference.answers is not None and reference.answers.labels is not None
    assert reference.answers.labels.names == ("disc", "square")
    assert np.asarray(reference.answers.labels.counts).max() <= reference.answers.n


def test_the_script_repeats_the_training(run: honed.Result, tmp_path: Path) -> None:
    import subprocess
    import sys

    script = write_script(run.folder, tmp_path / "train.py")
    text = script.read_text()
    text += f"\nimport json\njson.dump(losses, open({str(tmp_path / 'losses.json')!r}, 'w'))\n"
    script.write_text(text)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    losses = json.loads((tmp_path / "losses.json").read_text())
    kept = json.loads((run.folder / "losses.json").read_text())
    assert len(kept) > 20 and losses[: len(kept)] == kept, "the run may have stopped early, the script does not"


def test_one_label_for_a_picture_cannot_be_learnt_from_boxes(run: honed.Result, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="D182"):
        honed.finetune(run.folder.parents[1] / "shapes", task="image-classification", out=tmp_path)


def test_ways_to_change_pictures_are_tried_and_the_script_takes_the_best(tmp_path: Path) -> None:
    sample = get_task("object-detection").sample()
    table = Table(pa.concat_tables([sample.table.arrow] * 3).slice(0, 110), "shapes", "")
    folder = written(tmp_path / "shapes", table, False)
    settings = {**SETTINGS, **{f"task_settings.{name}": value for name, value in sample.config.items()}}
    settings |= {"task_settings.variation": "auto", "training.epochs": 5, "data.validation": 0.32, "data.test": 0.0}
    run = honed.finetune(folder, base=sample.base, settings=settings, out=tmp_path / "runs", name="ways")
    (choice,) = [one for one in run.report.choices if one.name == "task_settings.variation"]
    plan = json.loads((run.folder / "plan.json").read_text())
    assert plan["way"] == choice.value and all(f"{name} 0." in choice.reason for name in TRIED)
    assert f'network.take_way("{choice.value}")' in write_script(run.folder, tmp_path / "train.py").read_text()
