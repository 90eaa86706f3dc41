"""Reports: short for the terminal, whole and safe as HTML, nothing loaded from elsewhere."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import honed
from honed.evaluation.results import RunReport
from honed.finding import Finding
from tests.conftest import new_rows, rows_of_sample


def page_of(finished_run: Path) -> str:
    return (finished_run / "report.html").read_text(encoding="utf-8")


def test_a_page_is_self_contained(finished_run: Path) -> None:
    page = page_of(finished_run)
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?:https?:)?//""", page)
    assert "<script src" not in page and "@import" not in page
    assert page.count("<svg") >= 3 and "prefers-color-scheme" in page and "viewport" in page
    assert len(page) < 500_000


def test_what_users_write_is_never_markup(tmp_path: Path) -> None:
    from honed.report.html import inspection_page

    rows = [
        {"text": f"<script>alert({i})</script> {row['text']}", "team": f"<b>{row['team']}"}
        for i, row in enumerate(rows_of_sample())
    ]
    found = honed.inspect([*rows, *rows[:3]], target="team")
    page = inspection_page(found)
    assert "<script>alert" not in page and "<b>network" not in page and "&lt;b&gt;network" in page


def test_the_terminal_fits_its_width(finished_run: Path) -> None:
    from rich.console import Console

    from honed.report import terminal

    found = honed.evaluate(
        finished_run / "model", [{**row, "text": row["text"] + " now"} for row in rows_of_sample(60)]
    )
    for width in (80, 100, 140):
        console = Console(file=io.StringIO(), width=width, highlight=False)
        terminal.print_evaluation(console, found)
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert found.verdict.answer.upper() in text
        assert max(map(len, text.splitlines())) <= width
        assert "of the rows get an answer" in text and "answers changed (95 %)" in text


def test_shares_of_a_page_have_their_intervals(finished_run: Path) -> None:
    page, facts = page_of(finished_run), json.loads((finished_run / "report.json").read_text())["evaluation"]
    doubt = facts["abstention"]
    for share in (doubt["coverage"], doubt["out_of_scope_flagged"], *(row["changed"] for row in facts["robustness"])):
        assert share["low"] <= share["value"] <= share["high"]
        assert f"{100 * share['low']:.1f} – {100 * share['high']:.1f}" in page


def test_the_card_says_what_a_buyer_asks(finished_run: Path) -> None:
    card = (finished_run / "model" / "README.md").read_text(encoding="utf-8")
    for word in ("license", "95 %", "network", "printing", "accounts"):
        assert word in card
    assert card.startswith("---\n") and "license:" in card.split("---")[1]


def test_no_raw_rows_in_a_bundle(finished_run: Path) -> None:
    """Aggregates and hashes only: no training text stands in any file of the bundle, except examples of the report."""
    texts = [row["text"] for row in rows_of_sample()]
    for path in (finished_run / "model").rglob("*"):
        if path.is_file() and path.name not in ("report.html", "report.json"):
            content = path.read_bytes()
            assert not any(text.encode() in content for text in texts), path
    from pyarrow import parquet

    reference = parquet.read_table(finished_run / "model" / "reference.parquet")
    assert reference.num_rows > 0


def test_a_report_is_plain_data(finished_run: Path) -> None:
    facts = json.loads((finished_run / "report.json").read_text())
    assert set(facts) == set(RunReport.__dataclass_fields__)


@pytest.mark.parametrize("level", ["blocker", "issue", "tip"])
def test_findings_are_printed_with_their_remedy(level: str) -> None:
    from rich.console import Console

    from honed.report.terminal import print_findings

    console = Console(file=io.StringIO(), width=80)
    finding = Finding("D110", level, "12 rows repeat [a text] that came before.", "Keep one of each.")  # type: ignore[arg-type]
    print_findings(console, [finding, replace(finding, level="passed")])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "D110" in text and "[a text]" in text and "1 finding\n" in text
    assert ("Keep one of each." in text) == (level != "tip")


def test_files_of_a_bundle_may_be_read_by_others(finished_run: Path) -> None:
    modes = {path.stat().st_mode & 0o444 for path in (finished_run / "model").rglob("*") if path.is_file()}
    assert modes == {0o444}


def test_numbers_are_written_as_people_write_them() -> None:
    from honed.evaluation.results import Estimate
    from honed.report.words import figure, interval

    assert [figure(value, "") for value in (123456.7, 0.3942, -12.34, 0.0)] == ["123,457", "0.394", "-12.3", "0"]
    assert interval(Estimate(-0.003, -0.0418, -1.3e-05), "") == "-0.0418 – 0"
    assert interval(Estimate(float("nan"), float("nan"), float("nan")), "%") == "–"


def test_of_many_labels_the_weakest_stand_first(finished_run: Path) -> None:
    from honed.evaluation.results import ClassResult, Estimate
    from honed.report.html import evaluation_page

    found = honed.evaluate(finished_run / "model", new_rows())
    share = [Estimate(i / 40, max(0.0, i / 40 - 0.1), min(1.0, i / 40 + 0.1)) for i in range(40)]
    rows = [ClassResult(f"label number {i}", 30, share[i], share[i], share[i]) for i in reversed(range(40))]
    page = evaluation_page(replace(found, per_class=rows))
    shown, folded = page.split("the other 30 labels")
    assert "the weakest 10 of 40" in shown and "label number 9<" in shown and "label number 10<" not in shown
    assert "label number 10<" in folded and "label number 39<" in folded
