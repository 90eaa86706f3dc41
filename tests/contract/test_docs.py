"""The documentation is true: the reference is made from the code, the tutorial is run, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import honed_command

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("benchmarks/*.md")]
)


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def followed(page: str, folder: Path, times: dict[str, str]) -> list[str]:
    """What the blocks of Python of a page print, after every command and block of it ran in order, with shorter times."""
    text, told = (ROOT / "docs" / page).read_text(encoding="utf-8"), []
    for long in times:
        assert long in text
    for kind, block in re.findall(r"```(console|python)\n(.*?)```", text, re.S):
        if kind == "python":
            told.append(run_python(folder, "-c", block))
            continue
        for line in re.findall(r"^\$ (.*)$", block, re.M):
            for long, short in times.items():
                line = line.replace(f"--time-limit {long}", f"--time-limit {short}")
            program, *words = shlex.split(line)
            if program == "honed":
                done = honed_command(*words, folder=folder)
                assert done.returncode == 0, (line, done.stderr)
            else:
                assert program == "python"
                run_python(folder, *words)
    return told


def run_python(folder: Path, *words: str) -> str:
    """What a Python of its own prints."""
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def test_the_tutorial_runs(tmp_path: Path) -> None:
    for name in ("tickets.csv", "tickets_new.csv"):
        shutil.copy(ROOT / "examples" / "text-classification" / name, tmp_path)
    (told,) = followed("tutorial.md", tmp_path, {"60s": "20s"})
    assert "['telephony']" in told
    assert (tmp_path / "answers.csv").exists() and (tmp_path / "evaluation.html").exists()


def test_the_page_about_pretraining_runs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/text-generation/make_logbook.py", tmp_path)
    assert len(followed("pretrain.md", tmp_path, {"20s": "6s"})) == 2
    assert (tmp_path / "runs/logbook/report.html").exists() and (tmp_path / "runs/short/model/config.json").exists()


def test_the_page_about_examples_runs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/few-shot/make_orders.py", tmp_path)
    (told,) = followed("few-shot.md", tmp_path, {"60s": "10s"})
    assert "dict_keys(['item', 'n', 'name', 'town'])" in told
    head = (tmp_path / "orders.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head == '"mail","order","item","n","name","town","unsure"'


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_decisions_are_dated() -> None:
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        assert re.match(r"\d{4}-\d{2}-\d{2}-", page.name)
        assert page.read_text(encoding="utf-8").startswith(f"# {page.name[:10]}: ")


def test_the_example_is_what_its_script_writes(tmp_path: Path) -> None:
    folder = ROOT / "examples" / "text-classification"
    for name in ("make_tickets.py", "ticket_words.py"):
        shutil.copy(folder / name, tmp_path)
    subprocess.run([sys.executable, "make_tickets.py"], cwd=tmp_path, check=True)
    for name in ("tickets.csv", "tickets_new.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_every_planted_problem_is_found() -> None:
    import honed

    found = {f.code: f for f in honed.inspect(ROOT / "examples/text-classification/tickets.csv").findings}
    planted = re.findall(r"\| (D\d{3})", (ROOT / "examples/text-classification/README.md").read_text())
    assert len(planted) >= 10
    assert [code for code in planted if found.get(code) is None or found[code].level == "passed"] == []
    assert found["D130"].columns == ("queue_code",) and found["D131"].details["word"] == "[sec-triage]"
    assert set(found["D160"].details["kinds"].values()) == {9, 6, 2}
