"""A base of a family that only transformers computes, from a table to production: its network wins, is shipped, judged and served."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import honed
from honed.networks.decoders.foreign import ForeignDecoder
from honed.serving.testing import running
from honed.tasks.text_classification.sample import FILLERS, WORDS
from honed.tasks.text_generation.sample import REPLIES
from honed.testing.tiny_decoders import tiny_decoder
from tests.conftest import write_csv

FAMILY = "opt"


def tickets(n: int, seed: int) -> list[dict[str, str]]:
    """One word tells what is wrong; the others, which say nothing, are more alike than those that matter."""
    rng, rows = random.Random(seed), []
    for k in range(n):
        kind = list(REPLIES)[k % len(REPLIES)]
        words = [rng.choice(WORDS[kind]), *rng.sample(FILLERS, 5)]
        rng.shuffle(words)
        rows.append({"ticket": f"{' '.join(words)} {k}", "reply": REPLIES[kind]})
    return rows


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run; its base lies beside it."""
    place = tmp_path_factory.mktemp("elsewhere")
    rows = tickets(300, 1)
    base = tiny_decoder(FAMILY, place / "base", sentences=[text for row in rows for text in row.values()], n_tokens=500)
    settings: dict[str, Any] = {"task": "text-generation", "training.epochs": 30, "training.precision": "fp32"}
    return honed.finetune(
        write_csv(place / "tickets.csv", rows), base=base, out=place / "runs", settings=settings
    ).folder


@pytest.fixture(scope="module")
def model(run: Path) -> honed.Model:
    return honed.Model.load(run / "model")


def test_its_network_wins_and_is_judged_beside_its_base(run: Path, model: honed.Model) -> None:
    report = json.loads((run / "report.json").read_text())
    rungs = {line["name"]: line for line in report["ladder"]}
    scores = {name: line["score"]["value"] for name, line in rungs.items()}
    assert rungs["fine-tune"]["best"] and scores["fine-tune"] == max(scores.values()) > 0.6
    assert model.predictor.kind == "network"
    assert isinstance(model.predictor.network.backbone, ForeignDecoder)  # type: ignore[attr-defined]
    evaluation = report["evaluation"]
    details = {detail["title"]: {row[0]: row[1:] for row in detail["rows"]} for detail in evaluation["details"]}
    _, own, base = details["How well it knows texts"]["bits a byte of the texts wanted"]
    assert own["high"] < base["low"]
    assert "bits a byte of texts as its base writes them" in details["How well it knows texts"]
    assert not [one for one in (*report["findings"], *evaluation["findings"]) if one["code"] == "D199"]


def test_a_fresh_process_writes_the_same(run: Path, model: honed.Model, tmp_path: Path) -> None:
    rows = tickets(24, 2)
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "honed", "predict", str(run / "model"), str(write_csv(tmp_path / "new.csv", rows))]
    subprocess.run([*command, "--out", str(out)], capture_output=True, check=True)
    found = [json.loads(line)["prediction"] for line in out.read_text().splitlines()]
    assert found == model.predict([row["ticket"] for row in rows])
    assert sum(text == row["reply"] for text, row in zip(found, rows, strict=True)) >= 15, "a third is right by chance"


def test_it_is_evaluated_later_beside_its_base_as_long_as_that_is_there(run: Path, tmp_path: Path) -> None:
    rows = tickets(45, 3)
    found = honed.evaluate(run / "model", rows, learnt_from=run.parent.parent / "tickets.csv")
    details = {detail.title: {row[0]: row[1:] for row in detail.rows} for detail in found.details}
    _, own, base = details["How well it knows texts"]["bits a byte of the texts wanted"]
    assert own.high < base.low and found.forgetting is not None and found.gap is not None
    weights = run.parent.parent / "base" / "model.safetensors"
    kept = weights.rename(tmp_path / "away")
    try:
        found = honed.evaluate(run / "model", rows)
    finally:
        kept.rename(weights)
    (told,) = [one for one in found.findings if one.code == "E021"]
    assert told.level == "not applicable" and "Z0" in told.message and found.forgetting is None
    details = {detail.title: {row[0]: row[1:] for row in detail.rows} for detail in found.details}
    assert details["How well it knows texts"]["bits a byte of the texts wanted"][2] is None


def test_it_is_served_as_rows_and_as_a_chat(run: Path, model: honed.Model) -> None:
    rows = tickets(9, 4)
    with running([run / "model"]) as server:
        asked = [{"ticket": row["ticket"]} for row in rows]
        given = httpx.post(f"{server.url}/predict", json=asked, timeout=60)
        said = {"model": "tickets", "messages": [{"role": "user", "content": rows[0]["ticket"]}]}
        chat = httpx.post(f"{server.url}/v1/chat/completions", json=said, timeout=60)
    wanted = model.predict([row["ticket"] for row in rows])
    assert given.status_code == 200 and [one["prediction"] for one in given.json()] == wanted
    assert chat.status_code == 200 and chat.json()["choices"][0]["message"]["content"] == wanted[0]
