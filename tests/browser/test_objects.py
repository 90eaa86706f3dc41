"""Objects on the page in real Chromium: boxes over the picture, the list beside it, the slider, the saved picture."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from honed.data.picture_sets.rle import counts_of_text, text_of_mask
from honed.media.colours import class_colours, on
from honed.scenes import render_conveyor, render_scene
from honed.serving.app import make_app
from tests.finding import LABELS, png, service_of

SHOTS = os.environ.get("HONED_SCREENSHOTS", "")
URL = "http://honed.test"
DESKTOP, PHONE = {"width": 1200, "height": 850}, {"width": 375, "height": 740}
SIZE = (300, 400)
BOXES = [
    {"label": "bolt", "score": 0.93, "box": [40.0, 30.0, 140.0, 130.0]},
    {"label": "nut", "score": 0.41, "box": [200.0, 150.0, 300.0, 250.0]},
    {"label": "bolt", "score": 0.62, "box": [250.0, 20.0, 330.0, 90.0]},
]


def opened(browser: Any, found: list[dict[str, Any]], *, labels: tuple[str, ...] = LABELS, **more: Any) -> Any:
    """The page of a model that gives this answer to every picture; every request goes through the server's application."""
    unsure = more.pop("unsure", False)
    client = TestClient(make_app(service_of(found, unsure=unsure, labels=labels)))
    page = browser.new_context(**{"viewport": DESKTOP, **more}).new_page()
    page.troubles = []

    def fulfil(route: Any) -> None:
        request, parts = route.request, urlsplit(route.request.url)
        if f"{parts.scheme}://{parts.netloc}" != URL:
            page.troubles.append(request.url)
        body = {"content": request.post_data_buffer} if request.post_data_buffer else {}
        headers = {k: v for k, v in request.headers.items() if k in ("content-type", "accept")}
        answer = client.request(request.method, f"{parts.path}?{parts.query}", headers=headers, **body)
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    page.route(lambda url: url.startswith("http"), fulfil)
    page.on("console", lambda message: page.troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.goto(URL)
    page.wait_for_selector("#fields input[type=file]")
    return page


def asked(page: Any, picture: np.ndarray[Any, Any] | bytes, name: str = "part 7.png", kind: str = "image/png") -> None:
    content = picture if isinstance(picture, bytes) else png(picture)
    page.set_input_files("#fields input[type=file]", {"name": name, "mimeType": kind, "buffer": content})
    page.wait_for_selector(".drop img:not([hidden])")
    page.click("#send")
    page.wait_for_selector("#answer:not([hidden]) .found")
    page.wait_for_function("document.querySelector('.scene img')?.complete ?? true")
    page.mouse.move(2, 2)
    page.wait_for_timeout(150)


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def plain(light: int = 128) -> np.ndarray[Any, Any]:
    return np.full((*SIZE, 3), light, np.uint8)


def with_masks(objects: list[Any], size: tuple[int, int]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    return [
        {
            "label": one.label, "score": round(float(rng.uniform(0.3, 1)), 4), "box": list(one.box_xyxy),
            "mask": {"size": list(size), "counts": text_of_mask(one.mask)},
        }
        for one in objects
    ]  # fmt: skip


def test_boxes_lie_where_the_objects_are(browser: Any) -> None:
    page = opened(browser, BOXES)
    asked(page, plain())
    assert page.locator("#answer .result").inner_text() == "2 × bolt, 1 × nut"
    shown = page.locator(".scene img").bounding_box()
    scale = shown["width"] / SIZE[1]
    assert abs(shown["height"] - SIZE[0] * scale) < 1
    for object_ in BOXES:
        place = sorted(BOXES, key=lambda one: -one["score"]).index(object_)  # type: ignore[operator]
        line = page.locator(f".object[data-number='{place}'] .line").bounding_box()
        x1, y1, x2, y2 = object_["box"]  # type: ignore[misc]
        wanted = (shown["x"] + x1 * scale, shown["y"] + y1 * scale, (x2 - x1) * scale, (y2 - y1) * scale)
        for value, want in zip((line["x"], line["y"], line["width"], line["height"]), wanted, strict=True):
            assert abs(value - want) < 6, (object_, line)
    assert sorted(page.locator(".tag text").all_text_contents()) == ["bolt 62 %", "bolt 93 %", "nut 41 %"]
    rows = page.locator(".labels li")
    assert [row.locator(".label").inner_text().split() for row in rows.all()] == [["bolt", "2"], ["nut", "1"]]
    assert page.locator(".drop img").is_hidden(), "the picture is not shown twice"
    colours = class_colours(LABELS)
    for name, place in (("bolt", 0), ("nut", 2)):
        stroke = page.locator(f".object[data-number='{place}'] .line").get_attribute("stroke")
        assert stroke == "rgb({},{},{})".format(*colours[name])
    assert not page.troubles


def test_the_slider_decides_what_is_shown(browser: Any) -> None:
    page = opened(browser, BOXES)
    asked(page, plain())
    assert page.locator(".object").count() == 3 and page.locator(".least output").inner_text() == "41 % · 3 of 3 shown"
    page.focus("#least")
    for _ in range(22):
        page.keyboard.press("ArrowRight")
    assert page.locator(".object").count() == 1 and page.locator(".tag text").all_text_contents() == ["bolt 93 %"]
    assert [one.inner_text() for one in page.locator(".labels .count").all()] == ["1 of 2", "0 of 1"]
    assert page.locator(".pill:visible").count() == 1
    page.keyboard.press("Home")
    assert page.locator(".object").count() == 3
    assert not page.troubles


def test_what_is_pointed_at_stands_out(browser: Any) -> None:
    page = opened(browser, BOXES)
    asked(page, plain())
    pills = page.locator(".pill")
    pills.nth(2).hover()
    assert page.locator(".scene svg.lit .object.on").get_attribute("data-number") == "2"
    shot(page, "hover")
    page.mouse.move(5, 5)
    assert page.locator(".lit").count() == 0
    place = page.locator(".object[data-number='1']").bounding_box()
    page.mouse.move(place["x"] + 20, place["y"] + 20)
    assert page.locator(".pill.on").inner_text() == "62 %"
    page.mouse.move(5, 5)
    page.focus("#least")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className.split(' ')[0]") == "pill"
    assert page.locator(".object.on").count() == 1
    assert "bolt, 93 %" in str(page.evaluate("document.activeElement.ariaLabel"))
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Save this picture"
    assert not page.troubles


@pytest.mark.parametrize("unsure", [False, True])
def test_nothing_found_is_said_in_words(browser: Any, unsure: bool) -> None:
    page = opened(browser, [], unsure=unsure)
    asked(page, plain())
    text = page.locator("#answer").inner_text()
    assert "Nothing was found" in text and "bolt, nut and washer" in text and ("don’t know" in text) is unsure
    assert page.locator(".object, #least, .second").count() == 0 and page.locator(".scene img").is_visible()
    shot(page, f"nothing-{unsure}")
    assert not page.troubles


def test_the_annotated_picture_can_be_saved(browser: Any) -> None:
    page = opened(browser, BOXES)
    asked(page, np.full((600, 800, 3), 128, np.uint8))
    page.focus("#least")
    for _ in range(22):
        page.keyboard.press("ArrowRight")
    with page.expect_download() as waited:
        page.click(".second")
    assert waited.value.suggested_filename == "part 7-annotated.png"
    saved = np.asarray(Image.open(waited.value.path()).convert("RGB")).astype(int)
    assert saved.shape == (600, 800, 3)
    bolt = np.array(class_colours(LABELS)["bolt"])
    assert (saved[80, 40] == bolt).all() and (saved[129, 90] == bolt).all() and (saved[80, 90] == 128).all()
    assert (saved[150:260, 195:305] == 128).all(), "what the slider hides is not saved"
    if SHOTS:
        shutil.copy(waited.value.path(), Path(SHOTS) / "saved.png")
    assert not page.troubles


def test_photographs_that_lie_on_their_side(browser: Any) -> None:
    """Boxes are pixels of the upright picture; the browser turns it as Honed does."""
    exif = Image.Exif()
    exif[0x0112] = 6
    page = opened(browser, [{"label": "bolt", "score": 0.9, "box": [10.0, 300.0, 100.0, 390.0]}])
    asked(page, png(plain(), "JPEG", exif=exif), "a.b.jpg", "image/jpeg")
    shown, line = page.locator(".scene img").bounding_box(), page.locator(".line").bounding_box()
    assert shown["height"] > shown["width"]
    assert abs((line["y"] + line["height"] - shown["y"]) / shown["height"] - 390 / 400) < 0.01
    with page.expect_download() as waited:
        page.click(".second")
    assert waited.value.suggested_filename == "a.b-annotated.jpg"
    assert Image.open(waited.value.path()).size == (360, 480)


def test_kinds_that_the_browser_cannot_show(browser: Any) -> None:
    page = opened(browser, BOXES)
    page.set_input_files(
        "#fields input[type=file]", {"name": "a.tiff", "mimeType": "image/tiff", "buffer": png(plain(), "TIFF")}
    )
    page.wait_for_timeout(200)
    page.click("#send")
    page.wait_for_selector(".found")
    page.wait_for_timeout(200)
    assert "cannot show pictures of this kind" in page.locator(".scene").inner_text()
    assert page.locator(".pill").count() == 3 and page.locator(".second").is_hidden()


def test_masks_and_colours_are_those_of_honed(browser: Any) -> None:
    """Run lengths and colours are worked out in two languages; they must agree."""
    page = opened(browser, BOXES)
    rng = np.random.default_rng(0)
    masks = [rng.random((7, 5)) < 0.5, np.ones((4, 6), bool), np.zeros((4, 6), bool), np.eye(9, dtype=bool)]
    masks += [one.mask for one in render_scene(rng, (300, 200))[1]]
    large = np.zeros((5000, 4000), bool)
    large[100:4900, 700:3900] = True
    look = """(mask) => { const found = maskOf(mask), [h, w] = mask.size; if (!found) return "";
      let text = ""; for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) text += found.has(x, y) ? "1" : "0"; return text; }"""
    for mask in masks:
        text, size = text_of_mask(mask), list(mask.shape)
        assert page.evaluate("countsOf", text) == counts_of_text(text)
        found = page.evaluate(look, {"counts": text, "size": size})
        assert found == ("".join("01"[int(cell)] for cell in mask.ravel()) if mask.any() else "")
        if mask.any():
            edges = page.evaluate(
                "(m) => { const f = maskOf(m); return [f.left, f.right]; }", {"counts": text, "size": size}
            )
            across = np.flatnonzero(mask.any(axis=0))
            assert edges == [across[0], across[-1] + 1]
    mask = {"counts": text_of_mask(large), "size": list(large.shape)}
    tint = page.evaluate(
        "(m) => { const t = tintOf(m, [1, 2, 3]); return [t.x, t.y, t.width, t.height, t.canvas.height]; }", mask
    )
    assert np.allclose(tint, [700 / 4000, 100 / 5000, 0.8, 0.96, 400])
    names = [f"class {n:02}" for n in range(60)] + ["Ärger", "ärger", "Zug", "a"]
    colours = page.evaluate("coloursOf", names)
    assert {name: tuple(colour) for name, colour in colours.items()} == class_colours(names)
    for colour in class_colours(names).values():
        assert page.evaluate("inkOn", list(colour)) == ("#fff" if on(colour) == (255, 255, 255) else "#000")


def scene(seed: int, size: tuple[int, int], conveyor: bool, least: int) -> tuple[np.ndarray[Any, Any], list[Any]]:
    """The first scene from this seed on with so many objects."""
    while True:
        render = render_conveyor if conveyor else render_scene
        picture, objects = render(np.random.default_rng(seed), size)
        if len(objects) >= least:
            return picture, objects
        seed += 1


@pytest.mark.parametrize("screen", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_scenes_fit_every_screen(browser: Any, screen: str, scheme: str) -> None:
    """With masks, on tiny and large pictures, a few objects and a crowd; nothing is wider than the screen."""
    cases = {
        "belt": scene(1, (480, 640), True, 6), "crowd": scene(30, (600, 800), False, 45), "tiny": scene(2, (64, 64), False, 3),
        "tall": scene(5, (900, 400), True, 5),
    }  # fmt: skip
    for name, (picture, objects) in cases.items():
        found = with_masks(objects, picture.shape[:2])
        if name == "tiny":
            for one in found:
                del one["mask"]
        labels = tuple(
            sorted({one["label"] for one in found} | {"gear", "a label whose name is much too long for a phone"})
        )
        page = opened(
            browser, found, labels=labels, viewport=DESKTOP if screen == "desktop" else PHONE, color_scheme=scheme
        )
        asked(page, picture)
        shot(page, f"{name}-{screen}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"
        shown = page.locator(".scene img").bounding_box()
        assert shown["height"] / shown["width"] == pytest.approx(picture.shape[0] / picture.shape[1], rel=0.02)
        assert page.locator(".object").count() == len(found)
        assert page.locator(".object image").count() == (0 if name == "tiny" else len(found))
        least = min(
            size
            for size in page.evaluate(
                "[...document.querySelectorAll('.tag text')].filter(t => t.getBBox().height > 0).map(t => t.getBBox().height)"
            )
        )
        assert least >= 10, "names can be read"
        page.set_viewport_size({"width": 340, "height": 740})
        page.wait_for_timeout(150)
        assert page.locator(".scene img").bounding_box()["width"] <= 340, "it follows the screen when that turns"
        assert not page.troubles
        page.context.close()


def test_programs_are_told_how_to_get_the_picture(browser: Any) -> None:
    page = opened(browser, BOXES)
    page.click("#tab-api")
    assert "Accept: image/jpeg" in page.locator("#curl").inner_text()
    assert not page.troubles


def test_every_file_of_the_page_is_given_out() -> None:
    client = TestClient(make_app(service_of([])))
    for page in ("/", "/docs"):
        text = client.get(page).text
        files = [part.split('"')[0] for part in text.split('="/static/')[1:]]
        assert files and all(client.get(f"/static/{name}").status_code == 200 for name in files)
    assert io.BytesIO(client.get("/static/objects.css").content).read()
