"""``honed predict --examples`` on files: labels, fields, texts, standard input, prompts, the truth beside it, a model at an address."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import honed
from honed.testing.tiny_decoders import tiny_decoder
from tests.commands import Done, honed_command
from tests.conftest import new_rows, rows_of_sample, write_csv
from tests.hosted import KEY, hosted


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny decoder, tickets with their teams, new ones with the truth."""
    folder = tmp_path_factory.mktemp("few")
    tiny_decoder("gpt2", folder / "base", sentences=[row["text"] for row in rows_of_sample()], n_tokens=600)
    write_csv(folder / "shots.csv", rows_of_sample(24))
    rows = [{"id": str(k), **row} for k, row in enumerate(new_rows(40))]
    write_csv(folder / "new.csv", [*rows, {"id": "40", "text": " ", "team": ""}])
    return folder


def run(place: Path, *words: str, given: str = "", code: int = 0) -> Done:
    done = honed_command("predict", *words, given=given, folder=place)
    assert done.returncode == code, done.stderr
    return done


def test_labels_with_the_truth_beside_them(place: Path) -> None:
    done = run(place, "base", "new.csv", "--examples", "shots.csv", "--out", "out.parquet", "--shots", "2")
    found = pq.read_table(place / "out.parquet").to_pydict()
    teams = {"network", "printing", "accounts"}
    assert list(found) == [
        "id", "text", "team", "prediction", "confidence", *(f"probability_{team}" for team in sorted(teams)), "unsure"
    ]  # fmt: skip
    assert set(found["prediction"][:40]) <= teams and found["prediction"][40] is None and found["unsure"][40]
    assert all(0 <= value <= 1 for value in found["confidence"][:40]) and found["probability_network"][40] is None
    for words in (
        "2 examples shown with each",
        "Of the examples",
        "Right answers on 40 rows",
        "counting words",
        "example most",
    ):
        assert words in done.stderr, words
    assert honed.predict(
        place / "base", place / "new.csv", examples=place / "shots.csv", settings={"shots": 2}
    ) == found["prediction"]  # fmt: skip


def test_a_packaged_model_stands_beside_it(place: Path, bundle: Path) -> None:
    """Its figure is that of its own answers; rows that it learnt from are told."""
    words = ("--examples", "shots.csv", "--shots", "0", "--out", "b.csv", "--beside", str(bundle))
    done = run(place, "base", "new.csv", *words)
    right = sum(honed.predict(bundle, [row["text"]]) == [row["team"]] for row in new_rows(40))
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(f"{honed.Model.load(bundle).name}, by ")]
    assert f"{100 * right / 40:.1f} %" in line and "says too much" not in done.stderr
    write_csv(place / "learnt.csv", rows_of_sample()[24:])
    assert "says too much" in run(place, "base", "learnt.csv", *words, "--keep", "id").stderr
    run(place, "base", "new.csv", "--examples", "shots.csv", "--shots", "0", "--out", "k.csv", "--keep", "id")
    assert (place / "k.csv").read_text().startswith('"id","prediction",')


def test_fields_from_standard_input_to_json_lines(place: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["router", "printer"]}, "floor": {"type": "integer", "maximum": 99}},
    }
    (place / "schema.json").write_text(json.dumps({**schema, "required": ["kind", "floor"]}))
    done = run(
        place,
        "base",
        "-",
        "--schema",
        "schema.json",
        "--format",
        "jsonl",
        given='{"mail": "router, floor 3"}\n{"mail": "?"}\n',
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["mail"] for row in found] == ["router, floor 3", "?"]
    for row in found:
        assert row["kind"] in ("router", "printer") and isinstance(row["floor"], int) and row["unsure"] is False
    assert "0 examples shown with each" in done.stderr


def test_a_prompt_is_shown_and_nothing_is_answered(place: Path) -> None:
    done = run(
        place, "base", "new.csv", "--examples", "shots.csv", "--show-prompt", "--shots", "1", "--instruction", "Who?"
    )
    assert done.stdout.startswith("<s>Who?\n\ntext: ") and done.stdout.rstrip().endswith("\nteam:")
    assert done.stdout.count("\nteam:") == 2
    done = run(place, "base", "--text", "my router", "--examples", "shots.csv", "--show-prompt", "--shots", "0")
    assert "text: my router\nteam:" in done.stdout


def test_the_same_examples_for_all_rows_are_read_once(place: Path) -> None:
    from honed.shots.opening import open_few_shot

    settings = {"choice": "first", "judge_examples": False, "shots": 2}
    few = open_few_shot(place / "base", ["text"], examples=place / "shots.csv", settings=settings)
    few.answer([(row["text"],) for row in new_rows(20)])
    reading = few.base._reading()  # type: ignore[attr-defined]
    assert reading.n_reused > 2 * reading.n_read


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("base", "new.csv", "--examples", "none.csv"), "D001"),
        (("base", "new.csv", "--target", "team"), "C012"),
        (("base", "new.csv", "--examples", "shots.csv", "--set", "shot=3"), "C001"),
        (("base", "new.csv", "--examples", "shots.csv", "--engine", "openvino-fp32"), "G001"),
        (("nowhere/at/all", "new.csv", "--examples", "shots.csv"), "Z01"),
        (("base", "new.csv", "--examples", "shots.csv", "--target", "queue"), "D022"),
    ],
)
def test_mistakes_are_one_sentence(place: Path, words: tuple[str, ...], code: str) -> None:
    done = run(place, *words, "--out", "never.csv", code=2)
    assert f"[{code}" in done.stderr and "Traceback" not in done.stderr and not (place / "never.csv").exists()


def test_a_packaged_model_that_writes_nothing_is_refused(place: Path, bundle: Path) -> None:
    assert "[B036]" in run(place, str(bundle), "new.csv", "--examples", "shots.csv", code=2).stderr


def test_a_model_at_an_address_beside_the_same_baselines(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HONED_REMOTE_KEY", KEY)
    monkeypatch.setenv("HONED_HOME", str(tmp_path))
    with hosted(place / "base") as server:
        words = (server.url, "new.csv", "--examples", "shots.csv", "--shots", "1")
        assert "[G031]" in run(place, *words, code=2).stderr and server.bodies == []
        assert "Answer with JSON" in run(place, *words, "--show-prompt").stdout and server.bodies == []
        done = run(place, *words, "--allow-remote", "--out", "hosted.csv")
        assert len(server.bodies) == 40
        for told in ("For the first row this is sent", "40 requests", "Right answers on 40 rows", "Names of people"):
            assert told in done.stderr, told
        assert KEY not in done.stderr + (place / "hosted.csv").read_text()
        again = run(place, *words, "--allow-remote", "--out", "again.csv")
        assert "40 answers kept" in again.stderr and len(server.bodies) == 40
    assert (place / "again.csv").read_bytes() == (place / "hosted.csv").read_bytes()
