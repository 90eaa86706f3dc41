"""From a table to a packaged model and back, through the public functions and the command line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import honed
from honed.tasks.contract import Decision
from tests.commands import honed_command as run
from tests.conftest import FAST, new_rows, rows_of_sample, write_csv


def run_apart(*words: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "honed", *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    return subprocess.run(
        command, input=given, capture_output=True, encoding="utf-8", env=environment, timeout=300, check=False
    )


def test_a_finished_run_holds_everything(finished_run: Path) -> None:
    names = {path.name for path in finished_run.iterdir()}
    assert {"model", "report.html", "report.json", "state.json", "config.yaml"} <= names
    assert not names & {"ladder", "checkpoint", "features.npy", "model.unproven"}
    report = json.loads((finished_run / "report.json").read_text())
    rungs = {line["name"]: line for line in report["ladder"]}
    best = next(line for line in report["ladder"] if line["best"])
    assert best["score"]["value"] == max(line["score"]["value"] for line in rungs.values() if line["score"])
    assert report["evaluation"]["verdict"]["answer"] in ("ship", "ship with care", "do not ship", "cannot tell")
    assert report["n_train"] + report["n_validation"] <= report["n_rows"]
    page = (finished_run / "report.html").read_text()
    assert "<svg" in page and "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page


def test_transformers_opens_the_bundle(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from honed.networks.engine import NetworkPredictor
    from honed.tasks.registry import get_task
    from honed.testing.check_task import bench_of

    bench = bench_of(get_task("text-classification"))
    network = bench.network()
    torch.nn.init.normal_(network.head.weight, std=0.5)
    base = {"base": bench.base.provenance()}
    ours = honed.Model(bench.task, bench.problem, NetworkPredictor(network), Decision(), base, bench.roles)
    ours.save(tmp_path / "bundle")
    texts = [row["text"] for row in rows_of_sample(12)]
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "bundle").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "bundle")
    with torch.inference_mode():
        logits = theirs(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).logits.numpy()
    np.testing.assert_allclose(logits, ours.outputs(ours.inputs(texts)), atol=1e-4)
    assert np.ptp(logits) > 0.1
    assert list(theirs.config.id2label.values()) == list(ours.problem.labels)


def test_every_kind_of_rows_gives_the_same_answers(bundle: Path) -> None:
    import pandas as pd
    import polars as pl

    model = honed.Model.load(bundle)
    rows = rows_of_sample(10)
    texts = [row["text"] for row in rows]
    expected = model.predict(texts)
    assert model.predict(rows) == expected
    assert model.predict(pd.DataFrame(rows)) == expected
    assert model.predict(pl.DataFrame(rows)) == expected
    assert model.predict(texts[0]) == expected[:1]
    shares = model.predict_proba(texts)
    assert shares.shape == (10, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_predict_writes_files(bundle: Path, tickets: Path, tmp_path: Path, ending: str) -> None:
    from honed.data.read import read_table

    target = tmp_path / f"answers.{ending}"
    done = run("predict", bundle, tickets, "--out", target)
    assert done.returncode == 0, done.stderr
    table = read_table(target)
    assert table.n_rows == 96
    assert {"text", "team", "prediction", "confidence", "unsure"} <= set(table.names)
    assert table.column("text") == [row["text"] for row in rows_of_sample()]
    assert table.column("prediction") == honed.Model.load(bundle).predict(tickets_texts())


def tickets_texts() -> list[str]:
    return [row["text"] for row in rows_of_sample()]


def test_predict_reads_standard_input(bundle: Path, tickets: Path) -> None:
    done = run_apart("predict", bundle, "-", given=tickets.read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [row["prediction"] for row in rows] == honed.Model.load(bundle).predict(tickets_texts())


def test_predict_with_any_batch_size_gives_the_same(bundle: Path, tickets: Path, tmp_path: Path) -> None:
    from honed.prediction import predict_file

    model = honed.Model.load(bundle)
    for size in (1, 7, 1000):
        summary = predict_file(model, tickets, tmp_path / f"{size}.csv", batch_rows=size)
        assert summary.n_rows == 96
    first = (tmp_path / "1.csv").read_bytes()
    assert first == (tmp_path / "7.csv").read_bytes() == (tmp_path / "1000.csv").read_bytes()


def test_evaluate_by_command_and_function(bundle: Path, tmp_path: Path) -> None:
    new = write_csv(tmp_path / "new.csv", [{**row, "site": "ab"[i % 2]} for i, row in enumerate(new_rows(40))])
    done = run("evaluate", bundle, new, "--group", "site", "--json")
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    found = honed.evaluate(bundle, new, group=["site"])
    assert told["metrics"][0]["model"] == found.as_dict()["metrics"][0]["model"]
    assert {part.name for part in found.slices if part.kind == "group"} == {"site = a", "site = b"}
    assert found.n_used == 40 and found.held_out


def test_rows_seen_in_training_are_no_evidence(bundle: Path, finished_run: Path) -> None:
    rows = rows_of_sample()
    fresh = [{"text": "a wholly new toner jam message", "team": "printing"}]
    found = honed.evaluate(bundle, rows + fresh)
    assert found.n_duplicates_removed >= 60 and found.n_used < 36


def test_sign_and_verify(bundle: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    assert run("verify", bundle).returncode == 2
    assert run("sign", bundle, "--key", key, "--new-key").returncode == 0
    assert run("verify", bundle, "--key", f"{key}.pub").returncode == 0 or run("verify", bundle).returncode == 0
    other = tmp_path / "other.pem"
    assert run("sign", bundle, "--key", other, "--new-key").returncode == 0
    (bundle / "manifest.json").write_text((bundle / "manifest.json").read_text().replace("tickets", "Tickets"))
    done = run("verify", bundle)
    assert done.returncode == 2 and "[S0" in done.stderr


def test_models_and_explain(tmp_path: Path) -> None:
    assert "all-MiniLM-L6-v2" in run_apart("models").stdout
    done = run_apart("explain", "D110")
    assert done.returncode == 0 and "D110" in done.stdout
    assert run_apart("explain", "D999").returncode == 2
    assert {model.id for model in honed.models()} and honed.explain("d001").code == "D001"


def test_inspect_prints_json(tickets: Path) -> None:
    done = run("inspect", tickets, "--json")
    told = json.loads(done.stdout)
    assert told["roles"]["target"] == "team" and tuple(told["roles"]["text"]) == ("text",)
    assert {finding["code"] for finding in told["findings"]}


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([{"text": r["text"], "team": "yes" if r["team"] == "network" else "no"} for r in rows_of_sample()], "binary"),
        ([{"text": r["text"], "team": ["a", "b"] if "help" in r["text"] else ["b"]} for r in rows_of_sample()], "multilabel"),
        ([{"text": r["text"], "team": 10.5 * len(r["text"]) + i % 3} for i, r in enumerate(rows_of_sample())], "regression"),
        ([{"first": r["text"], "second": r["text"][::-1], "team": r["team"]} for r in rows_of_sample()], "multiclass"),
    ],
)  # fmt: skip
def test_every_kind_of_target(tmp_path: Path, tiny_base: Path, rows: list[dict[str, object]], kind: str) -> None:
    text = ["first", "second"] if "first" in rows[0] else ["text"]
    result = honed.finetune(
        rows, target="team", text=text, base=tiny_base, out=tmp_path, settings={**FAST, "training.stop_after": "soup"}
    )
    assert result.model.problem.kind == kind
    again = honed.Model.load(result.folder / "model")
    assert again.predict(rows[:8]) == result.model.predict(rows[:8])
    answer = again.predict(rows[:1])[0]
    assert isinstance(answer, {"multilabel": list, "regression": float}.get(kind, str))
    assert result.evaluation is not None and result.evaluation.metrics
    done = run("predict", result.folder / "model", "-", given=json.dumps(rows[0]))
    assert done.returncode == 0, done.stderr


def test_the_embedded_base_learns_from_a_few_rows(tmp_path: Path) -> None:
    """The real pre-trained model, on texts whose words differ between training and new rows."""
    good = ["wonderful film", "I loved every minute", "a joy to watch", "brilliant acting", "great fun", "superb and moving",
            "what a delight", "charming and clever"]  # fmt: skip
    bad = ["terrible film", "I hated every minute", "a pain to watch", "awful acting", "deadly dull", "clumsy and boring",
           "what a waste", "stupid and ugly"]  # fmt: skip
    rows = [{"text": text, "mood": "good"} for text in good] + [{"text": text, "mood": "bad"} for text in bad]
    result = honed.finetune(rows, target="mood", out=tmp_path, settings={"training.stop_after": "probe"})
    assert result.model.provenance["base"]["id"] == "all-MiniLM-L6-v2"
    assert result.model.predict(["an excellent picture", "a horrible picture"]) == ["good", "bad"]
