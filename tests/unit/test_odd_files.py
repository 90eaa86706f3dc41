"""Files and frames as strangers have them: what is read, and the one sentence where nothing can be."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import honed
from honed.data.read import read_table
from honed.data.stream import open_batches
from honed.errors import DataError

ROWS = [(f"the printer on floor {i} does not print", ("network", "printing")[i % 2]) for i in range(40)]
KINDS = ("lazy polars", "generator", "numpy", "odd pandas", "half characters", "two columns of one name")


def lines(header: str = "text,team", separator: str = ",", end: str = "\n") -> str:
    return end.join([header, *(separator.join(row) for row in ROWS)]) + end


def written(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (lines("text,Mein Team 😀 (neu)"), ["text", "Mein Team 😀 (neu)"]),
        ("sep=;\r\n" + lines("text;team", ";", "\r\n"), ["text", "team"]),
        ("# exported in May\nby Ann\n" + lines(), ["text", "team"]),
        (lines().replace("floor 7", "fl\x00oor 7"), ["text", "team"]),
        (lines().encode("utf-32"), ["text", "team"]),
        (lines("текст;отдел", ";").replace("printing", "печать").replace("printer", "принтер").encode("cp1251"), ["текст", "отдел"]),
        (lines("本文,担当").replace("printer", "プリンター").encode("shift_jis"), ["本文", "担当"]),
    ],
)  # fmt: skip
def test_odd_text_files(tmp_path: Path, content: str | bytes, names: list[str]) -> None:
    path = written(tmp_path, content)
    table = read_table(path)
    assert table.names == names and table.n_rows == len(ROWS)
    with open_batches(path) as batches:
        assert batches.names == names and sum(batch.num_rows for batch in batches) == len(ROWS)


def test_remarks_above_the_table_are_told(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "Report of May\n" + lines()))
    assert table.reading["lines above the table"] == "1"


def test_rows_left_out_are_a_finding(tmp_path: Path) -> None:
    ragged = lines().replace("floor 7", "floor 7,").replace("floor 9 ", "floor, 9 ")
    found = [f for f in honed.inspect(written(tmp_path, ragged)).findings if f.code == "D007"]
    assert [(f.level, f.n_rows) for f in found] == [("issue", 2)]


@pytest.mark.parametrize(
    ("separator", "values", "wanted"),
    [
        (",", ['"1,234"', '"12,000.5"', "7"], [1234.0, 12000.5, 7.0]),
        (";", ["3,5", "1.234,25", "4"], [3.5, 1234.25, 4.0]),
        ("\t", ["0,25", "NA", "1"], [0.25, None, 1.0]),
        (";", ["1,234", "2,345"], None),
        (";", ["1.234.567", "12.345", "7"], [1234567.0, 12345.0, 7.0]),
        (";", ["-3,5", "+0,125", "1000"], [-3.5, 0.125, 1000.0]),
        (";", ["0,125", "1,234"], [0.125, 1.234]),
        (";", ["1.234", "0.5"], [1.234, 0.5]),
        (";", ["12345,678", "1,234"], [12345.678, 1.234]),
        (",", ['"3,5"', '"1.234,25"', "4"], [3.5, 1234.25, 4.0]),
        (",", ["1.234", "2.345"], [1.234, 2.345]),
        (";", ["1,5", "1.5"], None),
        (";", ["01,5", "02,5"], None),
        (";", ["12.05.2024", "13.05.2024"], None),
        (";", ["192.168.0.1", "10.0.0.1"], None),
        (",", ['"a,b"', "b"], None),
        (";", ["1,2,3", "2"], None),
    ],
)
def test_numbers_of_other_countries(
    tmp_path: Path, separator: str, values: list[str], wanted: list[float | None] | None
) -> None:
    rows = [separator.join(["text", "price"]), *(separator.join(["some words here", value]) for value in values * 5)]
    column = read_table(written(tmp_path, "\n".join(rows))).column("price")
    if wanted is None:
        assert all(isinstance(value, str) for value in column)
    else:
        assert column == wanted * 5


@pytest.mark.parametrize(
    ("beside", "wanted", "code"),
    [("3,5", 1234, "D009"), ("3.5", 1.234, None), ("x", 1.234, "D010")],
)
def test_the_other_columns_settle_what_one_leaves_open(
    tmp_path: Path, beside: str, wanted: float, code: str | None
) -> None:
    """1.234 is a thousand beside 3,5, and little more than one beside 3.5; alone it is told."""
    rows = ["text;salary;rate", *(f"some words here {i};1.{234 + i};{beside}" for i in range(60))]
    path = written(tmp_path, "\n".join(rows))
    assert read_table(path).column("salary")[0] == wanted
    told = [f.code for f in honed.inspect(path, target="salary").findings if f.code in ("D009", "D010")]
    assert set(told) == ({code} if code else set())


def test_a_target_with_decimal_commas_is_a_number(tmp_path: Path) -> None:
    """As a German Excel exports it: semicolons, decimal commas, Windows' own encoding."""
    rows = ["Text;Bewertung", *(f"für Zeile {i} gilt das;{i // 7},{i % 7}5" for i in range(120))]
    path = tmp_path / "bewertung.csv"
    path.write_bytes("\r\n".join(rows).encode("cp1252"))
    found = honed.inspect(path, target="Bewertung")
    assert found.kind == "regression" and read_table(path).column("Bewertung")[9] == 1.25
    [told] = [f for f in found.findings if f.code == "D009"]
    assert told.level == "tip" and '"Bewertung"' in told.message


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: gzip.compress(gzip.compress(lines().encode())), "packed twice"),
        (lambda: _zipped(), "packed (zip)"),
        (lambda: b"BZh91AY&SY" + bytes(range(200)), "packed (bzip2)"),
        (lambda: bytes(range(256)) * 20, "binary data"),
    ],
)
def test_packed_and_binary_files_are_named(tmp_path: Path, make: Callable[[], bytes], word: str) -> None:
    with pytest.raises(DataError, match="D003") as caught:
        read_table(written(tmp_path, make()))
    assert word in caught.value.seen


def _zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.csv", lines())
    return packed.getvalue()


def test_json_of_columns_and_of_rows(tmp_path: Path) -> None:
    columns = {"text": [text for text, _ in ROWS], "team": [team for _, team in ROWS]}
    rows = {"made": "May", "rows": [{"text": text, "team": team} for text, team in ROWS]}
    for content in (columns, rows):
        table = read_table(written(tmp_path, json.dumps(content), "rows.json"))
        assert table.names == ["text", "team"] and table.n_rows == len(ROWS)


def test_excel_with_a_title_and_another_sheet(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["Please read me"])
    sheet = book.create_sheet("Tickets")
    for row in [("Tickets of May", None, None), (), ("text", "team", None), *((*row, None) for row in ROWS)]:
        sheet.append(row)
    book.save(tmp_path / "book.xlsx")
    table = read_table(tmp_path / "book.xlsx")
    assert table.names == ["text", "team"] and table.n_rows == len(ROWS)
    assert table.reading["sheet"] == "Tickets (the largest of 2)"


def frames() -> dict[str, Any]:
    import numpy as np
    import pandas as pd
    import polars as pl

    frame = pd.DataFrame(ROWS, columns=["text", "team"])
    odd = frame.assign(team=frame.team.astype("category"), empty=np.nan, when=pd.date_range("2026-01-01", periods=40))
    return {
        "lazy polars": pl.from_pandas(frame).lazy(),
        "generator": ({"text": text, "team": team} for text, team in ROWS),
        "numpy": np.array(ROWS),
        "odd pandas": odd.set_index(odd.index + 7),
        "half characters": [{"text": text + "\ud800", "team": team} for text, team in ROWS],
        "two columns of one name": pd.DataFrame([(t, t, x) for t, x in ROWS], columns=["text", "text", "team"]),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_frames(kind: str) -> None:
    found = honed.inspect(frames()[kind], target="column_2" if kind == "numpy" else "team")
    assert found.n_rows == len(ROWS) and [label for label, _ in found.labels] == ["network", "printing"]
    assert not found.blocked


def test_one_column_of_a_frame_is_a_list_of_texts() -> None:
    import pandas as pd

    assert read_table(pd.Series([text for text, _ in ROWS])).names == ["text"]


def test_a_quoted_column_of_json_is_one_column(tmp_path: Path) -> None:
    """As ``predict`` writes it for many labels: commas and doubled quotes inside, and the same number of them in every row."""
    path = tmp_path / "answers.csv"
    inner = '{""card_arrival"": 0.9, ""lost_card"": 0.05, ""card_linking"": 0.01, ""top_up"": 0.01}'
    path.write_text(
        "prediction,confidence,probabilities\n" + f'"card_arrival",0.9,"{inner}"\n' * 3000, encoding="utf-8"
    )
    table = read_table(path)
    assert table.arrow.column_names == ["prediction", "confidence", "probabilities"] and table.n_rows == 3000
    assert table.column("probabilities")[0].startswith('{"card_arrival": 0.9')


@pytest.mark.parametrize("header", ["text", "Anfrage"])
def test_one_column_with_quotes_keeps_its_rows(tmp_path: Path, header: str) -> None:
    """As Python's csv module writes it: only what holds a comma, a quote or a line break is quoted."""
    texts = ["my card is lost", 'it says "declined", why?', "first line\nsecond line, and more"] * 20
    path = tmp_path / "one.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([[header], *([text] for text in texts)])
    table = read_table(path)
    assert table.names == [header] and table.column(header) == texts
    with open_batches(path) as batches:
        assert [value for batch in batches for value in batch.column(0).to_pylist()] == texts


def test_three_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bytes.dat"
    path.write_bytes(b"\x00\x01\x02")
    with pytest.raises(DataError, match=r"D005.*begins like text in utf-16-be, but is none"):
        read_table(path)
    for wanted in ((), ("msg",)):
        with pytest.raises(DataError, match="D005"), open_batches(path, wanted=wanted) as batches:
            list(batches)
