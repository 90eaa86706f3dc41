"""Reading what users really have."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from honed.data.read import read_table
from honed.data.stream import open_batches
from honed.errors import DataError

ROWS = [
    ('Mein Drucker klemmt, völlig "kaputt"', "printing"),
    ("VPN; weg\nseit heute", "network"),
    ("Kennwort|vergessen\tjetzt", "accounts"),
    ("ein ganz langer Text mit Umläuten äöüß", "network"),
] * 5


def as_csv(separator: str, quote: bool = True) -> str:
    def cell(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if quote else value

    lines = [separator.join(("text", "team")), *(separator.join(map(cell, row)) for row in ROWS)]
    return "\r\n".join(lines) + "\r\n"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
def test_encodings_and_separators(tmp_path: Path, separator: str, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes(as_csv(separator).encode(encoding))
    table = read_table(tmp_path / "t.csv")
    assert table.names == ["text", "team"]
    assert list(zip(table.column("text"), table.column("team"), strict=True)) == [
        (t.replace("\n", "\n"), k) for t, k in ROWS
    ]


def test_quotes_inside_plain_fields_are_letters(tmp_path: Path) -> None:
    """Quotation marks in running text of an unquoted file must not swallow rows."""
    lines = ["text\tlabel"] + [
        f'he said "hello {i}\tpositive' if i % 2 else f"nothing {i}\tnegative" for i in range(40)
    ]
    (tmp_path / "t.tsv").write_text("\n".join(lines))
    table = read_table(tmp_path / "t.tsv")
    assert table.n_rows == 40 and table.column("text")[1] == 'he said "hello 1'


def test_no_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("".join(f"{i % 2},sentence number {i}\n" for i in range(30)))
    table = read_table(tmp_path / "t.csv")
    assert table.names == ["column_1", "column_2"] and table.n_rows == 30
    assert table.column("column_1")[:2] == [0, 1]


def test_label_then_text(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("".join(f"{i % 2} a film of sorts number {i}\n" for i in range(30)))
    table = read_table(tmp_path / "t.txt")
    assert (
        table.n_rows == 30 and len(table.names) == 2 and table.column(table.names[1])[3] == "a film of sorts number 3"
    )


def test_one_text_a_line(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("text\n" + "".join(f"Sentence {i} has no separator at all\n" for i in range(9)))
    assert read_table(tmp_path / "t.txt").column("text")[8] == "Sentence 8 has no separator at all"


def test_codes_keep_their_zeros_and_numbers_become_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("zip,price,n,mixed\n01067,1.5,3,3\n80331,NaN,,x\n10115,2,5,4\n")
    table = read_table(tmp_path / "t.csv")
    assert table.column("zip") == ["01067", "80331", "10115"]
    assert table.column("price") == [1.5, None, 2.0] and table.column("n") == [3, None, 5]
    assert table.column("mixed") == ["3", "x", "4"]


def test_the_word_none_is_a_label(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na b c,None\nd e f,N/A\ng h i,\n")
    assert read_table(tmp_path / "t.csv").column("label") == ["None", "N/A", None]


def test_duplicate_and_missing_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,a,\n1,2,3\n4,5,6\n")
    assert read_table(tmp_path / "t.csv").names == ["a", "a_2", "column_3"]


def test_rows_with_too_many_fields_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 50 + "1,2,3\n" + "5,6\n")
    table = read_table(tmp_path / "t.csv")
    assert table.n_rows == 51 and table.reading["rows_unreadable"].startswith("1 ")


def frames() -> dict[str, object]:
    rows = [{"text": text, "team": team} for text, team in ROWS]
    return {
        "list of dicts": rows,
        "dict of lists": {"text": [text for text, _ in ROWS], "team": [team for _, team in ROWS]},
        "pandas": pd.DataFrame(rows),
        "polars": pl.DataFrame(rows),
        "arrow": pa.Table.from_pylist(rows),
        "categories": pd.DataFrame(rows).astype({"team": "category"}),
    }


@pytest.mark.parametrize("kind", frames())
def test_frames(kind: str) -> None:
    table = read_table(frames()[kind])
    assert table.column("text") == [text for text, _ in ROWS] and table.column("team") == [team for _, team in ROWS]


@pytest.mark.parametrize("kind", ["parquet", "xlsx", "jsonl", "json", "csv.gz", "jsonl.gz"])
def test_formats(tmp_path: Path, kind: str) -> None:
    frame, path = pd.DataFrame([{"text": text, "team": team} for text, team in ROWS]), tmp_path / f"t.{kind}"
    lines = "\n".join(json.dumps(row) for row in frame.to_dict("records"))
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "xlsx":
        frame.to_excel(path, index=False)
    elif kind == "json":
        path.write_text(json.dumps(frame.to_dict("records")))
    elif kind == "jsonl":
        path.write_text(lines)
    else:
        path.write_bytes(gzip.compress((frame.to_csv(index=False) if kind == "csv.gz" else lines).encode()))
    table = read_table(path)
    assert table.column("text") == [text for text, _ in ROWS] and table.column("team") == [team for _, team in ROWS]
    with open_batches(path, batch_rows=7) as batches:
        streamed = pa.Table.from_batches(list(batches))
    assert streamed.column("text").to_pylist() == table.column("text")


def test_the_name_says_nothing(tmp_path: Path) -> None:
    """A Parquet file called .csv is read as what it is."""
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv").column("a") == [1, 2]


def test_mixed_values_become_text() -> None:
    assert read_table([{"a": 1}, {"a": "x"}, {"a": None}]).column("a") == ["1", "x", None]


@pytest.mark.parametrize("bad", [5, object(), [], {"a": [1], "b": [1, 2]}])
def test_no_tables(bad: object) -> None:
    with pytest.raises(DataError):
        read_table(bad)


def test_the_line_of_a_broken_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": 2}\n{"a": \n')
    with pytest.raises(DataError, match="Line 3"):
        read_table(tmp_path / "t.jsonl")


cells = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\x1f\ufeff"), min_size=1, max_size=30
).map(lambda text: "w" + text + "w")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(cells, cells), min_size=3, max_size=8))
def test_what_pandas_writes_is_read_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "t.csv"
    pd.DataFrame(rows, columns=["first", "second"]).to_csv(path, index=False, quoting=1)
    table = read_table(path)
    assert list(zip(table.column("first"), table.column("second"), strict=True)) == rows


def test_long_rows_are_streamed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + f"{'x ' * 4_000_000},1\n" + "y,2\n")
    with open_batches(tmp_path / "t.csv") as batches:
        found = [value for batch in batches for value in batch.column(1).to_pylist()]
    assert found == ["1", "2"]


@pytest.mark.parametrize(
    ("first", "names"),
    [("ticket", ["ticket"]), ("Message", ["Message"]), ("Hello", ["text"]), ("it does not", ["text"])],
)
def test_one_column_has_the_name_above_it(first: str, names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text(f"{first}\nthe printer is broken again\nmy screen stays dark\nno mail since noon\n")
    table = read_table(path)
    assert table.names == names and len(table.arrow) == (4 if names == ["text"] else 3)


@pytest.mark.parametrize(
    ("content", "wanted", "names", "rows"),
    [
        ("vpn drops today\n", ["msg"], ["msg"], [["vpn drops today"]]),
        ("my pc\nmy laptop is slow\nmy vpn\nmy desk\n", ["msg"], ["msg"], [["my pc"], ["my laptop is slow"], ["my vpn"], ["my desk"]]),
        ("msg\nvpn drops today\n", ["msg"], ["msg"], [["vpn drops today"]]),
        ('"it is ""down"""\n"a, b"\n', ["msg"], ["msg"], [['it is "down"'], ["a, b"]]),
        ("Ticket,12\nvpn drops,3\nvpn is slow,4\n", ["Ticket"], ["Ticket", "12"], [["vpn drops", "3"], ["vpn is slow", "4"]]),
        ("a;b\nc;d\n", ["a", "b"], ["a", "b"], [["c", "d"]]),
        ("a;b\nc;d\n", ["other"], ["a", "b"], [["c", "d"]]),
    ],
)  # fmt: skip
def test_what_is_wanted_tells_how_a_file_without_a_header_is_read(
    tmp_path: Path, content: str, wanted: list[str], names: list[str], rows: list[list[str]]
) -> None:
    path = tmp_path / "standard input"
    path.write_text(content)
    with open_batches(path, wanted=wanted) as batches:
        found = [row for batch in batches for row in zip(*batch.to_pydict().values(), strict=True)]
        assert batches.names == names
    assert [[str(cell) for cell in row] for row in found] == rows
