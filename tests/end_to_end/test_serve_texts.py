"""``/v1``: texts and chats through the official client, as the generator alone and ``predict`` write them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from honed.files import read_json, write_json
from honed.generation.generator import Generator
from honed.generation.settings import Settings as Wanted
from honed.model import Model
from honed.monitoring.log import PredictionLog
from honed.networks.decoders.loading import load_decoder
from honed.serving.keys import Key, digest_of
from honed.serving.settings import Admission, Limits, Settings
from honed.serving.testing import Running, running
from tests.served import ended, started, until
from tests.writers import CONTEXT, END, base_of, bundle_of

openai = pytest.importorskip("openai")
PROMPTS = ["the printer", "my password does not work since", "a"]
NO_END = {str(END): -100}
CHAT = [{"role": "user", "content": "the printer is jammed"}]


@dataclass
class Place:
    """What is served, and a client that asks it."""

    server: Running
    client: Any
    folder: Path

    def metric(self, name: str, model: str) -> float:
        """A figure of /metrics."""
        text = httpx.get(f"{self.server.url}/metrics").text
        return next(
            float(line.split()[-1]) for line in text.splitlines() if line.startswith(f'{name}{{model="{model}"')
        )


def client_of(server: Running, key: str = "none", **more: Any) -> Any:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, timeout=60, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, one with a chat template, and bundles of one column, of two, and of chats."""
    place = tmp_path_factory.mktemp("writers")
    plain, chat = base_of(place / "plain"), base_of(place / "chatty", chat=True, seed=1)
    bundle_of(place / "tickets", plain)
    bundle_of(place / "letters", plain, ("subject", "body"))
    bundle_of(place / "talks", chat, ("prompt",), messages=True, instruction="Be brief.")
    return place


@pytest.fixture(scope="module")
def place(folder: Path) -> Iterator[Place]:
    names = ("plain", "chatty", "tickets", "letters", "talks")
    settings = Settings(Limits(slots=3, queue_texts=5), Admission(unfit_because="a test"))
    with running([folder / name for name in names], settings=settings) as server, client_of(server) as client:
        yield Place(server, client, folder)


@pytest.fixture(scope="module")
def alone(folder: Path) -> Generator:
    """The generator by itself, on the plain base."""
    return Generator(load_decoder(folder / "plain"), slots=2, threads=1)


def refusal(call: Any, kind: str = "BadRequestError") -> Any:
    with pytest.raises(getattr(openai, kind)) as caught:
        call()
    assert {"message", "type", "param", "code"} <= set(caught.value.body)
    return caught.value


def test_completions_are_those_of_the_generator(place: Place, alone: Generator) -> None:
    wanted = alone.generate(PROMPTS, Wanted(max_tokens=12))
    found = place.client.completions.create(model="plain", prompt=PROMPTS, max_tokens=12, temperature=0)
    assert [one.text for one in found.choices] == [one.text for one in wanted]
    assert [one.finish_reason for one in found.choices] == [one.finish for one in wanted]
    assert found.usage.prompt_tokens == sum(one.n_prompt for one in wanted)
    assert found.usage.completion_tokens == sum(len(one.ids) for one in wanted)
    ids = place.client.completions.create(
        model="plain", prompt=alone.vocabulary.encode(PROMPTS[0]), max_tokens=12, temperature=0, echo=False
    )
    assert ids.choices[0].text == wanted[0].text
    echoed = place.client.completions.create(model="plain", prompt=PROMPTS[0], max_tokens=12, temperature=0, echo=True)
    assert echoed.choices[0].text == PROMPTS[0] + wanted[0].text
    default = place.client.completions.create(model="plain", prompt="a", temperature=0, logit_bias=NO_END)
    assert default.usage.completion_tokens == 16 and default.choices[0].finish_reason == "length"


def test_a_stream_is_the_whole_in_pieces(place: Place) -> None:
    """With several prompts and answers at once, usage at the end, and more texts than slots."""
    named: dict[str, Any] = {
        "model": "plain",
        "prompt": PROMPTS,
        "max_tokens": 25,
        "temperature": 0.8,
        "seed": 7,
        "n": 2,
    }
    whole = place.client.completions.create(**named)
    texts, ends = [""] * 6, [None] * 6
    chunks = list(place.client.completions.create(**named, stream=True, stream_options={"include_usage": True}))
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            ends[choice.index] = choice.finish_reason or ends[choice.index]
    assert texts == [one.text for one in whole.choices] and ends == [one.finish_reason for one in whole.choices]
    assert texts[0] != texts[1], "two answers to one prompt are drawn apart"
    assert (chunks[-1].choices, chunks[0].usage) == ([], None)
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert len(chunks) > 40
    silent = list(place.client.completions.create(**named, stream=True))
    assert all(chunk.choices for chunk in silent)


def test_a_chat_is_written_by_the_template(place: Place, folder: Path) -> None:
    loaded = load_decoder(folder / "chatty")
    told = [{"role": "system", "content": "Be brief."}, *CHAT, {"role": "assistant", "content": "ok"}, *CHAT]
    wanted = Generator(loaded, threads=1).generate([loaded.vocabulary.chat_prompt(told)], Wanted(max_tokens=20))[0]
    named: dict[str, Any] = {"model": "chatty", "messages": told, "temperature": 0}
    found = place.client.chat.completions.create(**named, max_completion_tokens=20)
    assert found.choices[0].message.content == wanted.text and found.choices[0].message.role == "assistant"
    assert found.usage.completion_tokens == len(wanted.ids)
    parts = [{"type": "text", "text": CHAT[0]["content"]}]
    again = [told[0], {"role": "user", "content": parts}, *told[2:]]
    stream = place.client.chat.completions.create(**{**named, "messages": again}, max_tokens=20, stream=True)
    deltas = [chunk.choices[0].delta for chunk in stream]
    assert "".join(delta.content or "" for delta in deltas) == wanted.text and deltas[0].role == "assistant"
    developer = [{**told[0], "role": "developer"}, *told[1:]]
    same = place.client.chat.completions.create(**{**named, "messages": developer}, max_tokens=20)
    assert same.choices[0].message.content == wanted.text
    assert "template" in refusal(lambda: place.client.chat.completions.create(**{**named, "model": "plain"})).message


def test_probabilities_in_both_shapes(place: Place, alone: Generator) -> None:
    wanted = alone.generate(["the"], Wanted(max_tokens=6, logprobs=3))[0]
    named: dict[str, Any] = {"model": "plain", "max_tokens": 6, "temperature": 0}
    found = place.client.completions.create(**named, prompt="the", logprobs=3).choices[0]
    assert found.logprobs.token_logprobs == pytest.approx([one.logprob for one in wanted.tokens], abs=1e-5)
    assert [len(one) for one in found.logprobs.top_logprobs] == [3] * len(wanted.tokens)
    assert all(max(one.values()) == value for one, value in zip(
        found.logprobs.top_logprobs, found.logprobs.token_logprobs, strict=True))  # fmt: skip
    assert found.logprobs.text_offset[0] == 0 and sorted(found.logprobs.text_offset) == found.logprobs.text_offset
    stream = place.client.completions.create(**named, prompt="the", logprobs=3, stream=True)
    told = [
        value for chunk in stream if chunk.choices[0].logprobs for value in chunk.choices[0].logprobs.token_logprobs
    ]
    assert told == found.logprobs.token_logprobs
    chat = {**named, "model": "chatty", "messages": CHAT}
    content = place.client.chat.completions.create(**chat, logprobs=True, top_logprobs=2).choices[0].logprobs.content
    assert all(one.logprob == one.top_logprobs[0].logprob and len(one.top_logprobs) == 2 for one in content)
    answer = place.client.chat.completions.create(**chat).choices[0].message.content
    assert b"".join(bytes(one.bytes) for one in content).decode("utf-8", "replace") == answer
    bare = place.client.chat.completions.create(**chat, logprobs=True).choices[0].logprobs.content
    assert [one.top_logprobs for one in bare] == [[]] * len(bare)


def test_stop_texts_seeds_and_penalties(place: Place, alone: Generator) -> None:
    named: dict[str, Any] = {"model": "plain", "prompt": "the printer", "max_tokens": 40, "logit_bias": NO_END}
    long = place.client.completions.create(**named, temperature=0).choices[0].text
    middle = long[10:13]
    for stop in (middle, ["never that", middle]):
        cut = place.client.completions.create(**named, temperature=0, stop=stop).choices[0]
        assert cut.text == long[: long.index(middle)] and cut.finish_reason == "stop"
        pieces = place.client.completions.create(**named, temperature=0, stop=stop, stream=True)
        assert "".join(chunk.choices[0].text for chunk in pieces) == cut.text
    drawn = [place.client.completions.create(**named, temperature=1, seed=seed).choices[0].text for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert place.client.completions.create(**named).choices[0].text != long, "a base draws by default, as OpenAI's do"
    wanted = Wanted(max_tokens=40, logit_bias={END: -100}, frequency_penalty=1.5, presence_penalty=0.5)
    penalised = place.client.completions.create(**named, temperature=0, frequency_penalty=1.5, presence_penalty=0.5)
    assert penalised.choices[0].text == alone.generate(["the printer"], wanted)[0].text != long
    more = {"top_k": 1, "repetition_penalty": 1.2, "min_p": 0.1}
    wanted = Wanted(max_tokens=40, logit_bias={END: -100}, repetition_penalty=1.2)
    found = place.client.completions.create(**named, temperature=1, seed=1, extra_body=more).choices[0].text
    assert found == alone.generate(["the printer"], wanted)[0].text


def test_answers_of_a_wanted_form(place: Place) -> None:
    pytest.importorskip("llguidance")
    schema = {
        "type": "object", "required": ["team", "urgent"], "additionalProperties": False,
        "properties": {"team": {"enum": ["network", "printing"]}, "urgent": {"type": "boolean"}},
    }  # fmt: skip
    named: dict[str, Any] = {"model": "chatty", "messages": CHAT, "temperature": 1, "seed": 5, "max_tokens": 60}
    wanted = {"type": "json_schema", "json_schema": {"name": "ticket", "schema": schema, "strict": True}}
    found = place.client.chat.completions.create(**named, response_format=wanted).choices[0]
    value = json.loads(found.message.content)
    assert set(value) == {"team", "urgent"} and isinstance(value["urgent"], bool) and found.finish_reason == "stop"
    free = place.client.chat.completions.create(**{**named, "max_tokens": 300}, response_format={"type": "json_object"})
    assert free.choices[0].message.content.startswith("{")
    coded = place.client.completions.create(model="plain", prompt="a", max_tokens=9, extra_body={"regex": "[0-9]{4}"})
    assert coded.choices[0].text.isdigit() and len(coded.choices[0].text) == 4
    broken = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nothing"}}}
    assert refusal(lambda: place.client.chat.completions.create(**named, response_format=broken)).code == "G004"


def test_a_bundle_is_asked_in_the_shape_it_learnt(place: Place, folder: Path) -> None:
    """Chat and completion answer as predict answers the row."""
    client = place.client
    (answer,) = Model.load(folder / "tickets").predict(["the printer is jammed"])
    found = client.chat.completions.create(model="tickets", messages=CHAT)
    assert found.choices[0].message.content == answer and found.usage.completion_tokens <= 24
    assert client.completions.create(model="tickets", prompt=CHAT[0]["content"]).choices[0].text == answer
    assert httpx.post(f"{place.server.url}/models/tickets/predict", json={"ticket": CHAT[0]["content"]}).json() == {
        "prediction": answer, "unsure": found.choices[0].finish_reason != "stop"
    }  # fmt: skip
    two = [*CHAT, {"role": "assistant", "content": "ok"}, *CHAT]
    assert refusal(lambda: client.chat.completions.create(model="tickets", messages=two)).code == "G010"

    row = {"subject": "printer", "body": "it is jammed"}
    (answer,) = Model.load(folder / "letters").predict([row])
    asked = [{"role": "user", "content": json.dumps(row)}]
    assert client.chat.completions.create(model="letters", messages=asked).choices[0].message.content == answer
    wrong = refusal(lambda: client.chat.completions.create(model="letters", messages=CHAT))
    assert wrong.code == "G010" and '"subject"' in wrong.message

    talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "yes"}, *CHAT]
    text = "user: hello\nassistant: yes\nuser: the printer is jammed"
    (answer,) = Model.load(folder / "talks").predict([text])
    assert client.chat.completions.create(model="talks", messages=talk).choices[0].message.content == answer
    assert client.completions.create(model="talks", prompt=text).choices[0].text == answer


def test_models_are_listed_and_named(place: Place) -> None:
    found = {one.id: one for one in place.client.models.list().data}
    assert set(found) == {"plain", "chatty", "tickets", "letters", "talks"}
    assert (found["plain"].chat, found["chatty"].chat, found["plain"].context) == (False, True, CONTEXT)
    assert place.client.models.retrieve("letters").columns == ["subject", "body"]
    version = found["plain"].version
    named = place.client.completions.create(model=f"plain@{version[:6]}", prompt="a", max_tokens=3)
    assert named.model == "plain"
    assert refusal(lambda: place.client.models.retrieve("nobody"), "NotFoundError").code == "H003"
    ask = place.client.completions.create
    assert refusal(lambda: ask(model="nobody", prompt="a"), "NotFoundError").code == "H003"
    told = httpx.post(f"{place.server.url}/models/plain/predict", json={"text": "a"})
    assert (told.status_code, told.json()["error"]["code"]) == (400, "H031")
    paths = httpx.get(f"{place.server.url}/openapi.json").json()["paths"]
    assert (
        "/v1/chat/completions" in paths and "/models/plain/predict" not in paths and "/models/tickets/predict" in paths
    )
    assert httpx.post(f"{place.server.url}/v2/models/plain/infer", json={}).json()["error"]["code"] == "H031"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"temperature": "hot"}, "temperature"), ({"temperature": -1}, "temperature"), ({"max_tokens": 0}, "max_tokens"),
        ({"n": 0}, "n"), ({"n": 4000}, "n"), ({"top_p": 0}, "top_p"), ({"stop": ["a", ""]}, "stop"), ({"stop": 3}, "stop"),
        ({"logprobs": 99}, "logprobs"), ({"echo": True, "logprobs": 1}, "echo"), ({"suffix": "end"}, "suffix"),
        ({"best_of": 3}, "best_of"), ({"colour": "red"}, "colour"), ({"prompt": 3}, "prompt"), ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 3]}, "prompt"), ({"prompt": None}, "prompt"), ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"stream_options": {"include_usage": True}}, "stream_options"), ({"prompt": "\ud800"}, "prompt"),
        ({"response_format": {"type": "xml"}}, "response_format"), ({"presence_penalty": 9}, "presence_penalty"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(place: Place, given: dict[str, Any], param: str) -> None:
    body = {"model": "plain", "prompt": "a", "max_tokens": 2, **given}
    response = httpx.post(
        f"{place.server.url}/v1/completions", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["type"]) == (400, param, "invalid_request_error"), error
    assert param in error["message"]


@pytest.mark.parametrize(
    "messages",
    [
        [], "hello", [{"role": "user"}], [{"role": "nobody", "content": "a"}], [{"content": "a"}], ["a"],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}], [{"role": "user", "content": 3}],
        [{"role": "user", "content": "a", "name": "Bob"}], [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        [{"role": "user", "content": "\udcff"}],
    ],
)  # fmt: skip
def test_wrong_messages_are_named(place: Place, messages: Any) -> None:
    body = json.dumps({"model": "chatty", "messages": messages})
    response = httpx.post(
        f"{place.server.url}/v1/chat/completions", content=body, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages"), response.text


def test_what_else_is_refused(place: Place) -> None:
    client = place.client
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    ask = client.chat.completions.create
    assert refusal(lambda: ask(model="chatty", messages=CHAT, tools=tools)).param == "tools"
    assert refusal(lambda: ask(model="chatty", messages=CHAT, top_logprobs=2)).param == "top_logprobs"
    assert (
        refusal(lambda: ask(model="chatty", messages=CHAT, max_tokens=3, max_completion_tokens=4)).param == "max_tokens"
    )
    assert ask(model="chatty", messages=CHAT, max_tokens=2, tools=[], store=False).choices[0].finish_reason
    for stream in (False, True):
        long = refusal(lambda stream=stream: client.completions.create(
            model="plain", prompt="the printer", max_tokens=CONTEXT, stream=stream))  # fmt: skip
        assert long.code == "G002" and f"{CONTEXT:,}" in long.message
    huge = refusal(lambda: client.completions.create(model="plain", prompt="a" * 7_000_000))
    assert huge.code == "G002" and "letters" in huge.message
    assert refusal(lambda: client.completions.create(model="plain", prompt=[99_999])).code == "G003"
    raw = httpx.post(f"{place.server.url}/v1/completions", content=b"{", headers={"Content-Type": "application/json"})
    assert (raw.status_code, raw.json()["error"]["code"]) == (400, "H004")
    assert httpx.get(f"{place.server.url}/v1/nothing").json()["error"]["code"] == "H001"


def test_a_client_that_leaves_frees_its_slots(place: Place) -> None:
    """Streaming or not, running or waiting."""
    named: dict[str, Any] = {"model": "plain", "prompt": "the", "max_tokens": 15_000, "logit_bias": NO_END}
    before = place.metric("honed_texts_cancelled_total", "plain")
    streams = [place.client.completions.create(**named, stream=True) for _ in range(5)]
    for stream in streams[:3]:
        assert len([chunk for chunk, _ in zip(stream, range(3), strict=False)]) == 3
    assert place.metric("honed_texts_running", "plain") == 3 and place.metric("honed_texts_waiting", "plain") == 2
    for stream in streams:
        stream.close()
    begin = time.monotonic()
    until(lambda: place.metric("honed_texts_running", "plain") + place.metric("honed_texts_waiting", "plain") == 0, 5)
    assert place.metric("honed_texts_cancelled_total", "plain") == before + 5
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{place.server.url}/v1/completions", json={**named, "n": 2}, timeout=0.3)
    until(lambda: place.metric("honed_texts_running", "plain") == 0, 5)
    assert place.metric("honed_texts_cancelled_total", "plain") == before + 7
    assert time.monotonic() - begin < 10


def test_a_full_queue_is_told(place: Place) -> None:
    named: dict[str, Any] = {
        "model": "plain",
        "prompt": "the",
        "max_tokens": 15_000,
        "logit_bias": NO_END,
        "stream": True,
    }
    streams = [place.client.completions.create(**named) for _ in range(8)]
    full = refusal(lambda: place.client.completions.create(**named), "RateLimitError")
    assert full.code == "H008" and int(full.response.headers["retry-after"]) >= 1
    assert place.client.completions.create(model="tickets", prompt="a").choices, "another model has a queue of its own"
    for stream in streams:
        stream.close()
    until(lambda: place.metric("honed_texts_running", "plain") == 0, 5)
    assert place.client.completions.create(model="plain", prompt="a", max_tokens=2).choices


def worker_of(place: Place, name: str) -> int:
    process = place.server.service.shelf.find(name).lane.process
    assert process is not None
    return process.pid


def test_a_worker_that_dies_ends_streams_with_an_error_and_the_rest_begins_anew(place: Place) -> None:
    named: dict[str, Any] = {"model": "chatty", "prompt": "the printer", "temperature": 0, "logit_bias": NO_END}
    wanted = place.client.completions.create(**named, max_tokens=1500).choices[0].text
    stream = place.client.completions.create(**named, max_tokens=15_000, stream=True)
    assert next(iter(stream)).choices
    whole: list[str] = []

    def ask() -> None:
        whole.append(place.client.completions.create(**named, max_tokens=1500).choices[0].text)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: place.metric("honed_texts_running", "chatty") == 2, 10)
    os.kill(worker_of(place, "chatty"), signal.SIGKILL)
    with pytest.raises(openai.APIError) as caught:
        for _ in stream:
            pass
    assert caught.value.body["code"] == "H010" and "lost while it wrote" in caught.value.message
    thread.join(60)
    assert whole == [wanted], "an answer of which nothing was told begins anew"
    until(lambda: place.metric("honed_texts_running", "chatty") == 0, 5)
    assert place.server.service.shelf.find("chatty").lane.counts.restarts == 1


def test_a_stream_outlives_the_version_it_began_with(folder: Path, tmp_path: Path) -> None:
    """A reload switches new requests at once; what is being written is written to its end."""
    old, new = tmp_path / "old", tmp_path / "new"
    for place in (old, new):
        shutil.copytree(folder / "tickets", place)
    write_json(new / "manifest.json", {**read_json(new / "manifest.json"), "created": "2026-11-26T00:00:00+00:00"})
    settings = Settings(admission=Admission(unfit_because="a test"))
    named: dict[str, Any] = {"model": "tickets", "prompt": "the printer", "max_tokens": 3000, "logit_bias": NO_END}
    with running([old], settings=settings) as server, client_of(server) as client:
        whole = client.completions.create(**named)
        stream = client.completions.create(**named, stream=True)
        text = next(iter(stream)).choices[0].text
        asyncio.run_coroutine_threadsafe(server.service.reload("tickets", new), server.loop).result(120)
        text += "".join(chunk.choices[0].text for chunk in stream)
        assert text == whole.choices[0].text
        again = client.completions.create(**named)
        assert again.choices[0].text == text and again.system_fingerprint != whole.system_fingerprint


def test_the_command_serves_a_base_and_loads_no_torch_where_it_speaks_http(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "plain", tmp_path / "logbook" / "model")
    server = started(tmp_path / "logbook" / "model", "--slots", "2")
    try:
        (told,) = httpx.get(f"{server.url}/v1/models").json()["data"]
        assert told["id"] == "logbook", "the folder of a run says more than its part named model"
        given = {"model": "logbook", "prompt": "the", "max_tokens": 3}
        assert httpx.post(f"{server.url}/v1/completions", json=given, timeout=60).json()["choices"][0]["text"]
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "libtorch" not in maps and "libtorch" in Path(f"/proc/{server.workers()[0].pid}/maps").read_text()
        stream = httpx.stream("POST", f"{server.url}/v1/completions", timeout=60, json={
            **given, "max_tokens": 3000, "logit_bias": NO_END, "stream": True})  # fmt: skip
        with stream as response:
            lines = response.iter_lines()
            next(lines)
            server.process.send_signal(signal.SIGTERM)
            assert [line for line in lines if line][-1] == "data: [DONE]", "what was accepted is written to its end"
        assert server.process.wait(30) == 0
    finally:
        ended(server)


def test_time_that_runs_out_is_told(folder: Path) -> None:
    settings = Settings(Limits(write_s=0.4), Admission(unfit_because="a test"))
    named: dict[str, Any] = {"model": "plain", "prompt": "the", "max_tokens": 15_000, "logit_bias": NO_END, "n": 16}
    with running([folder / "plain"], settings=settings) as server, client_of(server) as client:
        assert refusal(lambda: client.completions.create(**named), "InternalServerError").status_code == 504
        with pytest.raises(openai.APIError, match=r"longer than 0\.4 s"):
            list(client.completions.create(**named, stream=True))
        until(lambda: server.service.shelf.find().lane.desk.running == 0, 5)
        assert server.service.shelf.find().lane.desk.n_open == 0


def test_keys_are_asked_for(folder: Path) -> None:
    keys = (Key("predict", "shop", digest_of("the right key")),)
    with running([folder / "plain"], keys=keys) as server:
        with client_of(server, "the right key") as client:
            assert client.models.list().data[0].id == "plain"
            assert client.completions.create(model="plain", prompt="a", max_tokens=2).choices
        with client_of(server, "another") as client:
            wrong = refusal(lambda: client.completions.create(model="plain", prompt="a"), "AuthenticationError")
            assert (wrong.code, wrong.type) == ("H011", "authentication_error")


def test_what_was_written_is_kept_for_monitoring(folder: Path, tmp_path: Path) -> None:
    """Rows of bundles, masked as all texts are; a base knows no rows and keeps nothing."""
    log = PredictionLog(tmp_path / "log.db")
    settings = Settings(admission=Admission(unfit_because="a test"))
    asked = "write to anna.schmidt@example.com please"
    with (
        running([folder / "plain", folder / "tickets"], settings=settings, log=log) as server,
        client_of(server) as client,
    ):
        named: dict[str, Any] = {"model": "tickets", "messages": [{"role": "user", "content": asked}]}
        found = client.chat.completions.create(**named, user="anna")
        pieces = client.chat.completions.create(**named, stream=True)
        chunks = list(pieces)
        ident = chunks[0].id.removeprefix("chatcmpl-")
        client.completions.create(model="plain", prompt="the", max_tokens=3)
        log.flush()
        with closing(sqlite3.connect(tmp_path / "log.db")) as base:
            kept = base.execute("select model, request, inputs, prediction, subject from predictions").fetchall()
        assert [one[0] for one in kept] == ["tickets"] * 2 and kept[1][1] == ident
        assert json.loads(kept[0][3]) == found.choices[0].message.content and "anna" not in str(kept)
        labelled = httpx.post(f"{server.url}/labels", json={"request_id": ident, "row": 0, "label": "done"})
        assert labelled.json() == {"kept": 1}


def test_a_model_that_writes_nothing_says_so(bundle: Path) -> None:
    settings = Settings(admission=Admission(unfit_because="a test"))
    with running([bundle], settings=settings) as server, client_of(server) as client:
        assert client.models.list().data == []
        name = next(iter(server.service.shelf.versions))
        assert refusal(lambda: client.completions.create(model=name, prompt="a")).code == "H030"
