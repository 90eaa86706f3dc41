"""``honed evaluate`` on decoders and on models that write: text, questions with choices, runs of pretrain, a further look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import honed
from honed.report.html import evaluation_page
from honed.testing.tiny_decoders import tiny_decoder
from tests.commands import honed_command
from tests.decoder_files import scored_pieces, write_llama2c
from tests.taught import notes

TINY: dict[str, Any] = {
    "shape.width": 32, "shape.layers": 2, "shape.heads": 2, "shape.context": 64, "training.rows": 8, "training.steps": 60,
    "training.evaluations": 1, "training.precision": "fp32", "data.canaries": 5, "data.documents": "lines",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A finished run of pretrain on notes of a workshop, and its text."""
    folder = tmp_path_factory.mktemp("notes")
    text = folder / "notes.txt"
    text.write_text("\n".join(notes(400, 1)), encoding="utf-8")
    return honed.pretrain(text, tokenizer="bytes", out=folder / "runs", settings=TINY).folder, text


def test_a_run_of_pretrain_is_judged_on_what_it_held_out(run: tuple[Path, Path]) -> None:
    found = honed.evaluate(run[0] / "model", run[1])
    assert [finding.code for finding in found.findings].count("E016") == 1 and found.held_out
    bits, perplexity = found.metrics
    assert bits.name == "bits_per_byte" and bits.model.low < bits.model.value < bits.model.high
    assert perplexity.model.value == pytest.approx(
        2**bits.model.value, rel=0.05
    )  # a token is a byte; the end is one more
    assert set(bits.baselines) == {"a compression program (xz)", "bytes by their shares"}
    assert (
        found.verdict.answer == "do not ship" and "no better than" in found.verdict.reasons[0]
    )  # 60 steps teach little
    titles = {detail.title for detail in found.details}
    assert {"What was read", "What it has by heart", "Planted sentences", "Harsh words", "Stereotypes"} <= titles
    page = evaluation_page(found)
    assert "Planted sentences" in page and "bits a byte" in page
    json.dumps(found.as_dict())


def test_the_command_line_judges_a_decoder_on_other_text(run: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(json.dumps({"note": text}) for text in notes(60, 2)), encoding="utf-8")
    command = ["evaluate", run[0] / "model", other, "--control", run[1]]
    done = honed_command(*command, "--html", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert "bits a byte" in done.stdout and "60 texts of other.jsonl" in done.stdout
    assert "Was the test learnt from?" in done.stdout and "learnt from" in (tmp_path / "page.html").read_text()
    told = honed_command(*command, "--json")
    assert json.loads(told.stdout)["metrics"][0]["name"] == "bits_per_byte"


def test_text_that_was_learnt_from_is_no_test(tmp_path: Path) -> None:
    base = tiny_decoder("gpt2", tmp_path / "base")
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(notes(60, 3)), encoding="utf-8")
    found = honed.evaluate(base, text, learnt_from=text)
    assert not found.held_out and any("learnt from this text" in reason for reason in found.verdict.reasons)
    assert "E014" in [finding.code for finding in found.findings]
    listed = honed.evaluate(base, notes(60, 4), learnt_from=notes(60, 5))
    assert listed.held_out and listed.n_used == 60 and listed.data_source == "python list"


def test_a_checkpoint_of_llama2c_is_judged_as_it_is(tmp_path: Path) -> None:
    from honed.networks.decoders.decoder import Decoder
    from honed.networks.decoders.hub_names import to_hub
    from honed.networks.decoders.shape import Shape

    pieces, scores = scored_pieces()
    shape = Shape("llama", len(pieces), 64, 32, 2, 4, 2, 8, 48, tied=True)
    weights = {name: value.numpy() for name, value in to_hub(shape, Decoder(shape).state_dict()).items()}
    path = write_llama2c(tmp_path, shape, weights, pieces, scores)
    found = honed.evaluate(path, notes(50, 2))
    assert found.metrics[0].model.value > 5 and found.verdict.answer == "do not ship"


def test_questions_with_choices(run: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [{"question": text[:40], "choices": [text[40:60], "~" * 24, "§" * 12], "answer": 0} for text in notes(60, 9)]
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = honed.evaluate(run[0] / "model", path)
    assert [metric.name for metric in found.metrics] == ["acc", "acc_norm", "acc_bytes"] and found.unit == "question"
    assert found.metrics[1].model.value > 0.9 and found.metrics[0].baselines["by lot"].value == pytest.approx(1 / 3)
    assert found.verdict.answer == "ship with care"  # the right choice is always the first, and the longest
    few = honed.evaluate(run[0] / "model", rows[:5])
    assert few.verdict.answer == "cannot tell"


def test_what_is_neither_bundle_nor_decoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(honed.HonedError, match="B001"):
        honed.evaluate(tmp_path / "none", notes(3, 1))
