"""Texts continued by decoders: alone or in company the same, and as transformers continues them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from honed.errors import GenerationError
from honed.generation.beginnings import Beginnings
from honed.generation.choosing import _by_share, _likeliest, _limited, adjusted, chosen
from honed.generation.generator import Generator
from honed.generation.row import Row, shared
from honed.generation.settings import Request, Settings, Token
from honed.generation.text_stream import TextStream
from honed.generation.weights import try_weights
from honed.networks.decoders.loading import Loaded, load_decoder
from honed.networks.decoders.vocabulary import Vocabulary
from honed.testing.tiny_decoders import tiny_decoder

KINDS = ("gpt2", "llama", "mistral", "qwen2", "qwen3")
PROMPTS = [
    "the printer",
    "my password does not work since",
    "a",
    "the wireless network drops every ten minutes in the main",
]
LONG = Settings(max_tokens=30, ignore_end=True)
Open = Callable[[str], Loaded]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Opens tiny decoders by kind, each once."""
    found: dict[str, Loaded] = {}

    def opened(kind: str) -> Loaded:
        if kind not in found:
            found[kind] = load_decoder(tiny_decoder(kind, tmp_path_factory.mktemp("bases") / kind))
        return found[kind]

    return opened


def by_transformers(loaded: Loaded, prompt: str, n: int, **options: Any) -> list[int]:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(loaded.folder).eval()
    model.generation_config.eos_token_id = None
    ids = torch.tensor([loaded.vocabulary.encode(prompt)])
    with torch.inference_mode():
        found = model.generate(ids, max_new_tokens=n, do_sample=False, pad_token_id=0, **options)
    return [int(one) for one in found[0, ids.shape[1] :]]


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_alone_in_company_and_by_transformers(kind: str, engine: str, decoder: Open) -> None:
    loaded = decoder(kind)
    generator = Generator(loaded, engine=engine, slots=3, chunk=7, threads=1)
    wanted = [by_transformers(loaded, prompt, 30) for prompt in PROMPTS]
    together = generator.generate(PROMPTS * 2, LONG)
    assert [one.ids for one in together] == wanted * 2
    assert [one.ids for prompt in PROMPTS for one in generator.generate([prompt], LONG)] == wanted
    assert {one.finish for one in together} == {"length"} and generator.n_running == generator.n_waiting == 0
    assert all(
        one.text == loaded.vocabulary.decode([*loaded.vocabulary.encode(p), *one.ids])[len(p) :]
        for p, one in zip(PROMPTS, together, strict=False)
    )


@pytest.mark.parametrize("kind", ["gpt_neox", "opt", "gpt_neo", "phi"])
def test_other_architectures_go_through_transformers(kind: str, decoder: Open) -> None:
    loaded = decoder(kind)
    generator = Generator(loaded, slots=2, chunk=5)
    assert generator.reader.name == "transformers"
    found = generator.generate(PROMPTS[:3], Settings(max_tokens=12, ignore_end=True))
    assert [one.ids for one in found] == [by_transformers(loaded, prompt, 12) for prompt in PROMPTS[:3]]


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_requests_join_and_leave_at_any_step(engine: str, decoder: Open) -> None:
    generator = Generator(decoder("llama"), engine=engine, slots=4, threads=1)
    alone = {prompt: generator.generate([prompt], LONG)[0].ids for prompt in PROMPTS}
    first = generator.submit(Request(PROMPTS[0], LONG))
    for _ in range(5):
        generator.step()
    second = generator.submit(Request(PROMPTS[1], LONG))
    for _ in range(3):
        generator.step()
    third, fourth = (generator.submit(Request(PROMPTS[n], LONG)) for n in (2, 3))
    generator.step()
    assert generator.n_running == 4
    second.cancel()
    assert generator.n_running == 3 and second.finished and second.result().finish == "cancelled"
    assert second.result().ids == alone[PROMPTS[1]][: len(second.result().ids)] and len(second.result().ids) >= 4
    late = generator.submit(Request(PROMPTS[1], LONG))
    answers = {n: stream.result().ids for n, stream in zip((0, 2, 3, 1), (first, third, fourth, late), strict=True)}
    assert answers == {n: alone[PROMPTS[n]] for n in range(4)}


def test_cancelling_frees_a_slot_for_who_waits(decoder: Open) -> None:
    generator = Generator(decoder("llama"), slots=1, threads=1, chunk=2)
    long, waiting, never = (generator.submit(Request(PROMPTS[n], LONG)) for n in (3, 0, 1))
    generator.step()
    assert (generator.n_running, generator.n_waiting) == (1, 2)
    never.cancel()
    long.cancel()
    assert (generator.n_running, generator.n_waiting) == (0, 1)
    assert len(waiting.result().ids) == 30 and never.result().ids == []
    held: list[Any] = []
    stream = generator.submit(Request("the", LONG, on_token=lambda token: held[0].cancel() if token.id >= 0 else None))
    held.append(stream)
    assert len(stream.result().ids) == 1 and generator.n_running == 0


def test_what_goes_wrong_reaches_who_asked_and_nobody_else(decoder: Open) -> None:
    generator = Generator(decoder("llama"), slots=3, threads=1)
    wanted = generator.generate(PROMPTS[:2], LONG)

    def failing(_: Token) -> None:
        raise KeyError("mistake")

    streams = [generator.submit(Request(prompt, LONG)) for prompt in PROMPTS[:2]]
    wrong = generator.submit(Request(PROMPTS[2], LONG, on_token=failing))
    assert [stream.result().ids for stream in streams] == [one.ids for one in wanted]
    with pytest.raises(KeyError, match="mistake"):
        wrong.result()
    assert len(list(streams[1])) >= 30 and list(streams[1]) == []
    held: list[Any] = []
    first = generator.submit(Request(PROMPTS[0], LONG))
    held += [first, generator.submit(Request(PROMPTS[1], LONG, on_token=lambda _: held[0].cancel()))]
    assert held[1].result().ids == wanted[1].ids and len(first.result().ids) == 1
    reader: Any = generator.reader
    good, reader.step = reader.step, None
    stop = threading.Event()
    driver = threading.Thread(target=generator.drive, args=(stop,), daemon=True)
    driver.start()
    with pytest.raises(TypeError):
        generator.submit(Request(PROMPTS[0], LONG)).result()
    reader.step = good
    assert generator.submit(Request(PROMPTS[0], LONG)).result().ids == wanted[0].ids
    stop.set()
    driver.join(10)


def test_a_thread_drives_and_others_ask(decoder: Open) -> None:
    generator, stop = Generator(decoder("llama"), slots=3, threads=1), threading.Event()
    wanted = [generator.generate([prompt], LONG)[0].ids for prompt in PROMPTS]
    driver = threading.Thread(target=generator.drive, args=(stop,), daemon=True)
    driver.start()
    found: dict[int, list[int]] = {}

    def ask(n: int) -> None:
        found[n] = [token.id for token in generator.submit(Request(PROMPTS[n % 4], LONG)) if token.id >= 0]

    asking = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(30)
    stop.set()
    driver.join(10)
    assert found == {n: wanted[n % 4] for n in range(8)} and not driver.is_alive()


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 1.0},
        {"temperature": 0.7, "top_p": 0.8},
        {"temperature": 1.5, "top_k": 20, "min_p": 0.02},
        {"temperature": 1.0, "repetition_penalty": 1.3, "presence_penalty": 0.5, "frequency_penalty": 0.2},
    ],
)
def test_draws_by_a_seed_are_the_same_alone_and_in_company(settings: dict[str, Any], decoder: Open) -> None:
    generator = Generator(decoder("llama"), slots=4, threads=1)
    every = [Settings(**settings, max_tokens=20, seed=seed, ignore_end=True) for seed in (1, 2, 1, 3)]
    alone = [generator.generate([PROMPTS[0]], one)[0].ids for one in every]
    streams = [generator.submit(Request(PROMPTS[0], one)) for one in every]
    assert [stream.result().ids for stream in streams] == alone
    assert alone[0] == alone[2] and len({tuple(one) for one in alone}) == 3
    free = Settings(**settings, max_tokens=20, ignore_end=True)
    drawn = generator.generate([PROMPTS[0]], free)[0]
    assert (
        generator.generate([PROMPTS[0]], Settings(**settings, max_tokens=20, seed=drawn.seed, ignore_end=True))[0].ids
        == drawn.ids
    )


def test_draws_follow_the_shares() -> None:
    shares = np.array([[0.5, 0.0, 0.3, 0.2]])
    draws = (np.arange(1000) + 0.5)[:, None] / 1000
    counts = np.bincount(_by_share(np.repeat(shares, 1000, axis=0), draws), minlength=4)
    assert counts.tolist() == [500, 0, 300, 200]
    assert _by_share(shares, np.array([[1.0 - 1e-17]])) == [3]


@pytest.mark.parametrize(
    "limit", [(0, 0.9, 0.0), (7, 1.0, 0.0), (0, 1.0, 0.05), (40, 0.7, 0.1), (3, 0.2, 0.0), (0, 1e-6, 0.0)]
)
def test_the_tokens_left_are_those_of_transformers(limit: tuple[int, float, float]) -> None:
    from transformers.generation.logits_process import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    logits = torch.from_numpy(np.random.default_rng(4).normal(size=(5, 3000)) * 3)
    top_k, top_p, min_p = limit
    left: Any = logits
    for wanted, warper in (
        (top_k, TopKLogitsWarper),
        (top_p < 1 and top_p, TopPLogitsWarper),
        (min_p, MinPLogitsWarper),
    ):
        left = warper(wanted)(None, left) if wanted else left
    ids, shares = _likeliest(logits.numpy() - logits.numpy().max(axis=1, keepdims=True), [limit] * 5)
    limited = _limited(shares, [limit] * 5)
    found = np.zeros((5, 3000))
    np.put_along_axis(found, ids, limited / limited.sum(axis=1, keepdims=True), axis=1)
    np.testing.assert_allclose(found, torch.softmax(left, dim=-1).numpy(), atol=1e-12)


def row_of(ids: list[int], new: list[int], vocabulary: Vocabulary, **settings: Any) -> Row:
    row = Row(Request(ids, Settings(**settings, ignore_end=True)), ids, vocabulary, 100)
    for token in new:
        row.take(token)
    return row


def test_penalties_and_biases(decoder: Open) -> None:
    from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

    vocabulary = decoder("llama").vocabulary
    logits = np.random.default_rng(1).normal(size=(3, 300)).astype(np.float32)
    rows = [
        row_of([5, 6], [7, 7, 8], vocabulary, repetition_penalty=1.7),
        row_of([5, 6], [7, 7, 8], vocabulary, presence_penalty=0.5, frequency_penalty=0.25),
        row_of([5, 6], [], vocabulary, logit_bias={3: 2.5, 4: -100.0}),
    ]
    found = adjusted(logits, rows)
    theirs = RepetitionPenaltyLogitsProcessor(1.7)(torch.tensor([rows[0].ids]), torch.from_numpy(logits[:1].copy()))
    np.testing.assert_allclose(found[:1], theirs.numpy(), rtol=1e-6)
    wanted = logits[1].copy()
    wanted[[7, 8]] -= [0.5 + 2 * 0.25, 0.5 + 0.25]
    np.testing.assert_allclose(found[1], wanted, rtol=1e-6)
    np.testing.assert_allclose(
        found[2] - logits[2], [2.5 if n == 3 else -100.0 if n == 4 else 0.0 for n in range(300)], atol=1e-5
    )
    loaded = decoder("llama")
    ours = Generator(loaded, threads=1).generate(
        [PROMPTS[1]], Settings(max_tokens=25, repetition_penalty=1.4, ignore_end=True)
    )
    assert ours[0].ids == by_transformers(loaded, PROMPTS[1], 25, repetition_penalty=1.4)
    assert chosen(logits, [row_of([1], [], vocabulary)] * 3) == logits.argmax(axis=1).tolist()


def test_probabilities_are_those_of_the_model(decoder: Open) -> None:
    loaded = decoder("qwen2")
    found = Generator(loaded, threads=1).generate(
        [PROMPTS[0]], Settings(max_tokens=8, logprobs=5, temperature=0.8, seed=3, ignore_end=True)
    )[0]
    ids = loaded.vocabulary.encode(PROMPTS[0])
    with torch.inference_mode():
        wanted = torch.log_softmax(loaded.network(torch.tensor([[*ids, *found.ids]]))[0], dim=-1)
    for place, token in enumerate(found.tokens):
        here = wanted[len(ids) - 1 + place]
        assert token.logprob == pytest.approx(float(here[token.id]), abs=1e-4)
        values, best = here.topk(5)
        assert [one for one, _ in token.top] == best.tolist()
        np.testing.assert_allclose([value for _, value in token.top], values.numpy(), atol=1e-4)


def test_known_beginnings_are_read_once_and_change_nothing(decoder: Open) -> None:
    generator, fresh = (
        Generator(decoder("llama"), slots=4, threads=1),
        Generator(decoder("llama"), kept_mib=0, threads=1),
    )
    start = "my password does not work since this morning please reset it "
    prompts = [start + end for end in ("now", "again", "and the printer", "now")]
    wanted = [fresh.generate([prompt], LONG)[0] for prompt in prompts]
    assert [one.n_reused for one in wanted] == [0, 0, 0, 0]
    together, later = generator.generate(prompts, LONG), generator.generate(prompts, LONG)
    for found in (together, later):
        assert [one.ids for one in found] == [one.ids for one in wanted]
    assert together[0].n_reused == 0 and min(one.n_reused for one in [*together[1:], *later]) >= 8
    assert later[0].n_reused == later[0].n_prompt - 1
    chat = [*decoder("llama").vocabulary.encode(start + "now"), *later[0].ids, 9]
    again = generator.generate([chat], LONG)[0]
    assert again.n_reused > later[0].n_prompt and again.ids == fresh.generate([chat], LONG)[0].ids


def test_beginnings_stay_within_their_memory() -> None:
    kept = Beginnings(1000)
    for n in range(30):
        kept.keep([n, *range(20)], np.zeros(25, np.float32))
    assert kept.n_bytes == 1000 and len(kept) == 10
    assert kept.find([29, *range(20), 7])[0] == 21 and kept.find([3, *range(20)]) == (0, None)
    kept.keep([29, *range(30)], np.zeros(25, np.float32))
    assert kept.n_bytes == 1000 and not kept.wants([29, *range(25)]) and kept.wants([29, *range(31)])
    kept.keep(range(500), np.zeros(1000, np.float32))
    assert kept.n_bytes == 1000
    assert [shared([1, 2, 3], other) for other in ([1, 2, 3, 4], [1, 2], [1, 5, 3], [4])] == [3, 2, 1, 0]


def test_stop_texts_end_an_answer_and_are_never_shown(decoder: Open) -> None:
    loaded = decoder("llama")
    vocabulary = loaded.vocabulary
    ids = vocabulary.encode("room twelve is out of paper", special=False)
    for stop, shown, stopped in (
        ("lve is o", "room twe", True),
        ("xyz", "room twelve is out of paper", False),
        ("paper!", "room twelve is out of paper", False),
    ):
        stream, pieces = TextStream(vocabulary, [], [stop, "never"]), []
        for token in ids:
            pieces.append(stream.push(token))
            assert not any(stop[:1] == one[-1:] for one in pieces if one)
            if stream.stopped:
                break
        assert "".join(pieces) + ("" if stopped else stream.finish()) == shown and stream.stopped == stopped
    generator = Generator(loaded, threads=1)
    whole = generator.generate([PROMPTS[0]], LONG)[0]
    stop = whole.text[len(whole.text) // 2 : len(whole.text) // 2 + 3]
    cut = generator.generate([PROMPTS[0]], Settings(max_tokens=30, stop=[stop], ignore_end=True))[0]
    assert cut.finish == "stop" and cut.text == whole.text[: whole.text.index(stop)]
    shown = "".join(
        token.text
        for token in generator.submit(Request(PROMPTS[0], Settings(max_tokens=30, stop=[stop + "no"], ignore_end=True)))
    )
    assert shown == whole.text


@pytest.mark.parametrize("by_table", [True, False])
def test_text_never_ends_within_a_character(by_table: bool, decoder: Open) -> None:
    source = decoder("llama").vocabulary
    text = "naïve 🙂 12 € — 日本"
    vocabulary = Vocabulary(source.core)
    if not by_table:
        vocabulary.__dict__["pieces"] = None
    stream = TextStream(vocabulary, [])
    shown = [stream.push(token) for token in vocabulary.encode(text, special=False)]
    assert "".join(shown) + stream.finish() == text and not any("�" in one for one in shown) and "" in shown
    stream = TextStream(vocabulary, [])
    half = [stream.push(token) for token in vocabulary.encode("🙂", special=False)[:2]]
    assert half == ["", ""] and stream.finish() == "�"


def test_an_end_token_ends(decoder: Open) -> None:
    loaded = decoder("llama")
    generator = Generator(loaded, threads=1)
    forced = Settings(max_tokens=9, logit_bias={1: 1000.0})
    found = generator.generate([PROMPTS[0]], forced)[0]
    assert found.finish == "stop" and found.ids == [] and found.text == ""
    assert (
        generator.generate([PROMPTS[0]], Settings(max_tokens=9, logit_bias={1: 1000.0}, ignore_end=True))[0].ids
        == [1] * 9
    )
    full = generator.generate([[5] * 120], Settings(max_tokens=500, ignore_end=True))[0]
    assert full.finish == "length" and len(full.ids) == 8


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_guessing_changes_nothing_and_saves_passes(engine: str, decoder: Open) -> None:
    generator = Generator(decoder("llama"), engine=engine, threads=1, kept_mib=0)
    plain, guessing = Settings(max_tokens=60, ignore_end=True), Settings(max_tokens=60, look_up=6, ignore_end=True)
    prompts = [*PROMPTS, "the printer the printer the printer the"]
    wanted = [generator.generate([prompt], plain)[0].ids for prompt in prompts]
    passes = counted(generator)
    assert [generator.generate([prompt], guessing)[0].ids for prompt in prompts] == wanted
    assert len(passes) < 60 * len(prompts) - 20
    assert [one.ids for one in generator.generate(prompts[:3], guessing)] == wanted[:3]
    mixed = [
        generator.submit(Request(prompts[n], one))
        for n, one in enumerate(
            (guessing, plain, Settings(max_tokens=60, repetition_penalty=1.3, look_up=4, ignore_end=True))
        )
    ]
    assert [one.result().ids for one in mixed[:2]] == wanted[:2]
    assert (
        mixed[2].result().ids
        == generator.generate([prompts[2]], Settings(max_tokens=60, repetition_penalty=1.3, ignore_end=True))[0].ids
    )


def counted(generator: Generator) -> list[int]:
    """Lengths of all passes from now on."""
    found: list[int] = []
    reader: Any = generator.reader
    read, step = reader.read, reader.step

    def reading(slot: int, tokens: Any, start: int, **options: Any) -> Any:
        found.append(len(tokens))
        return read(slot, tokens, start, **options)

    def stepping(tokens: Any, places: Any) -> Any:
        found.append(1)
        return step(tokens, places)

    reader.read, reader.step = reading, stepping
    return found


def test_long_prompts_do_not_stop_running_answers(decoder: Open) -> None:
    generator = Generator(decoder("llama"), slots=2, chunk=10, threads=1)
    got: list[Token] = []
    generator.submit(Request("a", LONG, on_token=got.append))
    generator.step()
    passes = counted(generator)
    long = generator.submit(Request([7] * 45, LONG))
    before = len(got)
    while not long._row.tokens:
        generator.step()
    assert max(passes) == 10 and len(got) - before == 5


def test_bounds_and_prompts_are_checked(decoder: Open) -> None:
    wrong: list[dict[str, Any]] = [
        {"max_tokens": 0}, {"max_tokens": 2.5}, {"temperature": -1}, {"temperature": float("nan")}, {"top_p": 0}, {"top_k": -1},
        {"min_p": 2},
        {"logprobs": 101}, {"stop": "text"}, {"stop": [""]}, {"logit_bias": {-1: 2.0}}, {"regex": "a", "json_schema": {}},
        {"repetition_penalty": 0}, {"presence_penalty": 3}, {"look_up": 65}, {"max_tokens": True},
    ]  # fmt: skip
    for fields in wrong:
        with pytest.raises(GenerationError, match="G001"):
            Settings(**fields)
    generator = Generator(decoder("llama"), threads=1)
    for prompt, code in (([1] * 128, "G002"), ([], "G003"), ([320], "G003"), ([-1], "G003")):
        with pytest.raises(GenerationError, match=code):
            generator.submit(Request(prompt))
    with pytest.raises(GenerationError, match="G003"):
        generator.submit(Request([5], Settings(logit_bias={320: 1.0})))
    assert generator.generate([""], Settings(max_tokens=2))[0].n_prompt == 1
    for options, code in (
        ({"engine": "quick"}, "G001"),
        ({"weights": "int2"}, "G001"),
        ({"engine": "torch", "weights": "int8"}, "G006"),
        ({"engine": "transformers"}, "G006"),
    ):
        with pytest.raises(GenerationError, match=code):
            Generator(decoder("llama"), **options)  # type: ignore[arg-type]
    with pytest.raises(GenerationError, match="G006"):
        Generator(decoder("opt"), engine="onnx")


@pytest.mark.parametrize(("weights", "bound"), [("int8", 0.02), ("int4", 0.25), ("bfloat16", 0.02)])
def test_packed_weights_answer_nearly_the_same(weights: str, bound: float, tmp_path: Path) -> None:
    loaded = load_decoder(tiny_decoder("llama", tmp_path / "base"))
    exact = Generator(loaded, engine="torch").reader.read(0, list(range(5, 45)), 0, every=True)
    found = Generator(loaded, weights=weights, threads=1).reader.read(0, list(range(5, 45)), 0, every=True)
    assert 0 < np.abs(found - exact).mean() < bound * exact.std()


def test_fewer_bits_are_taken_only_where_they_agree(decoder: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("honed.generation.weights.GAIN", 0.0)
    rough = {one.weights: one for one in try_weights(decoder("llama"), threads=1)}
    assert [name for name, one in rough.items() if one.taken] != ["int4"] and rough["int4"].divergence > rough[
        "int8"
    ].divergence > 0
    assert (rough["float32"].agreement, rough["float32"].divergence) == (1.0, 0.0)
    monkeypatch.setattr("honed.generation.weights.LEAST_AGREEMENT", 0.0)
    monkeypatch.setattr("honed.generation.weights.MOST_DIVERGENCE", 100.0)
    taken = [one for one in try_weights(decoder("llama"), threads=1) if one.taken]
    assert len(taken) == 1 and taken[0].weights in ("int8", "int4")
    monkeypatch.setattr("honed.generation.weights.GAIN", 1e9)
    assert Generator(decoder("llama"), weights="auto", threads=1).generate(["a"], LONG) is not None
    assert [one.weights for one in try_weights(decoder("llama"), threads=1) if one.taken] == ["float32"]


def test_answers_have_the_wanted_form(decoder: Open) -> None:
    pytest.importorskip("llguidance", reason="needs the package llguidance")
    jsonschema = pytest.importorskip("jsonschema", reason="needs the package jsonschema")
    generator = Generator(decoder("llama"), slots=4, threads=1)
    expression = r"[A-Z]{2}-[0-9]{3,5}(é|ü)?"
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 8}, "kind": {"enum": ["printer", "paper"]}, "urgent": {"type": "boolean"}},
        "required": ["name", "kind", "urgent"], "additionalProperties": False,
    }  # fmt: skip
    streams = []
    for seed in range(6):
        hot = {"max_tokens": 100, "temperature": 1.2, "seed": seed}
        streams.append(
            (
                generator.submit(Request(PROMPTS[0], Settings(**hot, regex=expression))),
                generator.submit(Request(PROMPTS[1], Settings(**hot, json_schema=schema))),
            )
        )
    plain = generator.submit(Request(PROMPTS[0], LONG))
    found = [(by_regex.result(), by_schema.result()) for by_regex, by_schema in streams]
    for by_regex, by_schema in found:
        assert re.fullmatch(expression, by_regex.text) and by_regex.finish == "stop"
        assert by_schema.finish == "stop"
        jsonschema.validate(json.loads(by_schema.text), schema)
    assert len({one.text for pair in found for one in pair}) > 6
    assert plain.result().ids == generator.generate([PROMPTS[0]], LONG)[0].ids
    for wrong in ({"regex": "(["}, {"json_schema": {"type": "thing"}}):
        with pytest.raises(GenerationError, match="G004"):
            generator.submit(Request("a", Settings(**wrong)))  # type: ignore[arg-type]
