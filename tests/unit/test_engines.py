"""Engines: the same outputs from every runtime, honest choices, nothing sent anywhere."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from honed.engines import choose as choosing
from honed.engines.agreement import Agreement, agreement
from honed.engines.choose import choose, with_chosen
from honed.engines.host import cache_folder, digest_of
from honed.engines.kinds import DEFAULT, KINDS, kind_of, missing
from honed.engines.prepare import engine_of, predictor_for, with_engine
from honed.engines.results import EngineChoice, EngineResult, fastest
from honed.engines.rows import Rows, rows_for
from honed.engines.to_onnx import FEATURES, export_network
from honed.errors import BundleError, ConfigError
from honed.model import Model
from honed.networks.engine import NetworkPredictor
from honed.testing.tiny_models import ARCHITECTURES
from tests.conftest import rows_of_sample
from tests.unit.test_networks import ROWS, network

RUNNABLE = [name for name, kind in KINDS.items() if not missing(kind) and name not in ("torch-joined", "vllm")]
"""Those that can run an encoder: there are no convolutions to join in it, and it writes nothing."""


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))


@pytest.fixture
def bare_model(network_bundle: Path) -> Model:
    """A model of which nothing is prepared."""
    return Model.load(network_bundle)


@pytest.fixture(scope="module")
def prepared(network_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the files of its network for ONNX Runtime, and no choice."""
    home = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HONED_HOME", str(home))
        predictor_for(Model.load(network_run / "model"), "onnx-int8")
    return home


@pytest.fixture
def model(bare_model: Model, prepared: Path, tmp_path: Path) -> Model:
    """The same model, with a copy of that cache."""
    shutil.copytree(prepared, tmp_path / "home")
    return bare_model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_becomes_onnx(tmp_path: Path, architecture: str) -> None:
    """fp32 sums in another order: 1e-5 on outputs of size 1. Batches and lengths are none the tracer saw."""
    from honed.engines.onnx_runtime import OnnxRunner
    from honed.engines.predictor import EnginePredictor

    ours = network(architecture, tmp_path / "base")
    export_network(ours, [ROWS[0]], tmp_path / "network.onnx")
    engine = EnginePredictor(ours, "onnx-fp32", OnnxRunner(tmp_path / "network.onnx"))
    wanted = NetworkPredictor(ours)
    np.testing.assert_allclose(engine.outputs(ROWS), wanted.outputs(ROWS), atol=1e-5)
    np.testing.assert_allclose(engine.embed(ROWS), wanted.embed(ROWS), atol=2e-5)
    alone = np.concatenate([engine.outputs([row]) for row in ROWS])
    np.testing.assert_allclose(alone, wanted.outputs(ROWS), atol=1e-5)


@pytest.mark.parametrize("name", RUNNABLE)
def test_every_engine_gives_torchs_answers(model: Model, name: str) -> None:
    inputs = model.inputs(rows_of_sample(40))
    found, wanted = with_engine(model, name), model.outputs(inputs)
    scale = max(1.0, np.abs(wanted).max())
    assert np.abs(found.outputs(inputs) - wanted).max() <= KINDS[name].tolerance * scale
    assert engine_of(found.predictor) == name
    assert found.outputs([]).shape == (0, len(model.problem.labels))
    assert found.predictor.embed(inputs).shape == model.predictor.embed(inputs).shape
    assert (
        np.mean(
            [a == b for a, b in zip(found.predict(rows_of_sample(40)), model.predict(rows_of_sample(40)), strict=True)]
        )
        > 0.9
    )


@pytest.mark.parametrize("name", [name for name in RUNNABLE if KINDS[name].exact])
def test_an_engine_saves_the_model_it_runs(model: Model, name: str, tmp_path: Path) -> None:
    with_engine(model, name).save(tmp_path / "again")
    inputs = model.inputs(rows_of_sample(10))
    assert (Model.load(tmp_path / "again").outputs(inputs) == model.outputs(inputs)).all()


def test_files_are_made_once_and_anew_when_damaged(bare_model: Model) -> None:
    model = bare_model
    predictor_for(model, "onnx-int8")
    folder = cache_folder() / digest_of(model.predictor.network)  # type: ignore[attr-defined]
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.onnx")}
    assert len(files) == 2
    predictor_for(model, "onnx-int8")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.onnx")} == files
    for path in files:
        path.write_bytes(b"no network")
    wanted = model.outputs(model.inputs(rows_of_sample(5)))
    assert np.abs(predictor_for(model, "onnx-fp32").outputs(model.inputs(rows_of_sample(5))) - wanted).max() < 1e-4


def test_other_weights_have_another_folder(model: Model) -> None:
    inner = model.predictor.network  # type: ignore[attr-defined]
    before = digest_of(inner)
    with torch.no_grad():
        inner.head.bias.add_(1e-3)
    assert digest_of(inner) != before


def test_without_a_cache_it_still_runs(model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, so no folder can be made here")
    monkeypatch.setenv("HONED_HOME", str(blocked))
    assert len(with_engine(model, "onnx-fp32").predict(rows_of_sample(3))) == 3


def test_a_network_that_cannot_be_exported_leaves_torch(bare_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bare_model

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("an operator nobody knows")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(BundleError, match="B032") as told:
        with_engine(model, "onnx-fp32")
    assert "an operator nobody knows" in told.value.seen
    found = choose(model)
    assert found.chosen == DEFAULT
    assert {found.result(name).state for name in KINDS if KINDS[name].runtime != "torch"} == {"not available"}


def test_unknown_and_unfit_engines(model: Model, bundle_of_words: Path) -> None:
    with pytest.raises(BundleError, match="B030"):
        kind_of("tensor-rt")
    with pytest.raises(BundleError, match="B030"):
        Model.load(model.folder, engine="onyx")  # type: ignore[arg-type]
    words = Model.load(bundle_of_words)
    assert with_engine(words, DEFAULT).predictor is words.predictor
    with pytest.raises(BundleError, match="B031"):
        with_engine(words, "onnx-fp32")
    assert choose(words).chosen == "own"
    assert Model.load(bundle_of_words, engine="auto").predict(rows_of_sample(4)) == words.predict(rows_of_sample(4))


def test_a_missing_package_is_said(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from honed.engines import kinds

    monkeypatch.setattr(kinds, "installed", lambda package: package != "openvino")
    assert "openvino" in missing(KINDS["openvino-fp32"])
    with pytest.raises(BundleError, match=r"B031.*openvino"):
        with_engine(model, "openvino-fp32")


def test_choice_is_measured_remembered_and_told(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    found = choose(model, rows_of_sample(96))
    assert found.rows == 96 and found.rows_source == "yours"
    assert found.result(DEFAULT).state == "accepted" and found.result(found.chosen).state == "accepted"
    for row in found.engines:
        assert row.reason
        if row.state != "not available":
            assert row.measured and row.single_ms and row.single_ms > 0 and row.rows_per_s and row.rows_per_s > 0
    assert EngineChoice.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    monkeypatch.setattr(choosing, "_measure", lambda *_: pytest.fail("a remembered choice was measured again"))
    assert choose(model) == found.for_use("single")
    assert choose(model, use="batch").chosen == fastest(found.engines, "batch")
    assert engine_of(Model.load(model.folder, engine="auto").predictor) == found.chosen  # type: ignore[arg-type]


def test_rounding_engines_need_rows(model: Model, tmp_path: Path) -> None:
    """Away from its run a bundle has no rows: only full precision is considered."""
    alone = Model.load(Path(shutil.copytree(model.folder, tmp_path / "alone" / "model")))  # type: ignore[arg-type]
    found = choose(alone)
    assert found.rows_source == "none" and KINDS[found.chosen].exact
    for row in found.engines:
        if row.state == "accepted":
            assert KINDS[row.name].exact


def test_a_choice_without_rows_is_made_anew_once_there_are_some(network_run: Path, tmp_path: Path) -> None:
    """A bundle that was first opened away from its run must not stay on that choice; nor does a poorer one replace a better."""
    run = Path(shutil.copytree(network_run, tmp_path / "run"))
    alone = Model.load(Path(shutil.copytree(run / "model", tmp_path / "alone" / "model")))
    assert choose(alone).rows_source == "none"
    np.savez(run / "rows.npz", train=np.arange(0, 80), validation=np.arange(80, 96))
    assert choose(Model.load(run / "model")).rows_source == "validation"
    assert choose(alone).rows_source == "validation"


def test_another_question_has_another_choice(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A looser bound or other thresholds neither use nor replace what was remembered."""
    strict = choose(model, rows_of_sample(32))
    loose = choose(model, rows_of_sample(32), max_loss_points=10.0)
    monkeypatch.setattr(choosing, "_measure", lambda *_: pytest.fail("a remembered choice was measured again"))
    assert choose(model) == strict and choose(model, max_loss_points=10.0) == loose
    doubtful = dataclasses.replace(model, decision=dataclasses.replace(model.decision, unsure_below=0.99))
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        choose(doubtful)


def test_rows_of_the_run(network_run: Path, tmp_path: Path) -> None:
    """The rows held out for choosing, as long as the data are what they were; a small run holds none out."""
    run = Path(shutil.copytree(network_run, tmp_path / "run"))
    assert (run / "rows.npz").is_file() and rows_for(Model.load(run / "model")).source == "none"
    np.savez(run / "rows.npz", train=np.arange(0, 80), validation=np.arange(80, 96))
    rows = rows_for(Model.load(run / "model"))
    assert rows.source == "validation" and rows.n == 16 and rows.targets is not None
    assert rows.inputs[0] == (rows_of_sample()[80]["text"],)
    state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    (run / "state.json").write_text(json.dumps({**state, "data_digest": "another"}), encoding="utf-8")
    assert rows_for(Model.load(run / "model")).source == "none"


def test_rows_with_and_without_labels(model: Model) -> None:
    labelled = [*rows_of_sample(10), {"text": "who", "team": "unheard of"}, {"text": "no label", "team": ""}]
    assert rows_for(model, labelled).n == 10
    bare = rows_for(model, [{"text": "a"}, {"text": "b"}])
    assert bare.n == 2 and bare.targets is None
    assert rows_for(model, ["a", "b", "c"]).targets is None


def test_a_loss_is_counted(model: Model) -> None:
    """Two of ten answers turned from right to wrong are 20 points; without labels they are 20 points at most."""
    rows = Rows(model.inputs(rows_of_sample(10)), np.zeros(10, dtype=np.int64), "yours")
    reference = np.tile(np.array([[3.0, 0.0, 0.0]], dtype=np.float32), (10, 1))
    worse = reference.copy()
    worse[:2] = [0.0, 3.0, 0.0]
    told = agreement(model, rows, reference, worse)
    assert told.measured and told.loss_points == pytest.approx(20) and told.changed == pytest.approx(0.2)
    assert told.difference == pytest.approx(1.0)
    bare = agreement(model, dataclasses.replace(rows, targets=None), reference, worse)
    assert not bare.measured and bare.loss_points == pytest.approx(20)
    assert agreement(model, rows, reference, np.full_like(reference, np.nan)).difference == float("inf")


@pytest.mark.parametrize(
    ("name", "told", "n", "accepted"),
    [
        ("onnx-int8", Agreement(0.2, True, 0.01, 0.05), 1000, True),
        ("onnx-int8", Agreement(0.4, True, 0.01, 0.05), 1000, False),
        ("onnx-int8", Agreement(-0.5, True, 0.01, 0.05), 1000, True),
        ("onnx-int8", Agreement(None, False, 0.0, 0.05), 0, False),
        ("onnx-fp32", Agreement(None, False, 0.0, 1e-6), 0, True),
        ("onnx-fp32", Agreement(0.0, True, 0.0, 0.01), 1000, False),
        ("openvino-bf16", Agreement(0.0, True, 0.0, float("inf")), 1000, False),
        ("openvino-bf16", Agreement(0.1, True, 0.01, 0.3), 71, True),
        ("openvino-bf16", Agreement(0.1, False, 0.001, 0.3), 71, False),
    ],
)
def test_what_is_accepted(name: str, told: Agreement, n: int, accepted: bool) -> None:
    verdict, reason = choosing._judge(KINDS[name], told, n, 0.3)
    assert verdict is accepted and reason


def test_slow_rows_are_compared_in_smaller_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from honed.engines import timing

    class Slow:
        def outputs(self, inputs: Any) -> None:
            clock[0] += 0.5 * len(inputs)

    clock = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    assert timing.affordable(Slow(), ["a"] * 9) == (40, 4)  # type: ignore[arg-type]
    rows = Rows(["a"] * 9, np.arange(9), "yours")
    first = rows.first(4)
    assert (first.n, first.source) == (4, "yours") and first.targets is not None and len(first.targets) == 4
    assert rows.first(40) is rows


def test_there_is_nothing_to_join_in_an_encoder(model: Model) -> None:
    with pytest.raises(BundleError, match="B031"):
        with_engine(model, "torch-joined")


def test_the_fastest_of_the_accepted() -> None:
    def row(name: str, state: Any, ms: float, rows: float) -> EngineResult:
        return EngineResult(name, name, state, "", ms, rows)

    rows = (row("a", "accepted", 9, 100), row("b", "refused", 1, 900), row("c", "accepted", 5, 90))
    assert fastest(rows, "single") == "c" and fastest(rows, "batch") == "a"


def test_the_bound_has_bounds(model: Model) -> None:
    with pytest.raises(ConfigError, match="C003"):
        choose(model, max_loss_points=-1)


def test_the_choice_for_many_rows(model: Model) -> None:
    other, found = with_chosen(model, rows_of_sample(60), use="batch")
    assert engine_of(other.predictor) == found.chosen == fastest(found.engines, "batch")


@pytest.mark.skipif("openvino-fp32" not in RUNNABLE, reason="OpenVINO is not installed")
def test_openvino_sends_nothing(tmp_path: Path) -> None:
    """Loading and compiling opens no connection, looks up no name, and leaves the reporting package unloaded."""
    from honed.engines.to_onnx import export_network

    export_network(network("bert", tmp_path / "base"), [ROWS[0]], tmp_path / "network.onnx")
    code = """
import socket, sys, urllib.request
calls = []
def seen(name):
    def refuse(*args, **kwargs):
        calls.append((name, args[1:2]))
        raise OSError("no network in this test")
    return refuse
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, seen(name))
socket.getaddrinfo = socket.create_connection = seen("lookup")
from pathlib import Path
import torch
from honed.engines.openvino_runtime import OpenvinoRunner
runner = OpenvinoRunner(Path(sys.argv[1]), "fp32")
tensors = {name: torch.ones((2, 9), dtype=torch.int64) for name in runner.names}
assert runner.outputs(tensors).shape == (2, 3)
import time
time.sleep(1)  # a reporting thread would have woken by then
assert not calls, calls
assert sys.modules.get("openvino_telemetry") is None
"""
    home = tmp_path / "user"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "network.onnx")], capture_output=True, text=True, check=False,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not list(home.rglob("*openvino*"))


def test_features_are_an_output_of_their_own(tmp_path: Path) -> None:
    import onnx

    ours = network("bert", tmp_path / "base")
    export_network(ours, [ROWS[0]], tmp_path / "with.onnx")
    export_network(ours, [ROWS[0]], tmp_path / "without.onnx", with_features=False)
    assert [item.name for item in onnx.load(tmp_path / "with.onnx").graph.output] == ["outputs", FEATURES]
    assert [item.name for item in onnx.load(tmp_path / "without.onnx").graph.output] == ["outputs"]
