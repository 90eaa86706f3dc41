"""Sets of pictures in every layout, each with its planted faults."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from honed.data.picture_sets import find_picture_column, read_picture_set, resolve_pictures
from honed.data.table import Table
from honed.errors import DataError
from tests.pictured import draw, kinds, read, told


# --- folders by class ------------------------------------------------------------------------------------------------
def test_a_folder_for_each_class(tmp_path: Path) -> None:
    for name in ("cat", "dog", "bird"):
        for number in range(3):
            draw(tmp_path / name / f"{number}.JPG")
    table = read(tmp_path)
    assert table.names == ["image", "label", "width", "height"] and table.n_rows == 9
    assert sorted(set(table.column("label"))) == ["bird", "cat", "dog"]
    assert all(Path(path).is_absolute() and Path(path).parent.name == label for path, label in
               zip(table.column("image"), table.column("label"), strict=True))  # fmt: skip
    assert set(table.column("width")) == {60} and set(table.column("height")) == {40}
    assert table.findings == () and table.reading["format"] == "folders of pictures"


def test_parts_above_the_classes_and_a_folder_around_it_all(tmp_path: Path) -> None:
    for part in ("Train", "valid", "test"):
        for name in ("a", "b"):
            draw(tmp_path / "archive" / part / name / "1.png")
    draw(tmp_path / "archive" / "test" / "c" / "1.png")
    table = read(tmp_path)
    assert sorted(set(table.column("part"))) == ["test", "train", "validation"]
    assert told(table, "class in one part").examples == ("c",)


def test_a_test_part_without_labels_is_kept(tmp_path: Path) -> None:
    draw(tmp_path / "train" / "a" / "1.png")
    draw(tmp_path / "train" / "b" / "1.png")
    draw(tmp_path / "test" / "1.png")
    table = read(tmp_path)
    assert {(part, label) for part, label in zip(table.column("part"), table.column("label"), strict=True)} == {
        ("train", "a"), ("train", "b"), ("test", None)}  # fmt: skip


def test_classes_called_like_parts_stay_classes(tmp_path: Path) -> None:
    for name in ("train", "bus", "car"):
        draw(tmp_path / name / "1.png")
    assert sorted(read(tmp_path).column("label")) == ["bus", "car", "train"]


def test_faults_in_folders_are_told(tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / "a" / f"{number}.png")
        draw(tmp_path / "b" / f"{number}.png")
    (tmp_path / "a" / "cut.jpg").write_bytes(draw(tmp_path / "b" / "whole.jpg").read_bytes()[:-300])
    (tmp_path / "a" / "text.jpg").write_text("not a picture")
    (tmp_path / "b" / "phone.HEIC").write_bytes(b"x")
    (tmp_path / "b" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "b" / "._1.png").write_bytes(b"x")
    (tmp_path / "b" / "copy.png").write_bytes((tmp_path / "a" / "2.png").read_bytes())
    draw(tmp_path / "loose.png")
    table = read(tmp_path)
    assert table.n_rows == 10
    assert told(table, "unreadable").n_rows == 2 and told(table, "unreadable").code == "D065"
    assert told(table, "no picture").examples == ("b/phone.HEIC",)
    assert told(table, "outside classes").examples == ("loose.png",)
    both = told(table, "several labels")
    assert table.column("image")[both.rows[0] - 1].endswith("2.png") and "a, b" in both.examples[0]
    assert kinds(table) == {"unreadable", "no picture", "outside classes", "several labels"}


def test_pictures_without_labels(tmp_path: Path) -> None:
    draw(tmp_path / "1.png")
    draw(tmp_path / "2.png")
    (tmp_path / "labels.csv").write_text("image,label\n1.png,cat\n2.png,dog\n")
    table = read(tmp_path)
    assert table.names == ["image", "width", "height"] and kinds(table) == {"table beside"}


def test_what_is_no_picture_set(tmp_path: Path) -> None:
    assert read_picture_set(tmp_path) is None
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    (tmp_path / "rows.json").write_text('{"a": [1, 2]}')
    (tmp_path / "words.yaml").write_text("a: 1\n")
    for name in ("rows.csv", "rows.json", "words.yaml"):
        assert read_picture_set(tmp_path / name) is None
    with pytest.raises(DataError, match="D001"):
        read_picture_set(tmp_path / "nowhere")


def test_a_set_of_damaged_pictures_is_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"no")
    with pytest.raises(DataError) as error:
        read_picture_set(tmp_path)
    assert error.value.code == "D064" and "1.jpg" in error.value.seen


def test_the_digest_is_that_of_the_contents(tmp_path: Path) -> None:
    for root in ("one", "two", "three"):
        for name in ("a", "b"):
            draw(tmp_path / root / name / "1.png", seed=ord(name) + (root == "three"))
    one, two, three = (read(tmp_path / root).digest for root in ("one", "two", "three"))
    assert one == two != three


def test_rows_keep_the_findings(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "1.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.png").write_bytes(b"no")
    draw(tmp_path / "b" / "2.png")
    table = read(tmp_path)
    assert table.take([0]).findings == table.findings != ()


# --- tables of paths -------------------------------------------------------------------------------------------------
def as_table(**columns: list[object]) -> Table:
    return Table(pa.table(columns), "rows.csv", "")


def test_the_column_of_paths_is_found_and_resolved(tmp_path: Path) -> None:
    for number in range(5):
        draw(tmp_path / "images" / f"{number}.png")
    names = [f"{number}.png" for number in range(5)]
    table = as_table(note=["a"] * 5, picture=names, label=["x", "y", "x", "y", "x"])
    assert find_picture_column(table, tmp_path) == "picture"
    found = resolve_pictures(table, "picture", tmp_path)
    assert [Path(path).is_file() for path in found.column("picture")] == [True] * 5 and found.findings == ()
    windows = as_table(picture=[f"C:\\photos\\images\\{name}" for name in names])
    assert resolve_pictures(windows, "picture", tmp_path).column("picture") == found.column("picture")


def test_names_without_their_ending_are_found(tmp_path: Path) -> None:
    for number in range(5):
        draw(tmp_path / "train" / f"ab{number}.jpg")
    table = as_table(id=[f"ab{number}" for number in range(5)], label=list("xyxyx"))
    assert find_picture_column(table, tmp_path) == "id"
    assert resolve_pictures(table, "id", tmp_path).n_rows == 5


def test_absent_pictures_of_a_table_are_told(tmp_path: Path) -> None:
    draw(tmp_path / "1.png")
    table = as_table(picture=["1.png", "2.png", None], label=["a", "b", "c"])
    found = resolve_pictures(table, "picture", tmp_path)
    assert found.column("label") == ["a"]
    finding = told(found, "absent")
    assert finding.code == "D066" and finding.n_rows == 2 and finding.rows == (2, 3)
    kept = resolve_pictures(table, "picture", tmp_path, leave_out=False)
    assert kept.column("picture")[1:] == [None, None] and kept.n_rows == 3
    with pytest.raises(DataError, match="D064"):
        resolve_pictures(as_table(picture=["7.png"]), "picture", tmp_path)


def test_texts_are_no_pictures(tmp_path: Path) -> None:
    draw(tmp_path / "urgent.png")
    table = as_table(text=["the screen.png is black", "no"], label=["urgent", "urgent"], n=[1, 2])
    assert find_picture_column(table, tmp_path) is None
