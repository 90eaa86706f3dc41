"""The page in real Chromium: it answers, it says when it does not know, it fits a phone, and it loads nothing from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from honed.serving.keys import Key, digest_of
from honed.serving.settings import Admission, Settings
from honed.serving.testing import running

SHOTS = os.environ.get("HONED_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def url(finished_run: Path) -> Iterator[str]:
    with running([finished_run / "model"], settings=Settings(admission=Admission(unfit_because="a test"))) as server:
        yield server.url


def opened(browser: Any, url: str, **context: Any) -> tuple[Any, list[str]]:
    page = browser.new_context(**context).new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((url, "data:")) else troubles.append(request.url))
    page.goto(url)
    page.wait_for_selector("#fields textarea")
    return page, troubles


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("desktop", {"viewport": {"width": 1200, "height": 800}}),
        ("phone", {"viewport": {"width": 375, "height": 740}}),
        ("dark", {"viewport": {"width": 1200, "height": 800}, "color_scheme": "dark"}),
    ],
)
def test_every_part_works(browser: Any, url: str, name: str, context: dict[str, Any]) -> None:
    page, troubles = opened(browser, url, **context)
    page.fill("#fields textarea", "my laptop cannot reach the network")
    page.click("#send")
    page.wait_for_selector("#answer .chances li")
    assert page.locator("#answer .result").inner_text() == page.locator("#answer .chances li span").first.inner_text()
    assert page.locator("#answer .chances li").count() == 3
    shot(page, f"{name}-try")
    for part in ("report", "card", "monitor", "api"):
        page.click(f"#tab-{part}")
        page.wait_for_selector(f"#part-{part}:not([hidden])")
        page.wait_for_timeout(300)
        shot(page, f"{name}-{part}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{part} is wider than the screen"
    assert "No monitoring data yet" in page.locator("#headline").inner_text()
    assert page.frame_locator("#report").locator("h1, h2").count() > 0
    page.goto(f"{url}/docs")
    page.wait_for_selector("#rows tr")
    assert not troubles


def test_it_says_when_it_does_not_know(browser: Any, url: str) -> None:
    page, troubles = opened(browser, url)
    page.fill("#fields textarea", "   ")
    page.click("#send")
    page.wait_for_selector("#answer .unsure")
    shot(page, "unsure")
    assert not troubles


def test_the_keyboard_is_enough(browser: Any, url: str) -> None:
    page, troubles = opened(browser, url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#tab-try")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-report"
    assert page.locator("#part-report").is_visible()
    assert not troubles


def test_a_key_is_asked_for_once(browser: Any, finished_run: Path) -> None:
    keys = (Key("predict", "page", digest_of("the right key")),)
    settings = Settings(admission=Admission(unfit_because="a test"))
    with running([finished_run / "model"], settings=settings, keys=keys) as server:
        page = browser.new_context().new_page()
        page.goto(server.url)
        page.wait_for_selector("#login:not([hidden])")
        page.fill("#key", "a wrong key")
        page.keyboard.press("Enter")
        page.wait_for_selector("#login-error:not(:empty)")
        page.fill("#key", "the right key")
        page.keyboard.press("Enter")
        page.wait_for_selector("#fields textarea")
        assert page.evaluate("document.cookie") == "", "a script can read the key"
