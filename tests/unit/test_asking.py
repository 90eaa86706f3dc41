"""How a fitted model that writes is asked: the prompt of a chat is the prompt of the row it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from honed.errors import BundleError, GenerationError, ZooError
from honed.generation.asking import PlainAsking
from honed.generation.generator import Generator
from honed.generation.settings import Request, Settings
from honed.likelihood.tokens import Passage
from honed.model import Model
from honed.networks.decoders.decoder import Decoder
from honed.networks.decoders.hub_names import to_hub
from honed.networks.decoders.loading import load_decoder
from honed.networks.decoders.shape import Shape
from honed.networks.engine import NetworkPredictor
from honed.tasks.contract import Problem
from honed.tasks.registry import get_task
from honed.tasks.text_generation.further import scorer_of
from honed.tasks.text_generation.written import texts_of
from honed.testing.tiny_decoders import tiny_decoder
from honed.zoo.resolve import resolve
from tests.decoder_files import scored_pieces, write_llama2c
from tests.writers import base_of

USER = {"role": "user", "content": "the printer is jammed"}
TURNS = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "yes"}, USER]
SYSTEM = {"role": "system", "content": "Be kind."}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """A base without and one with a chat template."""
    place = tmp_path_factory.mktemp("asked")
    return {chat: base_of(place / str(chat), chat=chat, seed=3) for chat in (False, True)}


def network_of(base: Path, names: tuple[str, ...] = ("ticket",), **extra: Any) -> tuple[Any, Problem, Any]:
    task = get_task("text-generation")
    more = {"most_bytes": 400, "instruction": "", "messages": False, **extra}
    problem = Problem(task.name, "text", names, "reply", (), "chrf", more)
    return task.build(resolve(base, kind="decoder"), problem, task.config(max_new_tokens=16), 0).eval(), problem, task


@pytest.mark.parametrize("chat", [False, True])
def test_rows_that_are_shown_are_shown_to_chats_too(bases: dict[bool, Path], chat: bool) -> None:
    network, problem, task = network_of(bases[chat])
    rows = [("the wifi is slow",), ("reset my password",), ("the printer has no paper",)]
    predictor = task.shown(network, rows, np.array(["restart it", "done", "fill it"], dtype=object), problem)
    asking = task.asking(predictor, problem)
    prompt = asking.chat([USER])
    assert prompt.row == (USER["content"],) and asking.text(USER["content"]).ids == prompt.ids
    words = network.vocabulary.decode(prompt.ids)
    assert all(text in words for text in ("fill it", "the printer has no paper", USER["content"]))
    manner = asking.manner
    assert (manner.turns, manner.most_tokens, manner.temperature) == (False, 16, 0.0)
    found = Generator(asking.loaded, threads=1).generate([prompt.ids], Settings(max_tokens=manner.most_tokens))[0].text
    assert found == texts_of(predictor.outputs([prompt.row]))[0]
    with pytest.raises(GenerationError, match="G010"):
        asking.chat(TURNS)


def test_what_was_said_before_needs_a_template(bases: dict[bool, Path]) -> None:
    plain, problem, task = network_of(bases[False])
    with pytest.raises(GenerationError, match="single rows"):
        task.asking(NetworkPredictor(plain), problem).chat(TURNS)
    network, problem, _ = network_of(bases[True])
    asking = task.asking(NetworkPredictor(network), problem)
    assert asking.manner.turns and asking.chat(TURNS).ids == network.vocabulary.chat_prompt(TURNS)
    assert asking.chat([SYSTEM, USER]).ids == network.vocabulary.chat_prompt([SYSTEM, USER])
    told, problem, _ = network_of(bases[True], instruction="Be brief.")
    asking = task.asking(NetworkPredictor(told), problem)
    brief = {"role": "system", "content": "Be brief."}
    assert asking.chat([USER]).ids == asking.text(USER["content"]).ids == told.vocabulary.chat_prompt([brief, USER])
    assert asking.chat(TURNS).ids == told.vocabulary.chat_prompt([brief, *TURNS])
    with pytest.raises(GenerationError, match="instruction of its own"):
        asking.chat([SYSTEM, USER])


def test_several_columns_are_an_object(bases: dict[bool, Path]) -> None:
    network, problem, task = network_of(bases[False], ("subject", "body"))
    asking = task.asking(NetworkPredictor(network), problem)
    row = ("printer", "jammed")
    assert asking.text('{"body": "jammed", "subject": "printer"}').ids == network.encode([row])[0]["tokens"]
    for wrong in ("printer", '{"subject": "printer"}', '{"subject": 1, "body": "a"}', "[1]", "[" * 100_000):
        with pytest.raises(GenerationError, match="2 columns"):
            asking.text(wrong)


def test_cheap_methods_are_not_asked_and_a_base_without_a_template_has_no_chats(bases: dict[bool, Path]) -> None:
    _, problem, task = network_of(bases[False])
    baseline = task.baselines(problem, task.config())[0]
    assert task.asking(baseline.fit([("a",)], np.array(["b"], dtype=object), problem, 0), problem) is None
    plain = PlainAsking(load_decoder(bases[False]))
    assert not plain.manner.chat and plain.text("the").ids == plain.loaded.vocabulary.encode("the")
    with pytest.raises(ZooError, match="Z044"):
        plain.chat([USER])


def test_an_answer_of_its_own_begins_without_the_blank_of_its_first_word(tmp_path: Path) -> None:
    """As ``predict`` shows it, also where tokens bring the blank before their word along."""
    pieces, scores = scored_pieces()
    shape = Shape("llama", len(pieces), 64, 16, 1, 2, 2, 8, 24, tied=True)
    torch.manual_seed(0)
    weights = {name: value.numpy() for name, value in to_hub(shape, Decoder(shape).state_dict()).items()}
    loaded = load_decoder(resolve(write_llama2c(tmp_path, shape, weights, pieces, scores), kind="decoder").folder)
    generator, word = Generator(loaded, threads=1), pieces.index("▁printer")
    settings = Settings(max_tokens=3, logit_bias={word: 100.0})
    rest, own = (generator.submit(Request("the", settings, anew=anew)).result() for anew in (False, True))
    assert rest.ids == own.ids == [word] * 3
    assert rest.text == " printer printer printer" and own.text == loaded.vocabulary.decode(own.ids) == rest.text[1:]


def test_a_plain_decoder_is_no_bundle_and_that_is_said(bases: dict[bool, Path]) -> None:
    with pytest.raises(BundleError, match="not fine-tuned"):
        Model.load(bases[False])


def test_decoders_that_are_not_ours_are_judged_by_their_own_model(tmp_path: Path) -> None:
    network, _, _ = network_of(tiny_decoder("opt", tmp_path / "opt"))
    scorer = scorer_of(network)
    assert network.loaded().shape is None
    (found,) = scorer.score([Passage([2, 5], [6, 7, 8])])
    with torch.no_grad():
        logs = network.backbone.model(torch.tensor([[2, 5, 6, 7]])).logits[0].log_softmax(-1)
    np.testing.assert_allclose(found.logs, [float(logs[1 + k, token]) for k, token in enumerate([6, 7, 8])], atol=1e-5)
