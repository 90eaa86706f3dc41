"""The page where a model writes, in real Chromium: token by token, stopped, by keyboard, on a phone, in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from honed.model import Model
from honed.serving.settings import Admission, Limits, Settings
from honed.serving.testing import Running, running
from tests.browser.test_page import shot
from tests.served import until
from tests.writers import CONTEXT, base_of, bundle_of

LONG = 30_000
CONTEXTS = [
    ("chat", {"viewport": {"width": 1200, "height": 800}}),
    ("chat-phone", {"viewport": {"width": 375, "height": 740}}),
    ("chat-dark", {"viewport": {"width": 1200, "height": 800}, "color_scheme": "dark"}),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A base with a chat template, one without, one that can write for long, and a bundle."""
    place = tmp_path_factory.mktemp("pages")
    plain, chat = base_of(place / "plain"), base_of(place / "chatty", chat=True, seed=1)
    bundle, long = bundle_of(place / "tickets", plain), base_of(place / "long", context=LONG + 100)
    settings = Settings(Limits(slots=2), Admission(unfit_because="a test"))
    with running([chat, plain, bundle, long], settings=settings) as found:
        yield found


def opened(browser: Any, server: Running, model: str, **context: Any) -> tuple[Any, list[str]]:
    page = browser.new_context(**context).new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith((server.url, "data:")) else troubles.append(request.url),
    )
    page.goto(server.url)
    page.wait_for_selector("#state.good")
    page.select_option("#model", model)
    page.wait_for_function("(name) => about.name === name", arg=model)
    page.click("#tab-write")
    return page, troubles


def done(page: Any) -> None:
    page.wait_for_selector("#go:not([hidden])")
    page.wait_for_selector("#talk .written:not(.busy)")


@pytest.mark.parametrize(("name", "context"), CONTEXTS)
def test_a_conversation(browser: Any, server: Running, name: str, context: dict[str, Any]) -> None:
    """The second question goes with the first and its answer, and the answer is the server's own."""
    page, troubles = opened(browser, server, "chatty", **context)
    assert page.locator("#tab-try").is_hidden(), "a base reads no rows"
    page.locator("#heat").fill("0")
    page.fill("#length", "40")
    page.fill("#say", "the printer is jammed")
    page.keyboard.press("Enter")
    done(page)
    page.fill("#say", "and the wifi is slow")
    with page.expect_request("**/v1/chat/completions") as asked:
        page.click("#go")
    done(page)
    sent = asked.value.post_data_json
    assert [one["role"] for one in sent["messages"]] == ["user", "assistant", "user"]
    shown = page.locator("#talk .written span:last-child").all_inner_texts()
    assert len(shown) == 2 and page.locator("#talk .said").count() == 2
    whole = page.request.post(
        f"{server.url}/v1/chat/completions", data={**sent, "stream": False, "stream_options": None}
    )
    answer = page.evaluate("() => talk.said.at(-1).content")
    assert answer == whole.json()["choices"][0]["message"]["content"]
    assert "tokens a second" in page.locator("#pace").inner_text() and "40 tokens" in page.locator("#pace").inner_text()
    shot(page, name)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"
    page.click("#anew")
    assert page.locator("#talk > *").count() == 0 and page.evaluate("talk.said.length") == 0
    page.click("#tab-api")
    assert "/v1/chat/completions" in page.locator("#curl").inner_text()
    assert not troubles


HALT = """(how) => new MutationObserver((_, seen) => {
  if (!document.querySelector("#talk .written span:last-child").textContent) return;
  seen.disconnect();
  if (how === "click") $("halt").click();
  else document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
}).observe($("talk"), { subtree: true, childList: true, characterData: true })"""
"""Stops as soon as the first words are there; a hand would be too late for so small a model."""


def endless(page: Any, url: str) -> str:
    """A prompt after which the model does not end by itself."""
    for prompt in ("the printer", "a", "my password does not", "wifi", "the"):
        named = {"model": "long", "prompt": prompt, "max_tokens": 500, "temperature": 0}
        if page.request.post(f"{url}/v1/completions", data=named).json()["choices"][0]["finish_reason"] == "length":
            return prompt
    raise AssertionError("every text ends")


@pytest.mark.parametrize("how", ["click", "key"])
def test_stopping_frees_the_slot_and_keeps_what_was_written(browser: Any, server: Running, how: str) -> None:
    page, troubles = opened(browser, server, "long")
    assert "continues" in page.locator("#write-hint").inner_text()
    prompt = endless(page, server.url)
    desk = server.service.shelf.find("long").lane.desk
    before = desk.tally.cancelled
    page.evaluate(HALT, how)
    page.locator("#heat").fill("0")
    page.fill("#length", str(LONG))
    page.fill("#say", prompt)
    page.keyboard.press("Enter")
    done(page)
    until(lambda: desk.n_open == desk.running == 0, 5)
    assert desk.tally.cancelled == before + 1
    assert "stopped by you" in page.locator("#pace").inner_text()
    written = page.locator("#talk .written")
    assert written.locator(".asked").inner_text() == prompt and written.locator("span:last-child").inner_text()
    assert not troubles


def test_a_bundle_answers_as_it_predicts(browser: Any, server: Running) -> None:
    page, troubles = opened(browser, server, "tickets")
    page.fill("#say", "the printer is jammed")
    page.keyboard.press("Enter")
    done(page)
    served = server.service.shelf.find("tickets")
    assert page.evaluate("talk.said.at(-1).content") == Model.load(served.folder).predict(["the printer is jammed"])[0]
    page.fill("#say", "again")
    page.keyboard.press("Enter")
    done(page)
    assert page.locator("#write-error").inner_text() == "", "each message is answered by itself"
    page.click("#tab-try")
    assert page.locator("#fields textarea").count() == 1
    assert not troubles


def test_what_goes_wrong_is_told(browser: Any, server: Running) -> None:
    page, _ = opened(browser, server, "chatty")
    page.fill("#length", str(CONTEXT))
    page.fill("#say", "a " * 3000)
    page.click("#go")
    page.wait_for_selector("#write-error:not(:empty)")
    assert f"at most {CONTEXT:,} fit" in page.locator("#write-error").inner_text()
    assert page.input_value("#say").startswith("a a") and page.locator("#talk > *").count() == 0
