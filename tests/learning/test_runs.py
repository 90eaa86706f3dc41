"""Runs that are stopped go on exactly; limits are kept; the ladder ends at its best rung; ejected scripts repeat a run."""

from __future__ import annotations

import json
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import honed
from honed.errors import RunError
from honed.files import read_json, sha256
from tests.conftest import rows_of_sample, write_csv

LONG = {"training.race": 1, "training.precision": "fp32", "task_settings.max_length": 32, "training.epochs": 12, "training.patience": 99,
        "training.learning_rate": 3e-4, "training.adapter": "full", "training.average": "on"}  # fmt: skip


def many_rows(n: int = 480) -> list[dict[str, str]]:
    """Rows whose label hangs on the order of two words, so that counting words cannot learn it all."""
    rng = np.random.default_rng(0)
    rows = rows_of_sample()
    words = sorted({word for row in rows for word in row["text"].split()})
    found = []
    for _ in range(n):
        chosen = [str(word) for word in rng.choice(words, 7, replace=False)]
        first = chosen.index("printer") if "printer" in chosen else -1
        found.append({"text": " ".join(chosen), "team": "yes" if first >= 0 or chosen[0] < chosen[1] else "no"})
    return found


def finish(data: Path, out: Path, base: Path) -> Path:
    return honed.finetune(data, target="team", base=base, out=out, settings=LONG).folder


def command(data: Path, out: Path, base: Path) -> list[str]:
    changes = [word for name, value in LONG.items() for word in ("--set", f"{name}={value}")]
    return [
        sys.executable,
        "-m",
        "honed",
        "finetune",
        str(data),
        "--target",
        "team",
        "--base",
        str(base),
        "--out",
        str(out),
        *changes,
    ]


def heed_interrupts() -> None:
    """Programs started in the background ignore Ctrl-C; this one must not, whatever started the tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_exactly(tmp_path: Path, tiny_base: Path, how: signal.Signals) -> None:
    """Killed in the middle of fine-tuning; the same command then gives the same losses and the same weights."""
    data = write_csv(tmp_path / "rows.csv", many_rows())
    whole = finish(data, tmp_path / "whole", tiny_base)
    started = subprocess.Popen(
        command(data, tmp_path / "cut", tiny_base), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    run = tmp_path / "cut" / "rows"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and started.poll() is None:
        state = run / "checkpoint" / "fine-tune-held-out" / "state.json"
        if state.exists() and json.loads(state.read_text())["epoch"] >= 3:
            break
        time.sleep(0.02)
    assert started.poll() is None, "the run ended before it could be stopped"
    started.send_signal(how)
    _, told = started.communicate(timeout=60)
    assert started.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130), told.decode()
    assert not (run / "report.json").exists()
    usable = honed.Model.load(run / "model")
    assert usable.predict(["printer"])[0] in ("yes", "no")
    resumed = honed.finetune(resume=run).folder
    assert read_json(resumed / "losses.json") == read_json(whole / "losses.json")
    first, second = honed.Model.load(whole / "model"), honed.Model.load(resumed / "model")
    texts = [row["text"] for row in many_rows(60)]
    assert (first.outputs(first.inputs(texts)) == second.outputs(second.inputs(texts))).all()
    assert first.decision == second.decision
    scores = [
        [(line["name"], line["score"]) for line in read_json(place / "report.json")["ladder"]]
        for place in (whole, resumed)
    ]
    assert scores[0] == scores[1]


def test_a_run_of_changed_data_does_not_go_on(tmp_path: Path, tiny_base: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", many_rows(120))
    run = finish(data, tmp_path / "runs", tiny_base)
    write_csv(data, many_rows(130))
    with pytest.raises(RunError, match="R030"):
        honed.finetune(resume=run)


def test_ejected_scripts_repeat_the_run(tmp_path: Path, tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_csv(tmp_path / "rows.csv", many_rows())
    run = finish(data, tmp_path / "runs", tiny_base)
    script = honed.eject(run, tmp_path / "train.py")
    losses = runpy.run_path(str(script))["losses"]
    assert losses == read_json(run / "losses.json")
    assert "epoch 12" in capsys.readouterr().out
    assert len(script.read_text().splitlines()) < 140


def test_the_ladder_ends_at_its_best_rung(tmp_path: Path, tiny_base: Path) -> None:
    result = honed.finetune(many_rows(), target="team", base=tiny_base, out=tmp_path, settings=LONG)
    done = [line for line in result.report.ladder if line.score]
    best = next(line for line in done if line.best)
    assert best.score is not None and best.score.value == max(line.score.value for line in done if line.score)
    assert len(done) >= 4
    assert any(choice.name == "final weights" for choice in result.report.choices), "the average was judged beside them"
    assert not (result.folder / "average.json").exists()
    skipped = [line for line in result.report.ladder if line.status == "skipped"]
    assert all(line.note for line in skipped)


def test_few_rows_are_cross_validated(tmp_path: Path, tiny_base: Path) -> None:
    result = honed.finetune(
        many_rows(80), target="team", base=tiny_base, out=tmp_path, settings={**LONG, "training.stop_after": "probe"}
    )
    assert result.report.n_validation == 0
    assert any("cross-validation" in choice.value for choice in result.report.choices)


def test_a_time_limit_leaves_a_model(tmp_path: Path, tiny_base: Path) -> None:
    begin = time.monotonic()
    settings = {**LONG, "training.epochs": 1000}
    result = honed.finetune(
        many_rows(), target="team", base=tiny_base, out=tmp_path, time_limit="6s", settings=settings
    )
    assert time.monotonic() - begin < 60
    assert result.model.predict(["printer"])[0] in ("yes", "no")
    assert (result.folder / "model" / "manifest.json").exists()


def test_too_little_memory_is_told_before_the_run(tmp_path: Path, tiny_base: Path) -> None:
    from honed.networks.encoder import EncoderClassifier
    from honed.training.memory import estimate_mib, make_it_fit
    from honed.zoo.resolve import resolve

    network = EncoderClassifier.from_base(resolve(), n_outputs=2, kind="binary", labels=("a", "b"), max_length=128)
    whole = make_it_fit(network, 32, 128, None, "auto")
    assert whole.batch_size == 32 and not whole.lora
    tight = make_it_fit(network, 32, 128, whole.needed_mib * 0.8, "auto")
    assert tight.batch_size < 32 and "instead of 32" in tight.note
    with pytest.raises(RunError, match="R021"):
        make_it_fit(network, 32, 128, 100, "full")
    assert estimate_mib(10, 10, 2, 8, 100) < estimate_mib(10, 10, 2, 8, 200)


def test_adapters_train(tmp_path: Path, tiny_base: Path) -> None:
    settings = {**LONG, "training.adapter": "lora", "training.epochs": 2, "training.stop_after": "fine-tune"}
    result = honed.finetune(many_rows(), target="team", base=tiny_base, out=tmp_path, settings=settings)
    rung = next(line for line in result.report.ladder if line.name == "fine-tune")
    assert rung.status == "done"
    assert any(choice.name == "training.adapter" and choice.value == "lora" for choice in result.report.choices)


def test_costs_move_the_decision(tmp_path: Path, tiny_base: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {**row, "team": "yes" if rng.random() < (0.75 if "printer" in row["text"] else 0.25) else "no"}
        for row in many_rows(600)
    ]
    cheap = {**LONG, "training.stop_after": "baseline"}
    plain = honed.finetune(rows, target="team", base=tiny_base, out=tmp_path / "a", settings=cheap)
    careful = honed.finetune(rows, target="team", base=tiny_base, out=tmp_path / "b", costs={"yes": 20}, settings=cheap)
    texts = [row["text"] for row in many_rows(200)]
    assert careful.model.predict(texts).count("yes") > plain.model.predict(texts).count("yes")


def test_a_damaged_copy_is_never_kept(tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the fresh process predicts something else, the bundle is not put in place."""
    from honed.bundle import fresh
    from honed.errors import BundleError
    from honed.verbs import package

    def slipped(folder: Path, inputs: list[object], expected: np.ndarray, differ: Callable[..., float]) -> None:
        fresh.check_fresh(folder, inputs, expected + 0.5, differ)

    monkeypatch.setattr(package, "check_fresh", slipped)
    with pytest.raises(BundleError, match="B01"):
        honed.finetune(
            many_rows(150),
            target="team",
            base=tiny_base,
            out=tmp_path,
            settings={**LONG, "training.stop_after": "probe"},
        )
    run = tmp_path / "run"
    assert not read_json(run / "state.json")["finished"]


def test_same_seed_same_model(tmp_path: Path, tiny_base: Path) -> None:
    fast = {**LONG, "training.epochs": 2, "training.stop_after": "fine-tune"}
    digests = []
    for name in ("a", "b"):
        result = honed.finetune(many_rows(), target="team", base=tiny_base, out=tmp_path / name, settings=fast)
        digests.append(sha256(result.folder / "model" / "model.safetensors"))
    assert digests[0] == digests[1]
