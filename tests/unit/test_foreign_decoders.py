"""Decoders that our own module does not compute learn through transformers: the same loss, all weights or adapters, and a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from honed.networks.decoders.foreign import ForeignDecoder
from honed.networks.decoders.layout import Layout
from honed.networks.lora import LowRank, merge, wrap
from honed.tasks.contract import Problem
from honed.tasks.registry import get_task
from honed.tasks.text_generation.writer import Writer, load_writer
from honed.testing.tiny_decoders import tiny_decoder
from honed.training.loop import Plan, train

KINDS = ["opt", "gpt_neo", "gpt_neox", "phi", "gptj", "gemma"]
TASK = get_task("text-generation")
PROBLEM = Problem(TASK.name, "text", ("ticket",), "reply", (), "chrf", {"most_bytes": 40})
ROWS = [
    ("the printer is out of paper",),
    ("my password does not work",),
    ("network",),
    ("it drops every ten minutes",),
] * 3
TEXTS = np.array(["again", "reset it", "the main building", "no"] * 3, dtype=object)


def writer_of(kind: str, folder: Path) -> Writer:
    base = tiny_decoder(kind, folder / kind)
    return Writer.from_base(base, Layout(("ticket",)), most_bytes=24)


def losses_alone(writer: Writer) -> torch.Tensor:
    """Mean loss of the wanted tokens, each text by itself through the model of transformers."""
    model, total, count = writer.backbone.model, 0.0, 0
    for row, text in zip(writer.encode(ROWS), TEXTS, strict=True):
        asked, written = row["tokens"], writer.closed(text)
        logits = model(torch.tensor([[*asked, *written]])).logits[0, len(asked) - 1 : -1]
        total, count = (
            total + torch.nn.functional.cross_entropy(logits, torch.tensor(written), reduction="sum"),
            count + len(written),
        )
    return total / count


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_is_saved_and_opens_with_transformers(kind: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    writer = writer_of(kind, tmp_path)
    assert isinstance(writer.backbone, ForeignDecoder)
    encoded = writer.encode(ROWS)
    batch, wanted = writer.collate_varied(encoded, TEXTS, np.random.default_rng(0))
    loss = TASK.loss(writer.eval()(batch), torch.as_tensor(wanted), PROBLEM, None)["loss"]
    torch.testing.assert_close(loss, losses_alone(writer), atol=1e-4, rtol=1e-4)
    wrap(writer, everywhere=True)
    assert any(isinstance(part, LowRank) for part in writer.modules()) and not isinstance(writer.head, LowRank)
    plan = Plan(12, 4, 2e-2, layer_decay=1.0)
    trace = train(writer, encoded, TEXTS, TASK, PROBLEM, None, plan)
    assert np.mean(trace.losses[-3:]) < 0.85 * np.mean(trace.losses[:3])
    merge(writer.eval())
    one, every = (writer(writer.collate(rows)) for rows in (encoded[:1], encoded))
    torch.testing.assert_close(one[0], every[0], atol=1e-4, rtol=1e-4)
    writer.save(tmp_path / "out")
    torch.testing.assert_close(load_writer(tmp_path / "out")(writer.collate(encoded)), every, atol=1e-4, rtol=1e-4)
    theirs, tokenizer = (
        AutoModelForCausalLM.from_pretrained(tmp_path / "out"),
        AutoTokenizer.from_pretrained(tmp_path / "out"),
    )
    prompt = torch.tensor([encoded[0]["tokens"]])
    torch.testing.assert_close(theirs(prompt).logits, writer.backbone.model(prompt).logits, atol=1e-5, rtol=1e-5)
    assert tokenizer.decode(encoded[0]["tokens"], skip_special_tokens=True) == "the printer is out of paper\n"


def test_all_weights_learn_too(tmp_path: Path) -> None:
    writer = writer_of("opt", tmp_path)
    encoded = writer.encode(ROWS)
    trace = train(writer, encoded, TEXTS, TASK, PROBLEM, None, Plan(8, 4, 5e-3, layer_decay=1.0))
    assert np.mean(trace.losses[-3:]) < 0.6 * np.mean(trace.losses[:3])


def test_adapters_on_the_turned_layers_of_a_gpt2_of_transformers(tmp_path: Path) -> None:
    """A GPT-2 whose attention is scaled by layer is none of ours; its linear layers lie turned over."""
    import json

    base = tiny_decoder("gpt2", tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "scale_attn_by_inverse_layer_idx": True}))
    writer = Writer.from_base(base, Layout(("ticket",)), most_bytes=24).eval()
    wrap(writer)
    for part in writer.modules():
        if isinstance(part, LowRank):
            torch.nn.init.normal_(part.lora_b, std=0.1)
    prompt = torch.tensor([[3, 4, 5]])
    before = writer.backbone.model(prompt).logits
    merge(writer)
    torch.testing.assert_close(writer.backbone.model(prompt).logits, before, atol=1e-4, rtol=1e-4)
