"""Answers and truth drawn on one picture, looked at pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from honed.data.picture_sets.rle import text_of_mask
from honed.media.colours import class_colours
from honed.media.drawn_objects import LEAST_SIDE, as_bytes, drawn
from honed.media.name_tags import Tag, font, letters_for, write_tags
from honed.scenes import render_scene

BLUE = (0, 114, 178)
COLOURS = {"bolt": BLUE, "nut": (230, 159, 0)}


def plain(light: int, size: tuple[int, int] = (400, 600)) -> np.ndarray[Any, Any]:
    return np.full((*size, 3), light, np.uint8)


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image).astype(int)


def found(label: str, *box: float, score: float = 0.9, **more: Any) -> dict[str, Any]:
    return {"label": label, "score": score, "box": list(box), **more}


def contrast(one: Any, other: Any) -> float:
    def luminance(colour: Any) -> float:
        linear = [(c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("light", [0, 128, 255])
def test_a_box_changes_the_pixels_where_it_is_and_no_others(light: int) -> None:
    image = pixels(drawn(plain(light), [found("bolt", 100, 150, 300, 350)], colours=COLOURS))
    changed = (image != light).any(axis=2)
    assert image.shape == (400, 600, 3) and (image[250, 100] == BLUE).all() and (image[349, 200] == BLUE).all()
    assert not changed[160:340, 110:290].any() and not changed[:, 302:].any() and not changed[352:].any()
    assert changed[130:150, 100:150].mean() > 0.5, "its name stands above it"


@pytest.mark.parametrize("light", [0, 60, 128, 200, 255])
def test_lines_show_on_light_and_dark_pictures(light: int) -> None:
    """Across every line some pixel contrasts with the picture at least 3 to 1, as WCAG asks of graphics."""
    ground = (light, light, light)
    box = [found("bolt", 100, 150, 300, 350)]
    for image in (drawn(plain(light), box, colours=COLOURS), drawn(plain(light), [], truth=box, colours=COLOURS)):
        across = pixels(image)[240:270, 96:106].reshape(-1, 3)
        assert max(contrast(pixel, ground) for pixel in across) > 3


def test_names_of_tiny_pictures_can_be_read() -> None:
    image = pixels(drawn(plain(128, (40, 60)), [found("bolt", 10, 15, 40, 35)], colours=COLOURS))
    assert max(image.shape) == LEAST_SIDE
    tag = (image == BLUE).all(axis=2)[:120]
    rows = np.flatnonzero(tag[:, 90:120].any(axis=1))
    assert rows[-1] - rows[0] + 1 >= 14, "the name's paper is at least 14 pixels high"
    assert all(letters_for(side) >= 11 for side in (1, 300, 480, 2048))
    assert font(letters_for(1)).getbbox("bolt")[3] >= 10


def test_large_pictures_become_smaller() -> None:
    image = pixels(
        drawn(plain(128, (2000, 1000)), [found("bolt", 500, 1000, 900, 1800)], colours=COLOURS, most_side=500)
    )
    blue = (image == BLUE).all(axis=2)
    assert image.shape == (500, 250, 3) and blue[449, 150] and blue[350, 125] and not blue[451:].any()


def test_a_smaller_picture_of_the_one_that_was_searched() -> None:
    box = [found("bolt", 100, 150, 300, 350)]
    small = drawn(plain(128, (200, 300)), box, colours=COLOURS, full_size=(400, 600))
    assert small == drawn(plain(128), box, colours=COLOURS)


def test_the_truth_has_dashes_and_what_was_missed_is_named() -> None:
    truth = [found("bolt", 100, 150, 300, 350), found("nut", 400, 200, 500, 300)]
    answers = [found("bolt", 105, 155, 305, 345), found("bolt", 400, 200, 500, 300)]
    image = pixels(drawn(plain(90), answers, truth=truth, colours=COLOURS))
    white = (image == 255).all(axis=2)
    side = white[170:330, 100]
    assert 0.3 < side.mean() < 0.8, "dashes, not a line"
    tags = [white[row : row + 14, 400:440].mean() > 0.4 for row in (180, 300)]
    assert any(tags), "the nut that was taken for a bolt is named"
    whole = pixels(drawn(plain(90), answers[:1], truth=truth[:1], colours=COLOURS))
    assert not (whole == 255).all(axis=2)[130:148, 100:140].mean() > 0.4, "what was found is not named twice"


def test_masks_are_a_veil_with_a_rim() -> None:
    mask = np.zeros((400, 600), bool)
    mask[200:300, 150:250] = True
    answer = found("bolt", 100, 150, 300, 350, mask={"size": [400, 600], "counts": text_of_mask(mask)})
    image = pixels(drawn(plain(128), [answer], colours=COLOURS))
    inside = image[250, 200]
    assert (inside != 128).any() and (inside != BLUE).any() and inside[2] > inside[0]
    assert (image[250, 150] == BLUE).all() and (image[250, 145] == 128).all()
    half = {**answer, "mask": {"size": [200, 300], "counts": text_of_mask(mask[::2, ::2])}}
    other = pixels(drawn(plain(128), [half], colours=COLOURS))
    assert (np.abs(other - image).max(axis=2) > 3).mean() < 0.01, "a mask of another size is stretched"


def test_tables_and_answers_are_drawn_alike() -> None:
    answer = found("bolt", 100, 150, 300, 350)
    table = {
        "label": "bolt",
        "score": 0.9,
        "box_xyxy": (100, 150, 300, 350),
        "crowd": None,
        "polygons": None,
        "rle": None,
    }
    assert drawn(plain(128), [answer], colours=COLOURS) == drawn(plain(128), [table], colours=COLOURS)


def test_crowded_names_stay_in_the_picture_and_off_each_other() -> None:
    rng = np.random.default_rng(0)
    from PIL import ImageDraw

    corners = rng.uniform(-20, 600, (150, 2))
    tags = [Tag((x, y, x + 30, y + 30), f"class {n % 4}", 0.5, BLUE) for n, (x, y) in enumerate(corners)]
    places = write_tags(ImageDraw.Draw(Image.new("RGB", (600, 600))), tags, (600, 600))
    assert 40 < len(places) < 150
    for number, place in enumerate(places):
        assert place[0] >= 0 and place[1] >= 0 and place[2] <= 600 and place[3] <= 600
        for other in places[:number]:
            apart = place[2] <= other[0] or other[2] <= place[0] or place[3] <= other[1] or other[3] <= place[1]
            assert apart, (place, other)


def test_the_same_place_names_every_label() -> None:
    """Where there is room for one name alone, a second label is named all the same."""
    from PIL import ImageDraw

    tags = [Tag((0, 0, 30, 10), name, 0.5, BLUE) for name in ("a", "a", "b")]
    assert len(write_tags(ImageDraw.Draw(Image.new("RGB", (30, 15))), tags, (30, 15))) == 2


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 3)])
def test_odd_pictures_and_boxes_do_not_break_it(size: tuple[int, int]) -> None:
    odd = [found("a long name " * 20, -5, -5, 4000, 4000), found("b", 0.2, 0.2, 0.2, 0.2), found("c", 9e3, 9e3, 9e3, 1)]
    image = drawn(plain(128, size), odd, truth=odd[::-1])
    assert max(image.size) == max(LEAST_SIDE, *size) and as_bytes(image)[:2] == b"\xff\xd8"
    assert drawn(plain(128, size), []).mode == "RGB"


def test_a_scene_with_masks() -> None:
    picture, objects = render_scene(np.random.default_rng(4), (240, 320))
    answers = [found(o.label, *o.box_xyxy, mask={"size": [240, 320], "counts": text_of_mask(o.mask)}) for o in objects]
    assert answers
    before = pixels(drawn(picture, []))
    after = pixels(drawn(picture, answers, colours=class_colours(o.label for o in objects)))
    changed = (before != after).any(axis=2)
    for o in objects:
        mask = np.asarray(Image.fromarray(o.mask).resize((480, 360), Image.Resampling.NEAREST))
        assert changed[mask].mean() > 0.9
