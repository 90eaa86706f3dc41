"""Exports run without Honed and answer alike."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import honed
from honed.data.table import Roles
from honed.engines.kinds import KINDS, missing
from honed.errors import BundleError
from honed.exporting.check import check_export
from honed.exporting.targets import TARGETS
from honed.files import sha256
from honed.model import Model
from honed.tasks.contract import Decision, Problem
from honed.tasks.registry import get_task
from honed.testing.check_task import bench_of
from honed.verbs.export import deploy
from tests.commands import honed_command as run
from tests.conftest import rows_of_sample


def _installed(target: str) -> bool:
    import importlib.util

    return not missing(KINDS[TARGETS[target].engine]) and all(
        importlib.util.find_spec(package) for package in TARGETS[target].packages
    )


RUNNABLE = [target for target in TARGETS if _installed(target)]


def test_most_forms_are_tried() -> None:
    assert {"onnx", "onnx-int8", "transformers"} <= set(RUNNABLE)


@pytest.mark.parametrize("target", RUNNABLE)
def test_an_export_is_whole_and_answers_alike(network_bundle: Path, tmp_path: Path, target: str) -> None:
    """The check itself runs the README's code in a fresh process; here its figures and the folder are looked at."""
    found = honed.export(network_bundle, target, tmp_path / "out", data=rows_of_sample(40))
    assert found.rows == 40 and found.rows_source == "yours" and found.loss_points is not None
    assert found.difference <= TARGETS[target].tolerance
    if KINDS[TARGETS[target].engine].exact:
        assert found.changed == 0 and found.loss_points == 0
    kept = json.loads((tmp_path / "out" / "export.json").read_text(encoding="utf-8"))
    assert kept["files"] and all(sha256(tmp_path / "out" / name) == digest for name, digest in kept["files"].items())
    there = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert there == {*kept["files"], "export.json"}
    assert not [
        name for name in there if Path(name).suffix in (".pkl", ".bin", ".pt") and Path(name).name != "model.bin"
    ]
    facts = json.loads((tmp_path / "out" / "answers.json").read_text(encoding="utf-8"))
    assert facts["labels"] == ["accounts", "network", "printing"] and facts["temperature"] > 0
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "pip install" in readme and "fresh process" in readme and "40 rows" in readme
    assert len(re.search(r"```python\n(.*?)```", readme, re.S)[1].splitlines()) <= 45  # type: ignore[index]


def test_the_readme_runs_as_it_stands(network_bundle: Path, tmp_path: Path) -> None:
    import sys

    honed.export(network_bundle, "onnx", tmp_path / "out")
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.S)[1]  # type: ignore[index]
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path / "out", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert Model.load(network_bundle).predict(["My laptop does not start."])[0] in done.stdout


def test_without_rows_an_example_is_checked(network_bundle: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copytree(network_bundle, tmp_path / "alone" / "model"))
    found = honed.export(alone, "onnx", tmp_path / "out")
    assert found.rows_source == "example" and found.rows >= 2 and found.loss_points is None


def test_mlflow_reads_frames(network_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow.pyfunc")
    import pandas as pd

    honed.export(network_bundle, "mlflow", tmp_path / "out")
    text = (tmp_path / "out" / "MLmodel").read_text(encoding="utf-8")
    assert "loader_module: honed_model_" in text and "python_model" not in text and "pkl" not in text
    frame = pd.DataFrame(rows_of_sample(6))
    code = """
import json, sys, mlflow.pyfunc, pandas
frame = pandas.read_json(sys.argv[2], orient="records")
print(json.dumps([row["prediction"] for row in mlflow.pyfunc.load_model(sys.argv[1]).predict(frame[["text"]])]))
"""
    frame.to_json(tmp_path / "rows.json", orient="records")
    import os
    import sys

    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "out"), str(tmp_path / "rows.json")], capture_output=True, text=True,
        check=False, env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == Model.load(network_bundle).predict(frame)


def test_any_task_with_a_recipe_can_be_exported(tmp_path: Path) -> None:
    bench = bench_of(get_task("toy"))
    from honed.networks.engine import NetworkPredictor

    roles = Roles(text=bench.problem.inputs, target=bench.problem.target)
    model = Model(bench.task, bench.problem, NetworkPredictor(bench.network()), Decision(), {}, roles)
    found = honed.export(model, "onnx", tmp_path / "out", data=bench.table.take(range(20)))
    assert found.rows == 20 and found.changed == 0
    with pytest.raises(BundleError, match="B034"):
        honed.export(model, "transformers", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_damaged_export_is_noticed(network_bundle: Path, tmp_path: Path) -> None:
    """Planted faults: labels in another order, another network, no network."""
    from honed.engines.rows import Rows

    model = Model.load(network_bundle)
    honed.export(model, "onnx", tmp_path / "out")
    rows = Rows(model.inputs(rows_of_sample(12)), None, "yours")
    assert check_export(model, TARGETS["onnx"], tmp_path / "out", rows).same_answers == 1.0
    facts = json.loads((tmp_path / "out" / "answers.json").read_text(encoding="utf-8"))
    (tmp_path / "out" / "answers.json").write_text(
        json.dumps({**facts, "labels": facts["labels"][::-1]}), encoding="utf-8"
    )
    with pytest.raises(BundleError, match="B033"):
        check_export(model, TARGETS["onnx"], tmp_path / "out", rows)
    import torch

    with torch.no_grad():
        model.predictor.network.head.weight.mul_(1.1)  # type: ignore[attr-defined]
    with pytest.raises(BundleError, match="B033"):
        check_export(model, TARGETS["onnx"], tmp_path / "out", rows)
    (tmp_path / "out" / "model.onnx").unlink()
    with pytest.raises(BundleError, match="B033"):
        check_export(model, TARGETS["onnx"], tmp_path / "out", rows)


def test_nothing_is_kept_of_a_failed_export(
    network_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from honed.exporting import write

    def differs(*_: Any) -> None:
        raise BundleError("B033", "It differs.", "")

    honed.export(network_bundle, "onnx", tmp_path / "out")
    before = (tmp_path / "out" / "export.json").read_bytes()
    monkeypatch.setattr(write, "check_export", differs)
    for place in ("out", "other"):
        with pytest.raises(BundleError, match="B033"):
            honed.export(network_bundle, "onnx", tmp_path / place)
    assert (tmp_path / "out" / "export.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_what_cannot_be_exported_is_said(bundle_of_words: Path, network_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="B034"):
        honed.export(bundle_of_words, "onnx", tmp_path / "out")
    with pytest.raises(BundleError, match="B034"):
        honed.export(network_bundle, "tflite", tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("ten years of work", encoding="utf-8")
    for write in (
        lambda: honed.export(network_bundle, "onnx", tmp_path / "mine"),
        lambda: deploy(network_bundle, tmp_path / "mine"),
    ):
        with pytest.raises(BundleError, match="B034"):
            write()
    assert (tmp_path / "mine" / "thesis.txt").exists()


PROBLEMS = [
    (
        Problem("text-classification", "multiclass", ("t",), "y", ("a", "b", "c")),
        Decision(1.7, 0.5, costs=(1.0, 4.0, 1.0)),
        3,
    ),
    (Problem("text-classification", "binary", ("t",), "y", ("a", "b")), Decision(0.6, 0.7), 2),
    (
        Problem("text-classification", "multilabel", ("t",), "y", ("a", "b", "c")),
        Decision(1.2, thresholds=(0.3, 0.5, 0.8)),
        3,
    ),
    (Problem("text-classification", "regression", ("t",), "y"), Decision(half_width=1.5), 1),
]


@pytest.mark.parametrize(("problem", "decision", "width"), PROBLEMS, ids=[p.kind for p, _, _ in PROBLEMS])
def test_answers_in_plain_numpy(problem: Problem, decision: Decision, width: int) -> None:
    """The code that exports carry decides as the task does, doubt and interval included."""
    task, outputs = (
        get_task("text-classification"),
        np.random.default_rng(0).normal(size=(200, width)).astype(np.float32) * 3,
    )
    space: dict[str, Any] = {
        "np": np,
        "facts": {"labels": list(problem.labels), **decision.as_dict()},
        "outputs": lambda rows: outputs,
    }
    exec(task.answer_code(problem), space)
    wanted = task.decode(outputs, problem, decision)
    for row, label, unsure in zip(space["answers"]([None] * 200), wanted.labels, wanted.unsure, strict=True):
        assert row["prediction"] == pytest.approx(label) if width == 1 else row["prediction"] == label
        assert row["unsure"] == unsure
        assert width > 1 or row["high"] - row["low"] == pytest.approx(2 * decision.half_width)


def test_pairs_survive_an_export(tmp_path: Path, tiny_base: Path) -> None:
    from honed.networks.engine import NetworkPredictor
    from honed.zoo.local import local_base

    task = get_task("text-classification")
    problem = Problem(task.name, "multiclass", ("first", "second"), "y", ("a", "b"), "accuracy", {"separator": ""})
    network = task.build(local_base(tiny_base), problem, task.config(max_length=16), 3)
    model = Model(task, problem, NetworkPredictor(network), Decision(), {}, Roles(text=problem.inputs, target="y"))
    rows = [{"first": "the printer is not working " * n, "second": "reset my password"} for n in (1, 2, 9)]
    for target in ("onnx", "transformers"):
        assert honed.export(model, target, tmp_path / target, data=rows).changed == 0


def test_the_commands(network_bundle: Path, tmp_path: Path) -> None:
    bundle = network_bundle
    done = run("export", bundle, "--to", "onnx", "--out", tmp_path / "onnx", "--deploy", tmp_path / "deployment")
    assert done.returncode == 0, done.stderr
    assert "0.00 %" in done.stdout and (tmp_path / "deployment" / "Dockerfile").exists()
    for words in (["--to", "onnx"], [], ["--out", "x"]):
        done = run("export", bundle, *words)
        assert done.returncode == 2 and "[C012]" in done.stderr
    done = run("engines", bundle)
    assert done.returncode == 0 and "torch-fp32" in done.stdout and "one request at a time" in done.stdout
    done = run("predict", bundle, "--text", "my password", "--engine", "auto")
    assert done.returncode == 0 and "prediction" in done.stdout and "engine " in done.stderr
    done = run("predict", bundle, "--text", "my password", "--engine", "warp")
    assert done.returncode == 2 and "[B030]" in done.stderr
