"""``honed pretrain``: from a text to a folder that transformers opens; stopped, killed and gone on with."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import honed
from honed.errors import HonedError
from honed.pretraining.curve import COLUMNS, read_curve

TINY: dict[str, Any] = {
    "shape.width": 32, "shape.layers": 2, "shape.heads": 2, "shape.context": 32, "training.rows": 6, "training.rows_at_once": 4,
    "training.steps": 24, "training.evaluations": 3, "training.precision": "fp32",
}  # fmt: skip
WORDS = [
    "the",
    "a",
    "cat",
    "dog",
    "runs",
    "sees",
    "likes",
    "big",
    "small",
    "red",
    "house",
    "tree",
    "quickly",
    "slowly",
    "and",
]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(0)
    path = tmp_path_factory.mktemp("text") / "tales.jsonl"
    rows = [{"number": i, "story": " ".join(rng.choices(WORDS, k=rng.randint(8, 60))) + " 🙂\r\n"} for i in range(120)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    return honed.pretrain(text, tokenizer="characters", out=tmp_path_factory.mktemp("whole"), settings=TINY).folder


class At:
    """Progress that does something after a number of steps."""

    def __init__(self, number: int, act: Any) -> None:
        self.number, self.act, self.done = number, act, 0

    @contextmanager
    def step(self, title: str, total: float | None = None) -> Iterator[At]:
        self.done = 0
        yield self

    def advance(self, amount: float = 1.0) -> None:
        self.done += int(amount)

    def note(self, text: str) -> None:
        if self.done == self.number and text.startswith("loss"):
            self.act()

    def say(self, text: str) -> None:
        pass


def losses(folder: Path) -> list[tuple[Any, ...]]:
    """Everything of the curve but the seconds."""
    return [row[:5] + row[6:] for row in read_curve(folder / "metrics.csv", 10**9).rows]


def test_a_run_holds_everything_and_has_learnt(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert names == {
        "model",
        "metrics.csv",
        "samples.json",
        "report.json",
        "report.html",
        "plan.json",
        "config.yaml",
        "state.json",
    }
    report = json.loads((whole / "report.json").read_text())
    curve = read_curve(whole / "metrics.csv", 10**9)
    assert len(curve.rows) == report["steps"] == 24 and len(curve.validated) == len(report["samples"]) == 3
    assert curve.validated[-1][1] < curve.validated[0][1] < 6 and (whole / "metrics.csv").read_text().startswith(
        ",".join(COLUMNS)
    )
    assert (
        report["tokens_read"] == 24 * 6 * 32
        and report["n_documents"] == 120
        and "of 120 documents" in report["held_out"]
    )
    assert report["utilisation"] == pytest.approx(
        report["tokens_per_s"] * report["flops_per_token"] / report["peak_flops"]
    )
    origins = {choice["name"]: choice["origin"] for choice in report["choices"]}
    assert origins["shape.width"] == origins["tokenizer.kind"] == "yours" and origins["training.seed"] == "default"
    assert origins["data.text"] == "chosen"
    page = (whole / "report.html").read_text()
    assert "<svg" in page and "prefers-color-scheme: dark" in page and "http" not in page.replace("http-equiv", "")


def test_transformers_opens_it_in_a_fresh_process(whole: Path, tmp_path: Path) -> None:
    import torch

    from honed.pretraining.folder import read_folder

    texts = ["the cat runs", "a 🙂\r\nnever seen: ß"]
    code = """
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, texts = sys.argv[1], json.loads(sys.argv[2])
model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
ids = [tokenizer(text).input_ids for text in texts]
assert [tokenizer.decode(one) for one in ids] == texts
with torch.no_grad():
    torch.save([(torch.tensor([one]), model(torch.tensor([one])).logits) for one in ids], sys.argv[3])
assert model.generate(torch.tensor([[0]]), max_new_tokens=5).shape[1] > 1
"""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        code,
        str(whole / "model"),
        json.dumps(texts),
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    network = read_folder(whole / "model").eval()
    for tokens, logits in torch.load(tmp_path / "out", weights_only=True):
        with torch.no_grad():
            torch.testing.assert_close(network(tokens), logits, atol=1e-5, rtol=1e-4)


def test_a_stopped_run_goes_on_exactly(whole: Path, text: Path, tmp_path: Path) -> None:
    code = f"""
import os, signal
import honed
from tests.end_to_end.test_pretrain import At, TINY
try:
    honed.pretrain({str(text)!r}, tokenizer="characters", out={str(tmp_path)!r}, settings=TINY,
                   progress=At(11, lambda: os.kill(os.getpid(), signal.SIGINT)))
except KeyboardInterrupt:
    print("stopped")
"""
    assert _in_a_process(code).stdout == "stopped\n"
    folder = tmp_path / "tales"
    assert (folder / "model/model.safetensors").exists() and len(losses(folder)) == 11
    assert honed.pretrain(resume=folder).report.steps == 24
    assert losses(folder) == losses(whole)
    assert (folder / "model/model.safetensors").read_bytes() == (whole / "model/model.safetensors").read_bytes()


def _in_a_process(code: str) -> subprocess.CompletedProcess[str]:
    """Run by a Python of its own: what other tests loaded has left signals in a state that none of our users has."""
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("saved_every", [0, 1000])
def test_a_killed_run_goes_on_exactly(whole: Path, text: Path, tmp_path: Path, saved_every: int) -> None:
    code = f"""
import os, signal
import honed
from honed.pretraining import loop
from tests.end_to_end.test_pretrain import At, TINY
loop.SAVE_EVERY_S = {saved_every}
honed.pretrain({str(text)!r}, tokenizer="characters", out={str(tmp_path)!r}, settings=TINY,
               progress=At(13, lambda: os.kill(os.getpid(), signal.SIGKILL)))
"""
    assert _in_a_process(code).returncode == -signal.SIGKILL
    folder = tmp_path / "tales"
    assert (folder / "checkpoint/state.json").exists() is (saved_every == 0)
    assert honed.pretrain(text, tokenizer="characters", out=tmp_path, settings=TINY).folder == folder
    assert losses(folder) == losses(whole)
    assert not list(folder.rglob("*.part"))


def test_the_command_says_how_to_go_on(text: Path, tmp_path: Path) -> None:
    changed = {**TINY, "training.steps": 5000, "training.evaluations": 1000}
    flags = [flag for key, value in changed.items() for flag in ("--set", f"{key}={value}")]
    command = [
        sys.executable,
        "-m",
        "honed",
        "pretrain",
        str(text),
        "--tokenizer",
        "bytes",
        "--out",
        str(tmp_path),
        *flags,
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    end = time.monotonic() + 120
    while not (tmp_path / "tales/samples.json").exists() and time.monotonic() < end:
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=120)
    assert running.returncode == 130
    assert f"Go on with: honed pretrain --resume {tmp_path / 'tales'}" in out and "A usable model lies there" in out
    assert (tmp_path / "tales/model/tokenizer.json").exists()


def test_a_time_limit_chooses_the_size(text: Path, tmp_path: Path) -> None:
    result = honed.pretrain(text, time_limit="20s", out=tmp_path, settings={"training.precision": "fp32"})
    reasons = {choice.name: choice.reason for choice in result.report.choices}
    assert "the law expects the lowest loss" in reasons["shape.width"] and result.report.steps >= 1
    assert result.report.passes <= 16


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"tokenizer": "words"}, "C003"), ({"settings": {"shape.witdh": 3}}, "C001"), ({"time_limit": "soon"}, "C002"),
     ({"text": "title"}, "D092"), ({"resume": "nowhere", "data": None}, "R030"), ({"data": None}, "D001"),
     ({"data": "no-such.txt"}, "D001")],
)  # fmt: skip
def test_mistakes_are_told_in_a_sentence(changes: dict[str, Any], code: str, text: Path, tmp_path: Path) -> None:
    with pytest.raises(HonedError) as told:
        honed.pretrain(**{"data": text, "out": tmp_path, **changes})
    assert told.value.code == code and not list(tmp_path.iterdir())


def test_changed_data_and_other_runs_are_not_gone_on_with(whole: Path, bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("some words to read " * 300, encoding="utf-8")
    code = f"""
import os, signal
import honed
from tests.end_to_end.test_pretrain import At, TINY
honed.pretrain({str(path)!r}, out={str(tmp_path)!r}, settings=TINY,
               progress=At(3, lambda: os.kill(os.getpid(), signal.SIGINT)))
"""
    assert "loop.Stopped" in _in_a_process(code).stderr
    path.write_text("other words to read " * 300, encoding="utf-8")
    with pytest.raises(HonedError, match="R030"):
        honed.pretrain(resume=tmp_path / "a")
    with pytest.raises(HonedError, match="R030"):
        honed.finetune(resume=tmp_path / "a")


def test_too_little_time_is_told(text: Path, tmp_path: Path) -> None:
    with pytest.raises(HonedError) as told:
        honed.pretrain(text, time_limit=1, out=tmp_path, settings={"shape.width": 512, "training.rows": 4000})
    assert told.value.code == "R040"


def test_a_base_goes_on_learning_and_what_it_forgets_is_told(whole: Path, text: Path, tmp_path: Path) -> None:
    """New text with some of the older: the loss of the new one falls, that of the older is measured, the tokenizer stays."""
    from transformers import AutoModelForCausalLM

    rng = random.Random(1)
    new = tmp_path / "numbers.jsonl"
    stories = [" ".join(f"{word} {rng.randint(0, 9)}" for word in rng.choices(WORDS[:6], k=30)) for _ in range(80)]
    new.write_text("\n".join(json.dumps({"story": story}) for story in stories), encoding="utf-8")
    settings = {"training.steps": 40, "training.rows": 8, "training.evaluations": 2, "training.precision": "fp32"}
    found = honed.pretrain(new, base=whole / "model", replay=text, out=tmp_path / "runs", settings=settings)
    changes = {name: (before, after) for name, before, after, _ in found.report.changes}
    assert set(changes) == {"the new text", "the older text"}
    assert changes["the new text"][1] < 0.8 * changes["the new text"][0]
    assert abs(changes["the new text"][1] - found.report.loss) < 1e-5
    assert "What changed" in (found.folder / "report.html").read_text(encoding="utf-8")
    assert "went on from" in (found.model / "README.md").read_text(encoding="utf-8")
    assert (found.model / "tokenizer.json").read_text() == (whole / "model" / "tokenizer.json").read_text()
    AutoModelForCausalLM.from_pretrained(found.model)
    bare = {**settings, "training.steps": 6}
    alone = honed.pretrain(new, base=whole / "model", out=tmp_path / "alone", settings=bare)
    own = {name: (before, after) for name, before, after, _ in alone.report.changes}["what the base writes by itself"]
    assert own[1] > own[0], "nothing writes the base's own text as well as the base"


def test_what_does_not_go_with_a_base_is_refused(whole: Path, text: Path, tmp_path: Path) -> None:
    from honed.testing.tiny_decoders import tiny_decoder

    foreign = tiny_decoder("opt", tmp_path / "opt")
    with pytest.raises(HonedError, match="C003"):
        honed.pretrain(text, base=whole / "model", tokenizer="bytes", out=tmp_path / "runs")
    with pytest.raises(HonedError, match="Z046"):
        honed.pretrain(text, base=foreign, out=tmp_path / "runs")
    with pytest.raises(HonedError, match="C003"):
        honed.pretrain(text, replay=text, out=tmp_path / "runs", settings=TINY)
    assert not (tmp_path / "runs").exists()
