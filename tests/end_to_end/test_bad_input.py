"""Bad input gives one coded sentence and exit code 2, and nothing half-written stays behind."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import honed_command
from tests.conftest import new_rows, rows_of_sample, write_csv

SENTENCE = re.compile(r"^\[([A-Z]\d{3})\] ", re.M)
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def honed(tmp_path: Path) -> Run:
    """The command line in this process, from a folder of its own: gives the exit code and standard error."""

    def call(*words: object) -> tuple[int, str]:
        done = honed_command(*words, folder=tmp_path)
        return done.returncode, done.stderr

    return call


def told(found: tuple[int, str], code: str) -> str:
    """Exit code 2 and exactly one coded sentence; returns it as one line."""
    exit_code, text = found
    assert exit_code == 2, text
    assert "Traceback" not in text
    assert SENTENCE.findall(text) == [code], text
    return " ".join(text.split())


def left(folder: Path, *known: str) -> list[str]:
    """What lies in a folder beside what was put there."""
    return sorted(path.name for path in folder.iterdir() if path.name not in known)


def test_missing_file(honed: Run, tickets: Path, tmp_path: Path) -> None:
    for verb in ("inspect", "finetune"):
        assert "Did you mean tickets.csv?" in told(honed(verb, "ticket.csv"), "D001")
    assert left(tmp_path, "tickets.csv") == []


def test_a_folder_for_a_file(honed: Run, tmp_path: Path) -> None:
    told(honed("finetune", tmp_path), "D001")


@pytest.mark.parametrize("content", [b"", b"  \n \n", b"\xef\xbb\xbf", b"text,team\n"])
def test_empty_file(honed: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty.csv").write_bytes(content)
    for verb in ("inspect", "finetune"):
        told(honed(verb, "empty.csv"), "D002")
    assert left(tmp_path, "empty.csv") == []


def test_one_class(honed: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "one.csv", [{**row, "team": "network"} for row in rows_of_sample()])
    assert "1 distinct value" in told(honed("finetune", "one.csv", "--target", "team"), "D021")
    assert left(tmp_path, "one.csv") == []


def test_all_missing_target(honed: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "nan.csv", [{**row, "team": ""} for row in rows_of_sample()])
    told(honed("finetune", "nan.csv", "--target", "team"), "D026")
    assert left(tmp_path, "nan.csv") == []


def test_all_missing_text(honed: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "nan.csv", [{**row, "text": ""} for row in rows_of_sample()])
    code, text = honed("finetune", "nan.csv", "--target", "team", "--text", "text")
    assert code == 2 and len(SENTENCE.findall(text)) == 1 and "Traceback" not in text
    assert left(tmp_path, "nan.csv") == []


def test_wrong_target(honed: Run, tickets: Path, tmp_path: Path) -> None:
    assert 'Did you mean "team"?' in told(honed("finetune", tickets, "--target", "teem"), "D020")
    told(honed("inspect", tickets, "--target", "nothing_like_it"), "D020")
    assert left(tmp_path, "tickets.csv") == []


def test_a_target_that_is_no_class(honed: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "ids.csv", [{**row, "team": f"INC{i:05}"} for i, row in enumerate(rows_of_sample())])
    code, text = honed("finetune", "ids.csv", "--target", "team")
    assert code == 2 and len(SENTENCE.findall(text)) == 1, text


def test_too_few_rows(honed: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "few.csv", rows_of_sample(4))
    told(honed("finetune", "few.csv", "--target", "team"), "D025")


def test_unknown_labels_at_evaluation(honed: Run, bundle: Path, tmp_path: Path) -> None:
    rows = [{"text": row["text"], "team": "gardening" if i < 30 else row["team"]} for i, row in enumerate(new_rows())]
    write_csv(tmp_path / "new.csv", rows)
    from honed import evaluate

    found = evaluate(bundle, tmp_path / "new.csv")
    assert found.verdict.answer == "do not ship" and any(finding.code == "E002" for finding in found.findings)
    assert found.n_used == 96
    write_csv(tmp_path / "none.csv", [{**row, "team": ""} for row in rows])
    told(honed("evaluate", bundle, "none.csv"), "D026")
    write_csv(tmp_path / "other.csv", [{"body": row["text"], "team": row["team"]} for row in rows])
    told(honed("evaluate", bundle, "other.csv"), "D022")
    told(honed("predict", bundle, "other.csv", "--out", "answers.csv"), "D022")
    assert not (tmp_path / "answers.csv").exists() and not list(tmp_path.glob(".*part"))


def test_a_text_of_ten_megabytes(honed: Run, bundle: Path, tmp_path: Path) -> None:
    rows = rows_of_sample(6)
    rows[2]["text"] = "printer jam " * 850_000
    write_csv(tmp_path / "long.csv", rows)
    code, _ = honed("predict", bundle, "long.csv", "--out", "answers.csv", "--keep", "none")
    assert code == 0 and len((tmp_path / "answers.csv").read_text().splitlines()) == 7
    write_csv(tmp_path / "train.csv", [*rows_of_sample(), rows[2]])
    code, text = honed("inspect", "train.csv", "--target", "team")
    assert code == 0, text


@pytest.mark.parametrize("kind", ["random", "png", "nulls", "pdf"])
def test_binary_garbage(honed: Run, bundle: Path, tmp_path: Path, kind: str) -> None:
    noise = random.Random(1).randbytes(50_000)
    content = {
        "random": noise,
        "png": b"\x89PNG\r\n\x1a\n" + noise,
        "nulls": b"\x00" * 9999,
        "pdf": b"%PDF-1.7\n" + noise,
    }[kind]
    (tmp_path / "garbage.csv").write_bytes(content)
    for words in (
        ("inspect", "garbage.csv"),
        ("finetune", "garbage.csv"),
        ("predict", bundle, "garbage.csv", "--out", "a.csv"),
    ):
        code, text = honed(*words)
        assert code == 2 and SENTENCE.findall(text) in (["D003"], ["D002"]), text
    assert left(tmp_path, "garbage.csv", "bundle") == []


@pytest.mark.parametrize("name", ["table.parquet", "table.xlsx", "table.jsonl", "table.csv.gz"])
def test_damaged_files(honed: Run, tmp_path: Path, name: str) -> None:
    import gzip

    import pandas as pd

    frame, path = pd.DataFrame(rows_of_sample()), tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    elif name.endswith("xlsx"):
        frame.to_excel(path, index=False)
    elif name.endswith("jsonl"):
        frame.to_json(path, orient="records", lines=True)
    else:
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    code, text = honed("inspect", name)
    assert code == 2 and len(SENTENCE.findall(text)) == 1 and "Traceback" not in text, text


def test_a_full_disk_under_predictions(honed: Run, bundle: Path, tickets: Path, tmp_path: Path) -> None:
    (tmp_path / f".answers.csv.{os.getpid()}.part").symlink_to("/dev/full")
    assert "full" in told(honed("predict", bundle, tickets, "--out", "answers.csv"), "R010")
    assert left(tmp_path, "bundle", "tickets.csv") == []


def test_a_full_disk_under_a_run(honed: Run, tickets: Path, tmp_path: Path, tiny_base: Path) -> None:
    (tmp_path / "runs" / "tickets").mkdir(parents=True)
    (tmp_path / "runs" / "tickets" / f".state.json.{os.getpid()}.part").symlink_to("/dev/full")
    told(honed("finetune", tickets, "--base", tiny_base), "R010")
    assert not any((tmp_path / "runs" / "tickets").iterdir())


def test_no_permission(tickets: Path, tmp_path: Path, bundle: Path) -> None:
    """Root passes every permission, so as root the command runs without that power."""
    weaker = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    if weaker and not shutil.which("setpriv"):
        pytest.skip("run as root, without setpriv to give its powers up")
    readable = write_csv(tmp_path / "readable.csv", rows_of_sample())
    tickets.chmod(0o000)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    cases = {
        ("inspect", tickets): "D004",
        ("finetune", readable, "--target", "team", "--out", locked): "R011",
        ("predict", bundle, readable, "--out", locked / "a.csv"): "R011",
    }
    for words, code in cases.items():
        command = [*weaker, sys.executable, "-m", "honed", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        told((done.returncode, done.stderr), code)
    assert left(locked) == []


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda b: shutil.rmtree(b), "B001"),
    "no manifest": (lambda b: (b / "manifest.json").unlink(), "B001"),
    "manifest cut": (lambda b: (b / "manifest.json").write_text((b / "manifest.json").read_text()[:200]), "B002"),
    "manifest of another kind": (lambda b: (b / "manifest.json").write_text("[]"), "B002"),
    "newer format": (
        lambda b: (b / "manifest.json").write_text(
            (b / "manifest.json").read_text().replace('"format_version": 1', '"format_version": 99')
        ),
        "B003",
    ),
    "a file cut short": (lambda b: (b / "problem.json").write_bytes((b / "problem.json").read_bytes()[:-9]), "B004"),
    "a file changed": (lambda b: (b / "decision.json").write_text((b / "decision.json").read_text().replace("0.0", "0.1")), "B004"),
    "a file missing": (lambda b: (b / "problem.json").unlink(), "B004"),
    "a foreign file": (lambda b: (b / "extra.txt").write_text("hello"), "B005"),
    "a pickle": (
        lambda b: (b / "manifest.json").write_text((b / "manifest.json").read_text().replace('"files": {', '"files": {"x.pkl": "0",')),
        "B006",
    ),
    "a way out": (
        lambda b: (b / "manifest.json").write_text((b / "manifest.json").read_text().replace('"files": {', '"files": {"../x": "0",')),
        "B006",
    ),
    "another task": (
        lambda b: (b / "manifest.json").write_text((b / "manifest.json").read_text().replace(': "text-classification"', ': "x"')),
        "B007",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_bundles(honed: Run, bundle: Path, tickets: Path, tmp_path: Path, damage: str) -> None:
    act, code = DAMAGES[damage]
    act(bundle)
    told(honed("predict", bundle, tickets, "--out", "answers.csv"), code)
    told(honed("evaluate", bundle, tickets), code)
    assert not (tmp_path / "answers.csv").exists()


def test_every_byte_of_a_bundle_counts(bundle: Path) -> None:
    """A flipped bit anywhere is noticed."""
    from honed import HonedError, Model

    rng = random.Random(0)
    for path in sorted(bundle.rglob("*")):
        if path.is_dir() or not path.stat().st_size or path.name == "manifest.json":
            continue
        whole = path.read_bytes()
        position = rng.randrange(len(whole))
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(HonedError, match="B004"):
            Model.load(bundle)
        path.write_bytes(whole)
    Model.load(bundle)


def test_wrong_bases(honed: Run, tickets: Path, tmp_path: Path, tiny_base: Path) -> None:
    told(honed("finetune", tickets, "--base", tmp_path / "nowhere"), "Z010")
    empty = tmp_path / "empty"
    empty.mkdir()
    told(honed("finetune", tickets, "--base", empty), "Z011")
    cut = Path(shutil.copytree(tiny_base, tmp_path / "cut"))
    whole = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(whole[:-40])
    told(honed("finetune", tickets, "--base", cut), "Z012")
    mute = Path(shutil.copytree(tiny_base, tmp_path / "mute"))
    for path in mute.glob("tokenizer*"):
        path.unlink()
    told(honed("finetune", tickets, "--base", mute), "Z013")
    other = Path(shutil.copytree(tiny_base, tmp_path / "other"))
    facts = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**facts, "model_type": "resnet"}))
    told(honed("finetune", tickets, "--base", other), "Z014")
    own = Path(shutil.copytree(tiny_base, tmp_path / "own"))
    (own / "config.json").write_text(json.dumps({**facts, "auto_map": {"AutoModel": "code.Model"}}))
    assert "own code" in told(honed("finetune", tickets, "--base", own), "Z014")
    assert not (tmp_path / "runs").exists()


def test_a_hub_that_cannot_be_reached(
    honed: Run, tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    code, text = honed("finetune", tickets, "--base", "bert-base-uncased")
    assert code == 2 and SENTENCE.findall(text)[0].startswith("Z02"), text
    assert "folder" in text and "embedded" in text
    code, text = honed("finetune", tickets, "--base", "no-such-model-anywhere")
    assert code == 2 and SENTENCE.findall(text)[0].startswith("Z0"), text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("finetune",), "D001"),
        (("finetune", "tickets.csv", "--time-limit", "soon"), "C002"),
        (("finetune", "tickets.csv", "--time-limit", "0s"), "C003"),
        (("finetune", "tickets.csv", "--set", "training.sede=1"), "C001"),
        (("finetune", "tickets.csv", "--set", "training.seed=one"), "C002"),
        (("finetune", "tickets.csv", "--set", "training.epochs=-1"), "C003"),
        (("finetune", "tickets.csv", "--set", "nonsense"), "C012"),
        (("finetune", "tickets.csv", "--set", "training.precision=fp8"), "C003"),
        (("finetune", "tickets.csv", "--cost", "network"), "C012"),
        (("finetune", "tickets.csv", "--config", "none.yaml"), "C004"),
        (("finetune", "tickets.csv", "--cost", "netwrok=5"), "C003"),
        (("finetune", "tickets.csv", "--task", "text-clasification"), "C010"),
        (("finetune", "tickets.csv", "--taks", "x"), "C012"),
        (("finetune", "tickets.csv", "--set", "task=text-clasification"), "C010"),
        (("finetune", "--resume", "nowhere"), "R030"),
        (("predict", "nowhere", "tickets.csv"), "B001"),
        (("predict", "nowhere"), "C012"),
        (("predict", "nowhere", "tickets.csv", "--keep", "some"), "C003"),
        (("explain", "D1000"), "C011"),
        (("eject", "nowhere"), "R030"),
        (("inspect", "tickets.csv", "--text", "body"), "D022"),
        (("nonsense",), "C012"),
    ],
)
def test_wrong_commands(honed: Run, tickets: Path, tmp_path: Path, words: tuple[str, ...], code: str) -> None:
    told(honed(*words), code)
    assert left(tmp_path, "tickets.csv") == []


def test_a_cost_for_no_label(honed: Run, tickets: Path) -> None:
    assert 'Did you mean "network"?' in told(honed("finetune", tickets, "--cost", "netwrok=5"), "C003")


def test_an_unknown_format_to_write(honed: Run, bundle: Path, tickets: Path) -> None:
    told(honed("predict", bundle, tickets, "--out", "answers.docx"), "C005")
    told(honed("sign", bundle, "--key", "none.pem"), "S003")


def test_two_processes_on_one_run(honed: Run, tickets: Path, tmp_path: Path, tiny_base: Path) -> None:
    from honed.verbs.run_folder import held

    with held(tmp_path / "runs" / "tickets"):
        told(honed("finetune", tickets, "--base", tiny_base, "--out", tmp_path / "runs"), "R032")
        assert [path.name for path in (tmp_path / "runs" / "tickets").iterdir()] == [".lock"]
    assert not (tmp_path / "runs").exists()
