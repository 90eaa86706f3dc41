"""The audit finds what was planted, and is quiet on clean data."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

import honed
from honed.checks.personal_data import find_personal, mask_personal
from honed.checks.shingles import cluster_near_duplicates, jaccard
from honed.finding import Finding

TOPICS = {
    "network": ["router", "wifi", "cable", "vpn", "signal", "internet", "connection", "drops", "slow", "gateway"],
    "printing": ["printer", "toner", "paper", "jam", "scanner", "tray", "colour", "smudge", "cartridge", "queue"],
    "accounts": ["password", "login", "account", "locked", "reset", "permission", "user", "badge", "token", "access"],
}
COMMON = [
    "please", "help", "the", "is", "not", "working", "today", "again", "my", "our", "office", "since", "morning", "we",
    "cannot", "what", "should", "do",
]  # fmt: skip
VOCABULARY = ["".join(letters) for letters in itertools.product("bdfk", "aeiou", "lmnr", "aeiou")]


def clean(n: int = 240, seed: int = 0) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        team = list(TOPICS)[i % 3]
        words = rng.choices(TOPICS[team], k=4) + rng.choices(COMMON, k=9)
        rng.shuffle(words)
        rows.append({"text": " ".join(words), "team": team})
    return rows


def findings(rows: list[dict[str, Any]], **named: Any) -> dict[str, Finding]:
    found = honed.inspect(rows, target="team", **named).findings
    return {f.code: f for f in found if f.level in ("blocker", "issue", "tip")}


def test_clean_data_is_called_sound() -> None:
    assert findings(clean()) == {}


def test_missing_and_constant_columns() -> None:
    rows = [{**row, "site": None if i % 3 else "x", "kind": "ticket"} for i, row in enumerate(clean())]
    found = findings(rows)
    assert "site" in found["D100"].columns and "kind" in found["D101"].columns


def test_exact_and_near_duplicates() -> None:
    rows = clean()
    exact = [dict(row) for row in rows[:6]]
    near = [{**row, "text": row["text"].replace(" ", "  ", 1).upper() + "!"} for row in rows[20:25]]
    found = findings(rows + exact + near)
    assert found["D110"].n_rows == 6 and found["D110"].rows == tuple(range(241, 247))
    assert found["D111"].n_rows >= 10


def test_near_duplicates_of_long_texts() -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices(VOCABULARY, k=40)) for _ in range(300)]
    copies = [text + " regards" for text in texts[:40]]
    clusters = cluster_near_duplicates(texts + copies)
    pairs = [(i, 300 + i) for i in range(40) if jaccard(texts[i], copies[i]) > 0.85]
    assert len(pairs) > 30
    caught = sum(clusters[a] == clusters[b] >= 0 for a, b in pairs)
    assert caught >= 0.95 * len(pairs)
    assert (clusters[40:300] >= 0).sum() == 0


def test_conflicting_labels() -> None:
    rows = clean()
    rows += [
        {"text": rows[i]["text"] + ".", "team": "printing" if rows[i]["team"] != "printing" else "network"}
        for i in range(4)
    ]
    assert findings(rows)["D120"].n_rows == 8


def test_label_errors_are_found() -> None:
    rows = clean(300)
    wrong = random.Random(1).sample(range(300), 15)
    for row in wrong:
        rows[row]["team"] = {"network": "printing", "printing": "accounts", "accounts": "network"}[rows[row]["team"]]
    found = findings(rows)["D150"]
    hit = {row - 1 for row in found.rows} & set(wrong)
    assert len(hit) >= 10 and len(hit) >= 0.7 * len(found.rows)


def test_leaking_column_and_word() -> None:
    rows = [
        {**row, "resolved_by": {"network": "Ann", "printing": "Bob", "accounts": "Cy"}[row["team"]]} for row in clean()
    ]
    for row in rows:
        if row["team"] == "printing":
            row["text"] += " QUEUE-7"
    found = findings(rows)
    assert found["D130"].columns == ("resolved_by",)
    assert found["D131"].details["word"] == "queue-7"


def test_balance() -> None:
    rows = [{**row, "team": "accounts" if i % 40 else "network"} for i, row in enumerate(clean(200))]
    found = findings(rows)
    assert found["D140"].level == "tip" and found["D141"].details["labels"] == ["network"]
    assert "D142" in findings(clean(60))


def test_across_the_split_nothing_is_torn() -> None:
    """Honed's own split keeps copies on one side, so the check passes."""
    rows = clean() + [dict(row) for row in clean()[:60]]
    result = honed.inspect(rows, target="team")
    assert [f.level for f in result.findings if f.code == "D112"] == ["passed"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to anna.schmidt@example.org please", "e-mail"),
        ("call me at +49 30 1234 5678", "phone"),
        ("IBAN DE89 3704 0044 0532 0130 00", "IBAN"),
        ("pay with 4111 1111 1111 1111", "card"),
        ("host 10.20.30.40 is down", "addresses"),
        ("my password is Sommer2026!", "passwords"),
    ],
)
def test_personal_data(text: str, kind: str) -> None:
    import pyarrow as pa

    found = find_personal(pa.chunked_array([["nothing here", text]]))
    assert len(found) == 1 and kind.lower() in found[0].kind.lower() and found[0].rows == (1,)
    masked = mask_personal(text)
    assert "***" in masked and not any(
        word in masked for word in ("anna.schmidt", "0532 0130", "1111 1111", "Sommer2026")
    )


@pytest.mark.parametrize(
    "text", ["order 4111 1111 1111 1112", "version 1.2.3", "room 12.304", "on 2026-01-14 at 10:30", "IBAN DE00 3704 0044 0532 0130 00",
             "ticket INC0012345", "the password does not work", "error 0x80070005"],
)  # fmt: skip
def test_no_false_alarms(text: str) -> None:
    import pyarrow as pa

    assert find_personal(pa.chunked_array([[text]])) == []


def test_examples_are_masked() -> None:
    rows = clean()
    for row in rows[:3]:
        row["text"] = "please write to jane.doe@example.com about the toner"
    for finding in honed.inspect(rows, target="team").findings:
        assert "jane.doe" not in " ".join((*finding.examples, finding.message))


def test_personal_column_names() -> None:
    assert findings([{**row, "e_mail": f"x{i}"} for i, row in enumerate(clean())])["D161"].columns == ("e_mail",)


def test_damaged_encodings() -> None:
    rows = clean()
    for row in rows[:5]:
        row["text"] += " fÃ¼r die TÃ¼r geÃ¶ffnet Ã¤hnlich"
    assert findings(rows)["D170"].n_rows == 5


def test_clusters_do_not_depend_on_order() -> None:
    texts = [row["text"] for row in clean()] + [row["text"] + " !" for row in clean()[:30]]
    order = np.random.default_rng(0).permutation(len(texts))
    first, second = cluster_near_duplicates(texts), cluster_near_duplicates([texts[i] for i in order])
    assert ((first >= 0)[order] == (second >= 0)).all()


def test_labels_written_in_several_ways() -> None:
    rows = clean()
    for row in rows[::9]:
        row["team"] = row["team"].title()
    assert set(findings(rows)["D143"].details["labels"]) == {"network", "Network"}


def test_texts_that_differ_in_numbers_are_no_conflict() -> None:
    rows = [{"text": f"error {i} on the printer in the hall", "team": ("a", "b")[i % 2]} for i in range(80)]
    assert "D120" not in findings(rows)


def test_columns_nobody_reads_are_one_line() -> None:
    rows = [{**row, "a": None if i % 2 else "x", "b": None if i % 3 else "y"} for i, row in enumerate(clean())]
    found = [f for f in honed.inspect(rows, target="team").findings if f.code == "D100"]
    assert [(f.level, f.columns) for f in found] == [("tip", ("b", "a"))]
    teams = {"network": "Ann", "printing": "Bob", "accounts": "Cy"}
    leaks = [{**row, "by": teams[row["team"]], "site": teams[row["team"]][:1]} for row in clean()]
    found = [f for f in honed.inspect(leaks, target="team").findings if f.code == "D130"]
    assert [f.columns for f in found] == [("by", "site")]


def test_several_possible_targets_are_a_finding_not_a_refusal() -> None:
    rows = [{**row, "site": "ab"[i % 2]} for i, row in enumerate(clean())]
    rows = [{"text": row["text"], "squad": row["team"], "site": row["site"]} for row in rows]
    found = honed.inspect(rows)
    assert found.blocked and found.roles.candidates == ("squad", "site") and found.roles.text == ("text",)
    with pytest.raises(honed.HonedError, match="D020"):
        honed.finetune(rows)


def test_near_copies_across_a_split_in_time_are_found() -> None:
    rows = [{**row, "opened": f"2026-{1 + i // 20:02}-{1 + i % 20:02}"} for i, row in enumerate(clean())]
    for old, new in zip(rows[:9], rows[-9:], strict=True):
        new |= {"text": old["text"].upper() + " !", "team": old["team"]}
    found = {f.code: f for f in honed.inspect(rows, target="team", time="opened").findings}
    assert found["D112"].level == "issue" and found["D112"].n_rows == 9 and "9 of them nearly" in found["D112"].message


def test_several_telling_words_are_one_finding() -> None:
    rows = [{**row, "text": f"{row['text']} code{row['team'][0]}"} for row in clean()]
    found = [f for f in honed.inspect(rows, target="team").findings if f.code == "D131"]
    assert len(found) == 1 and found[0].details["words"] == {
        "accounts": "codea",
        "network": "coden",
        "printing": "codep",
    }
