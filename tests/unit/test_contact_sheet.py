"""What is drawn on pictures, looked at pixel by pixel."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from honed.data.picture_sets.rle import text_of_mask
from honed.media.colours import class_colours, font, on, shortened
from honed.media.drawn_objects import as_bytes, draw_objects
from honed.report.contact_sheet import choose, contact_sheet
from tests.pictured import draw

GREY = np.full((200, 300, 3), 128, np.uint8)


def item(label: str, *box: float, **more: Any) -> dict[str, Any]:
    return {"label": label, "box_xyxy": list(box), "crowd": False, "polygons": None, "rle": None, **more}


def opened(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_box_is_drawn_where_it_lies() -> None:
    colours = {"cat": (255, 0, 0)}
    found = draw_objects(GREY, [item("cat", 50, 60, 150, 120)], colours=colours, names=False)
    red = (found == (255, 0, 0)).all(axis=2)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == (50, 60, 150, 120)
    assert (found[90, 100] == 128).all() and found.shape == GREY.shape
    assert (GREY == 128).all()


def test_coordinates_go_with_the_size() -> None:
    found = draw_objects(GREY, [item("cat", 50, 60, 150, 120)], colours={"cat": (255, 0, 0)}, names=False, longest=600)
    red = (found == (255, 0, 0)).all(axis=2)
    assert found.shape == (400, 600, 3)
    assert (np.flatnonzero(red.any(axis=0))[[0, -1]] == [100, 299]).all()


def test_objects_of_a_large_picture_on_a_smaller_one_of_it() -> None:
    mask = np.zeros((200, 300), bool)
    mask[60:120, 50:150] = True
    objects = [item("cat", 50, 60, 150, 120, rle=text_of_mask(mask))]
    small = draw_objects(GREY[:100, :150], objects, longest=600, names=False, full_size=(200, 300))
    whole = draw_objects(GREY, objects, longest=600, names=False)
    assert small.shape == whole.shape and (small == whole).all()


@pytest.mark.parametrize("kind", ["polygons", "rle"])
def test_outlines_are_filled_and_nothing_else(kind: str) -> None:
    mask = np.zeros((200, 300), bool)
    mask[70:110, 60:100] = True
    shape = {"polygons": [[60, 70, 99, 70, 99, 109, 60, 109]], "rle": text_of_mask(mask)}
    found = draw_objects(
        GREY, [item("cat", 50, 60, 150, 120, **{kind: shape[kind]})], colours={"cat": (255, 0, 0)}, names=False
    )
    changed = (found != 128).any(axis=2)
    assert changed[72:108, 62:98].all() and not changed[75:105, 105:140].any()
    assert found[90, 80, 0] > 150 > 120 > found[90, 80, 1] > 60


def test_names_stay_in_the_picture_and_off_each_other() -> None:
    """Boxes in every corner and twice in one place; each name has a rectangle of its own colour."""
    objects = [
        item("a", 0, 0, 30, 30, score=0.5),
        item("b", 270, 170, 300, 200),
        item("c", 100, 80, 200, 150),
        item("d", 100, 80, 200, 150),
    ]
    colours = {"a": (255, 0, 0), "b": (0, 255, 0), "c": (0, 0, 255), "d": (255, 0, 255)}
    found = draw_objects(GREY, objects, colours=colours)
    plain = draw_objects(GREY, objects, colours=colours, names=False)
    for colour in colours.values():
        more = (found == colour).all(axis=2).sum() - (plain == colour).all(axis=2).sum()
        assert more > 60, colour


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2)])
def test_tiny_pictures_and_odd_boxes_do_not_break_it(size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    objects = [
        item("a very long name " * 20, -5, -5, 400, 400),
        item("b", 0.2, 0.2, 0.3, 0.3),
        item("c", 900, 900, 950, 950),
    ]
    assert draw_objects(picture, objects).shape == picture.shape
    assert draw_objects(picture, [], longest=100).shape[2] == 3


def test_names_in_many_alphabets_have_letters() -> None:
    """A letter that the font lacks is drawn as an empty box, the same for all."""
    box = font(20).getmask("\U0010fffe").getbbox()
    for text in ("é", "ß", "Ж", "λ", "ع", "ş"):
        assert font(20).getmask(text).getbbox() != box
    assert (
        shortened("abcdefghij" * 9, 14, 100).endswith("…")
        and font(14).getlength(shortened("abcdefghij" * 9, 14, 100)) <= 100
    )


def test_colours_differ_and_can_be_written_on() -> None:
    colours = class_colours(f"class {n:03}" for n in range(80))
    assert len(set(colours.values())) == 80
    first = list(colours.values())[:12]
    apart = [np.abs(np.subtract(a, b)).sum() for place, a in enumerate(first) for b in first[:place]]
    assert min(apart) > 60

    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [(c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    for colour in colours.values():
        pair = sorted((luminance(colour), luminance(on(colour))))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5  # the contrast that WCAG AA asks for
    assert class_colours(["b", "a"]) == class_colours(["a", "b", "a"])


def test_every_class_gets_its_share() -> None:
    classes = [{"common"}] * 900 + [{"rare"}] * 5 + [set()] * 40 + [{"common", "once"}]
    chosen = choose(classes, 48)
    counts = Counter(label for row in chosen for label in classes[row] or {""})
    assert len(chosen) == len(set(chosen)) == 48 and chosen == sorted(chosen)
    assert counts["rare"] == 5 and counts["once"] == 1 and 18 <= counts[""] <= 24 and 18 <= counts["common"] <= 24
    assert choose(classes, 48) == chosen != choose(classes, 48, seed=1)
    assert choose([], 48) == [] and choose([set()] * 3, 48) == [0, 1, 2]


def test_a_sheet_of_labelled_pictures(tmp_path: Path) -> None:
    paths = [draw(tmp_path / f"{n}.png", (50 + n, 40)) for n in range(20)]
    (tmp_path / "3.png").write_bytes(b"no picture")
    labels = [None if n == 7 else "ab"[n % 2] for n in range(20)]
    sheet = opened(contact_sheet(paths, labels, columns=5, side=100))
    assert sheet.shape == (8 + 4 * (100 + 22 + 8), 8 + 5 * 108, 3)
    colours = class_colours(["a", "b"])
    first_caption = sheet[8 + 100 + 18, 8 + 90]
    assert np.abs(first_caption.astype(int) - colours["a"]).max() < 40
    assert np.abs(sheet[8 + 3 * 130 + 100 + 18, 8 + 3 * 108 + 90].astype(int) - colours["b"]).max() < 40


def test_a_sheet_of_objects_has_a_legend(tmp_path: Path) -> None:
    paths = [draw(tmp_path / f"{n}.png", (80, 60)) for n in range(3)]
    objects = [[item("cat", 10, 10, 40, 40)], [], [item(f"class {n}", 5, 5, 50, 50) for n in range(60)]]
    sheet = opened(contact_sheet(paths, objects=objects, side=160))
    assert sheet.shape[1] == 8 + 3 * 168 and sheet.shape[0] > 160 + 5 * 22
    assert opened(contact_sheet([], [])).shape[2] == 3


def test_bytes_are_files() -> None:
    assert (opened(as_bytes(GREY, "PNG")) == GREY).all() and as_bytes(GREY)[:2] == b"\xff\xd8"
