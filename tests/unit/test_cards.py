"""On a graphics card: the same answers and the same texts as on the processor, and training that goes on exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from honed.engines.host import digest_of
from honed.engines.prepare import available
from honed.generation.generator import Generator
from honed.generation.settings import Settings
from honed.model import Model
from honed.networks.decoders.loading import load_decoder
from honed.networks.devices import best_device, card_name, on_processor, placed
from honed.networks.engine import NetworkPredictor, device_of
from honed.networks.precision import bf16_possible
from honed.testing.tiny_decoders import tiny_decoder
from tests.conftest import rows_of_sample

on_a_card = pytest.mark.skipif(best_device() != "cuda", reason="there is no graphics card")
LONG = Settings(max_tokens=40, ignore_end=True)
PROMPTS = ["the printer", "my password does not work since", "a", "the wireless network drops every"]


def test_without_a_card_all_stays_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    layer = torch.nn.Linear(2, 2)
    assert best_device() == "cpu" and card_name() == ""
    assert placed(layer) is layer and on_processor(layer) is layer and device_of(layer).type == "cpu"


@on_a_card
def test_a_bundle_answers_as_on_the_processor(network_bundle: Path) -> None:
    model = Model.load(network_bundle)
    network: Any = model.predictor.network  # type: ignore[attr-defined]
    assert device_of(network).type == "cuda"
    inputs = model.inputs(rows_of_sample(60))
    wanted = NetworkPredictor(on_processor(network)).outputs(inputs)
    np.testing.assert_allclose(model.outputs(inputs), wanted, atol=2e-5 * max(1.0, float(np.abs(wanted).max())))
    assert digest_of(network) == digest_of(on_processor(network))
    engines = available(model)
    assert not isinstance(engines["onnx-fp32"], str), engines["onnx-fp32"]
    assert isinstance(engines["torch-bf16"], str) != bf16_possible("cuda")
    for name, engine in engines.items():
        if not isinstance(engine, str) and name.endswith("fp32"):
            np.testing.assert_allclose(
                engine.outputs(inputs), wanted, atol=1e-3 * max(1.0, float(np.abs(wanted).max()))
            )


@on_a_card
@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen3", "opt", "phi"])
def test_decoders_write_the_same_texts(kind: str, tmp_path: Path) -> None:
    folder = tiny_decoder(kind, tmp_path / kind)
    here, there = load_decoder(folder), load_decoder(folder, device="cuda")
    wanted = [one.ids for one in Generator(here, slots=3, threads=1).generate(PROMPTS, LONG)]
    generator = Generator(there, slots=3, chunk=7)
    assert generator.reader.name != "onnx"
    assert [one.ids for one in generator.generate(PROMPTS, LONG)] == wanted
    halves = Generator(there, slots=3, weights="bfloat16").generate(PROMPTS, LONG)
    assert all(len(one.ids) == 40 for one in halves)
