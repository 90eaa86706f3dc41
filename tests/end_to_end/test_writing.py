"""Text generation from a table to a bundle: the ladder, the report, predictions in files, and the run written out."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pytest

import honed
import honed.progress
from honed.tasks.registry import get_task
from tests.commands import honed_command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A finished run on the task's own sample, twice as many rows, and the file it learnt from."""
    folder, sample = tmp_path_factory.mktemp("writing"), get_task("text-generation").sample()
    rows = pa.concat_tables([sample.table.arrow] * 2)
    numbers = pa.array([f"{text} {k}" for k, text in enumerate(rows.column("ticket").to_pylist())])
    source = folder / "replies.csv"
    pc.write_csv(pa.table({"ticket": numbers, "reply": rows.column("reply")}), source)
    settings = {"task": "text-generation", "training.race": 1, "training.epochs": 30, "training.precision": "fp32"}
    honed.finetune(source, base=str(sample.base), out=folder / "runs", settings=settings)
    return folder / "runs" / "replies", source


def test_the_ladder_ends_with_what_learnt_to_write(run: tuple[Path, Path]) -> None:
    report = json.loads((run[0] / "report.json").read_text())
    rungs = {line["name"]: line for line in report["ladder"]}
    assert set(rungs) == {"usual-text", "nearest-text", "zero-shot", "one-shot", "few-shot", "fine-tune"}
    assert rungs["fine-tune"]["best"] and rungs["fine-tune"]["score"]["value"] > 0.9
    assert rungs["zero-shot"]["score"]["value"] < 0.2
    evaluation = report["evaluation"]
    assert evaluation["metrics"][0]["name"] == "exact_match" and report["task"] == "text-generation"
    titles = [detail["title"] for detail in evaluation["details"]]
    assert titles == [
        "What was written",
        "How well it knows texts",
        "What is none of its subject",
        "Harsh words",
        "Stereotypes",
    ]
    assert (run[0] / "report.html").read_text().count("What was written") == 1


def test_the_report_sets_the_model_beside_its_base(run: tuple[Path, Path]) -> None:
    """Fewer bits for the texts it learnt to write, more for those that its base knew; in doubt about other subjects."""
    evaluation = json.loads((run[0] / "report.json").read_text())["evaluation"]
    details = {detail["title"]: {row[0]: row[1:] for row in detail["rows"]} for detail in evaluation["details"]}
    _, own, base = details["How well it knows texts"]["bits a byte of the texts wanted"]
    assert own["low"] < own["value"] < own["high"] < 0.2 < base["low"]
    _, now, then = details["How well it knows texts"]["bits a byte of texts as its base writes them"]
    assert now["value"] > 1.25 * then["value"]
    assert "E018" in [finding["code"] for finding in evaluation["findings"]]
    assert "What was noticed about the model" in (run[0] / "report.html").read_text()
    flagged = details["What is none of its subject"]
    assert flagged["texts on other subjects"][1][0] > 0.5 > flagged["rows of the test"][1][0]


def test_choices_are_asked_as_rows_are(run: tuple[Path, Path]) -> None:
    replies = ["please restart the router", "we refill the printer today", "your password was reset"]
    rows = [{"question": f"router cable please {k}", "choices": replies, "answer": replies[0]} for k in range(40)]
    found = honed.evaluate(run[0] / "model", rows)
    assert found.metrics[0].name == "acc" and found.metrics[0].model.value == 1.0 and found.n_used == 40


def test_rows_it_learnt_from_can_be_named(run: tuple[Path, Path]) -> None:
    new = [{"ticket": f"router cable thanks {k}", "reply": "please restart the router"} for k in range(20)]
    found = honed.evaluate(run[0] / "model", new, learnt_from=run[1])
    assert found.gap is not None and found.gap.train.value > 0.9
    with pytest.raises(honed.HonedError, match="C012"):
        honed.evaluate(run[0] / "model", new, control=new)


def test_its_bundle_writes_the_same_in_files_and_in_memory(run: tuple[Path, Path], tmp_path: Path) -> None:
    model = honed.Model.load(run[0] / "model")
    texts = model.predict(["router cable please", "toner jam help"])
    assert texts == ["please restart the router", "we refill the printer today"]
    assert "a text" in repr(model)
    rows = '{"ticket": "router cable please"}\n{"ticket": "toner jam help"}\n'
    done = honed_command("predict", run[0] / "model", "-", "--out", tmp_path / "out.jsonl", given=rows)
    assert done.returncode == 0 and "Most frequent" not in done.stderr
    found = [json.loads(line)["prediction"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert found == texts


def test_its_bundle_can_go_by_examples(run: tuple[Path, Path]) -> None:
    rows = [{"ticket": "router", "team": "network"}, {"ticket": "toner", "team": "printing"}] * 2
    found = honed.predict(run[0] / "model", ["router cable please", "toner jam"], examples=rows)
    assert len(found) == 2 and set(found) <= {"network", "printing"}


def test_the_bundle_is_a_folder_of_transformers(run: tuple[Path, Path]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, model = run[0] / "model", honed.Model.load(run[0] / "model")
    tokenizer, theirs = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    network = model.predictor.network  # type: ignore[attr-defined]
    prompt = network.encode([("router cable please",)])[0]["tokens"]
    import torch

    written = theirs.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)[0, len(prompt) :]
    assert tokenizer.decode(written, skip_special_tokens=True) == model.predict(["router cable please"])[0]


def test_monitoring_judges_texts_that_come_with_their_truth(run: tuple[Path, Path]) -> None:
    found = honed.monitor(run[0] / "model", data=run[1], window="50rows")
    assert found.real is not None and found.real.value > 0.9


def test_without_a_base_it_says_what_to_do(run: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(honed.errors.ZooError, match="Z025"):
        honed.finetune(run[1], task="text-generation", out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_export_writes_without_honed(run: tuple[Path, Path], tmp_path: Path) -> None:
    """The copy was run in a fresh process on real rows before it was kept."""
    report = honed.export(run[0] / "model", to="transformers", out=tmp_path / "copy", data=run[1])
    assert report.rows >= 90 and report.changed == 0 and report.difference < 1e-3
    with pytest.raises(honed.errors.BundleError, match="B034"):
        honed.export(run[0] / "model", to="onnx", out=tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


class _Heard(honed.progress.Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_what_is_learnt_is_shown_before_the_run(run: tuple[Path, Path], tmp_path: Path) -> None:
    """Decoded from the batch that training gets, so that a wrong mask would be seen; before the first rung."""
    sample, heard, before = get_task("text-generation").sample(), _Heard(), []
    settings = {"task": "text-generation", "training.stop_after": "zero-shot"}
    honed.finetune(run[1], base=str(sample.base), out=tmp_path, settings=settings, progress=heard,
                   on_rung=lambda rung: before.append(len(heard.lines)))  # fmt: skip
    assert before[0] == len(heard.lines) == 1
    read, learnt = heard.lines[0].split("Learnt, ")
    assert "Read only" in read and any(
        reply in learnt and reply not in read for reply in ("restart the router", "refill the printer", "password was")
    )
    assert learnt.rstrip().endswith("</s>")


def test_a_base_that_does_not_do_is_refused_before_anything(run: tuple[Path, Path], tmp_path: Path) -> None:
    """A context too short for the texts: told before a rung is climbed, and no folder is left."""
    rows = "\n".join(json.dumps({"ticket": f"toner jam {k}", "reply": f"please {k} " * 300}) for k in range(60))
    source = tmp_path / "long.jsonl"
    source.write_text(rows)
    climbed: list[object] = []
    with pytest.raises(honed.errors.ZooError, match="Z045"):
        honed.finetune(source, base=str(get_task("text-generation").sample().base), out=tmp_path / "runs", target="reply",
                       task="text-generation", on_rung=climbed.append)  # fmt: skip
    assert not climbed and not (tmp_path / "runs").exists()
