"""Roles of columns, and dividing rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from honed.data.read import read_table
from honed.data.roles import infer_roles
from honed.data.split import SplitHint, split_rows
from honed.data.table import Roles


def table_of(n: int = 120) -> list[dict[str, object]]:
    return [
        {
            "ticket_id": f"INC{i:04}",
            "opened": f"2026-01-{i % 28 + 1:02} 08:00",
            "customer": f"c{i % 30}",
            "language": ("de", "en")[i % 2],
            "subject": f"the printer number {i} of our office is out of order",
            "team": ("network", "printing", "accounts")[i % 3],
            "note": "" if i % 7 else "x",
        }
        for i in range(n)
    ]


def roles(**named: object) -> Roles:
    return infer_roles(read_table(table_of()), **named)  # type: ignore[arg-type]


def test_roles_are_found_and_explained() -> None:
    found = roles()
    assert found.target == "team" and found.text == ("subject",) and found.time == "opened"
    assert found.id == "ticket_id" and found.group == ("language",) and found.entity == "customer"
    assert "note" in found.ignored and set(found.reasons) == set(table_of()[0])
    assert found.yours == ()


def test_flags_override() -> None:
    found = roles(target="language", text=["team"], group=["customer"])
    assert found.target == "language" and found.text == ("team",) and found.group == ("customer",)
    assert set(found.yours) == {"target", "text", "group"}


def test_ambiguity_is_asked_about() -> None:
    rows = [{"words": f"some text with number {i}", "alpha": i % 3, "beta": i % 4} for i in range(40)]
    found = infer_roles(read_table(rows))
    assert found.target is None and found.candidates == ("alpha", "beta") and found.text == ("words",)


def test_roles_survive_json() -> None:
    import json

    found = roles()
    assert Roles.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def parts(split: object) -> list[set[int]]:
    return [set(getattr(split, name).tolist()) for name in ("train", "validation", "test")]


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(20, 400),
    classes=st.integers(2, 6),
    seed=st.integers(0, 99),
    kind=st.sampled_from(["random", "stratify", "group", "time"]),
)
def test_a_split_divides(n: int, classes: int, seed: int, kind: str) -> None:
    """Every row is in exactly one part; groups and clusters are not torn; time goes forward."""
    rng = np.random.default_rng(seed)
    table = read_table(
        {"who": [f"p{i % 12}" for i in range(n)], "day": [f"2026-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(n)]}
    )
    targets = rng.integers(0, classes, n)
    clusters = np.where(rng.random(n) < 0.2, rng.integers(0, 5, n), -1)
    column = {"group": "who", "time": "day"}.get(kind)
    split = split_rows(table, SplitHint(kind, column, "why"), targets, clusters=clusters, seed=seed)  # type: ignore[arg-type]
    train, validation, test = parts(split)
    assert not train & validation and not train & test and not validation & test
    assert train | validation | test == set(range(n)) and train
    again = split_rows(table, SplitHint(kind, column, "why"), targets, clusters=clusters, seed=seed)  # type: ignore[arg-type]
    assert parts(again) == [train, validation, test]
    where = {row: part for part, rows in enumerate((train, validation, test)) for row in rows}
    if kind == "group":
        names = table.column("who")
        assert all(len({where[row] for row in range(n) if names[row] == name}) == 1 for name in set(names))
    elif kind == "time":
        days = table.column("day")
        assert max((days[row] for row in train), default="") <= min((days[row] for row in test), default="9")
    else:
        assert all(len({where[row] for row in np.flatnonzero(clusters == c)}) <= 1 for c in range(5))


def test_the_mix_is_kept() -> None:
    targets = np.repeat([0, 1, 2], [800, 150, 50])
    split = split_rows(
        read_table({"a": list(range(1000))}), SplitHint("stratify", "a"), targets, validation=0.2, test=0.2
    )
    for part in (split.train, split.validation, split.test):
        shares = np.bincount(targets[part], minlength=3) / len(part)
        assert np.abs(shares - [0.8, 0.15, 0.05]).max() < 0.02


@pytest.mark.parametrize("share", [0.35, 0.9, 1.0])
def test_one_chain_of_near_duplicates_leaves_rows_for_every_part(share: float) -> None:
    """Texts made from one template are all joined: they are divided all the same, and the sentence does not say otherwise."""
    n = 300
    clusters = np.where(np.arange(n) < share * n, 0, -1)
    targets = np.random.default_rng(0).integers(0, 3, n)
    split = split_rows(read_table({"a": list(range(n))}), SplitHint("stratify", "a"), targets, clusters=clusters)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [180, 60, 60]
    assert "near duplicates" not in split.description


def test_one_entity_that_has_nearly_all_rows_is_learnt_from() -> None:
    n = 300
    for owners in (["one"] * n, ["one"] * 200 + [f"p{i}" for i in range(100)]):
        split = split_rows(read_table({"who": owners}), SplitHint("group", "who"), np.arange(n) % 2)
        learnt = {owners[row] for row in split.train}
        assert "one" in learnt and not learnt & {owners[row] for row in split.test}
