"""A folder of pictures through every verb, as a command line and as a server see it."""

from __future__ import annotations

import base64
import csv
import json
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageEnhance

import honed
from honed.data.pictures import open_picture
from honed.data.read import read_table
from honed.serving.testing import running
from honed.tasks.image_classification.sample import KINDS, _picture, _tiny_base
from tests.end_to_end.test_verbs import run as command

ROOT = Path(__file__).resolve().parents[2]
FAST = {
    "training.race": 1, "training.epochs": 4, "training.precision": "fp32", "training.stop_after": "fine-tune",
    "training.learning_rate": 2e-2, "task_settings.variation": "none", "training.batch_size": 16,
}  # fmt: skip


def shapes(folder: Path, n: int, seed: int, light: float = 1.0) -> Path:
    """Pictures of three shapes anywhere, bright or dark, in folders of their own; ``light`` below 1 makes them dark."""
    rng = np.random.default_rng(seed)
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
        for i in range(n):
            pixels = np.roll(open_picture(_picture(kind, rng)), rng.integers(-8, 9, 2), axis=(0, 1))
            picture = Image.fromarray(pixels if rng.random() < 0.5 else 255 - pixels)
            ImageEnhance.Brightness(picture).enhance(light).save(folder / kind / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of shapes that was fine-tuned from a tiny random base."""
    root = tmp_path_factory.mktemp("pictures")
    shapes(root / "shapes", 150, 1)
    honed.finetune(root / "shapes", base=_tiny_base(), out=root / "runs", settings=FAST)
    return root / "runs" / "shapes"


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shapes(tmp_path_factory.mktemp("new") / "new", 12, 2)


def test_the_run_tells_what_it_saw(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    assert report["task"] == "image-classification" and report["medium"] == "image"
    evaluation = report["evaluation"]
    assert evaluation["metrics"][0]["model"]["value"] > 0.8, "shapes can be told apart"
    assert {edit["name"] for edit in evaluation["robustness"]} >= {"noise", "blur", "jpeg", "dark"}
    assert evaluation["abstention"]["out_of_scope_n"] == 36
    page = (run / "report.html").read_text()
    assert "When pictures have" in page and "data:image/jpeg;base64," in page and "texts" not in page
    card = (run / "model" / "README.md").read_text()
    assert "picture.jpg" in card and "AutoModelForSequenceClassification" not in card


def test_predict_and_evaluate_folders(run: Path, new: Path, tmp_path: Path) -> None:
    """Also with a broken picture among them: it gets no answer, and is told."""
    (new / "ring" / "broken.png").write_bytes(b"nothing")
    done = command("predict", str(run / "model"), str(new), "--out", str(tmp_path / "answers.csv"))
    assert done.returncode == 0, done.stderr.decode()
    with (tmp_path / "answers.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    right = [row["prediction"] == row["label"] for row in rows if "broken" not in row["image"]]
    assert len(rows) == 37 and np.mean(right) > 0.8
    (broken,) = (row for row in rows if "broken" in row["image"])
    assert broken["prediction"] == "" and broken["unsure"] == "true"
    found = honed.evaluate(run / "model", new)
    assert found.n_used + found.n_duplicates_removed == 36 and "E004" in {finding.code for finding in found.findings}
    model = honed.Model.load(run / "model")
    paths = [row["image"] for row in rows if "broken" not in row["image"]]
    assert model.predict(paths[:3]) == [row["prediction"] for row in rows if "broken" not in row["image"]][:3]
    assert model.predict([Path(paths[0]).read_bytes()]) == model.predict([paths[0]])


def test_copies_of_training_pictures_are_no_evidence(run: Path, tmp_path: Path) -> None:
    """Even encoded again."""
    shapes(tmp_path / "test", 30, 3)
    known = read_table(run.parents[1] / "shapes")
    for i, path in enumerate(known.column("image")[:10]):
        Image.open(path).convert("RGB").save(tmp_path / "test" / known.column("label")[i] / f"copy{i}.jpg", quality=92)
    found = honed.evaluate(run / "model", tmp_path / "test")
    assert found.n_rows == 100 and found.n_duplicates_removed >= 10
    assert "E001" in {finding.code for finding in found.findings}


def test_served(run: Path, new: Path) -> None:
    """As JSON, as the body itself, as a form; a path of the server is never opened."""
    path = sorted((new / "cross").glob("[0-9]*.png"))[0]
    content, secret = path.read_bytes(), Path(sys.prefix) / "pyvenv.cfg"
    with running([run / "model"]) as server:
        answers = [
            httpx.post(f"{server.url}/predict", json={"image": base64.b64encode(content).decode()}),
            httpx.post(f"{server.url}/predict", content=content, headers={"Content-Type": "image/png"}),
            httpx.post(f"{server.url}/predict", files={"file": content}),
        ]
        several = httpx.post(f"{server.url}/predict", files=[("file", content), ("file", content)])
        refused = [
            httpx.post(f"{server.url}/predict", json={"image": str(path)}),
            httpx.post(f"{server.url}/predict", json={"image": base64.b64encode(str(secret).encode()).decode()}),
            httpx.post(f"{server.url}/predict", content=b"no picture", headers={"Content-Type": "image/jpeg"}),
            httpx.post(
                f"{server.url}/predict", content=b"--x", headers={"Content-Type": "multipart/form-data; boundary=x"}
            ),
        ]
        page = httpx.get(f"{server.url}/openapi.json").json()
    assert [answer.json()["prediction"] for answer in answers] == ["cross"] * 3
    assert len(several.json()) == 2
    assert [answer.json()["error"]["code"] for answer in refused] == ["H007", "H007", "H007", "H004"]
    assert page["components"]["schemas"]["Input"]["properties"]["image"]["contentEncoding"] == "base64"


def test_exported_and_ejected(run: Path, tmp_path: Path) -> None:
    """The ONNX folder answers like the model in a process without Honed; the script repeats the losses of the run."""
    done = command("export", str(run / "model"), "--to", "onnx", "--out", str(tmp_path / "onnx"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "onnx").is_dir()
    if (run / "eject.json").exists():
        script = tmp_path / "repeat.py"
        assert command("eject", str(run), "--out", str(script)).returncode == 0
        scope: dict[str, object] = {}
        code = compile(script.read_text(), str(script), "exec")
        exec(code, scope)  # the script is ours
        np.testing.assert_allclose(scope["losses"], json.loads((run / "losses.json").read_text()), atol=1e-6)


def test_darker_pictures_are_noticed(run: Path, tmp_path: Path) -> None:
    same = honed.monitor(run / "model", shapes(tmp_path / "same", 60, 5))
    dark = honed.monitor(run / "model", shapes(tmp_path / "dark", 60, 6, light=0.4))
    assert not same.alerts, [alert.message for alert in same.alerts]
    assert any("brightness" in alert.message for alert in dark.alerts)


def test_the_example_runs(tmp_path: Path) -> None:
    """The parts on the belt from the base of our own: planted faults are found, and a probe tells the parts."""
    sys.path.insert(0, str(ROOT / "examples" / "image-classification"))
    try:
        from make_parts import make, part
    finally:
        sys.path.pop(0)
    assert np.array_equal(np.asarray(part("gear", 3)), np.asarray(part("gear", 3)))
    folder = make(tmp_path / "parts", per_class=20)
    result = honed.finetune(
        folder, out=tmp_path / "runs", settings={"training.stop_after": "probe", "training.precision": "fp32"}
    )
    codes = {finding.code for finding in result.report.findings if finding.level in ("issue", "tip")}
    assert {"D066", "D110", "D120"} <= codes
    assert result.report.base["id"] == "honed-eye-small" and result.report.base["licence"] == "apache-2.0"
    assert result.evaluation is not None and result.evaluation.metrics[0].model.value > 0.7
