"""Encoders of every architecture: equal to the stock classifier after saving, to the bit after loading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from honed.networks import products
from honed.networks.encoder import EncoderClassifier, load_encoder
from honed.networks.engine import NetworkPredictor, features_of, length_sorted
from honed.networks.linear_text import LinearText
from honed.tasks.contract import Problem
from honed.testing.tiny_models import ARCHITECTURES, SENTENCES, tiny_model
from honed.zoo.local import local_base

ROWS = [(text,) for text in (*SENTENCES, "printer", "the password of the network " * 5)]
LABELS = ("a", "b", "c")


def network(architecture: str, folder: Path) -> EncoderClassifier:
    base = local_base(tiny_model(architecture, folder))
    found = EncoderClassifier.from_base(base, n_outputs=3, kind="multiclass", labels=LABELS, max_length=32)
    torch.nn.init.normal_(found.head.weight, std=0.5)
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_saved_as_a_stock_classifier(tmp_path: Path, architecture: str) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    ours = network(architecture, tmp_path / "base")
    outputs = NetworkPredictor(ours).outputs(ROWS)
    ours.save(tmp_path / "saved")
    assert (NetworkPredictor(load_encoder(tmp_path / "saved")).outputs(ROWS) == outputs).all()
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    with torch.inference_mode():
        for row, wanted in zip(ROWS, outputs, strict=True):
            found = stock(**tokenizer(row[0], truncation=True, max_length=32, return_tensors="pt")).logits[0].numpy()
            np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.ptp(outputs, axis=0).min() > 1e-4


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_reach_the_encoder(tmp_path: Path, architecture: str) -> None:
    ours = network(architecture, tmp_path / "base").train()
    ours(ours.collate(ours.encode(ROWS))).square().sum().backward()
    moved = [name for name, p in ours.backbone.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert any("layer" in name for name in moved)


def test_adapters_merge_into_the_weights(tmp_path: Path) -> None:
    from honed.networks.lora import merge, wrap

    ours = network("bert", tmp_path / "base")
    before = NetworkPredictor(ours).outputs(ROWS)
    wrap(ours)
    trained = [name for name, p in ours.named_parameters() if p.requires_grad]
    assert trained and all("lora" in name or name.startswith("head") for name in trained)
    np.testing.assert_allclose(NetworkPredictor(ours).outputs(ROWS), before, atol=1e-5)
    with torch.no_grad():
        for name, p in ours.named_parameters():
            if "lora" in name:
                p.add_(torch.randn_like(p) * 0.1)
    changed = NetworkPredictor(ours).outputs(ROWS)
    merge(ours)
    np.testing.assert_allclose(NetworkPredictor(ours).outputs(ROWS), changed, atol=1e-4)
    assert np.abs(changed - before).max() > 1e-3
    assert not [name for name in ours.state_dict() if "lora" in name]


def test_order_and_batches_do_not_matter(tmp_path: Path) -> None:
    ours = network("bert", tmp_path / "base")
    rng = np.random.default_rng(0)
    rows = [(" ".join(rng.choice(SENTENCES[0].split(), rng.integers(1, 20))),) for _ in range(200)]
    order = rng.permutation(200)
    whole = NetworkPredictor(ours).outputs(rows)
    np.testing.assert_allclose(NetworkPredictor(ours).outputs([rows[i] for i in order]), whole[order], atol=1e-5)
    assert features_of(ours, rows).shape == (200, 32)


def test_batches_hold_at_most_so_many_tokens() -> None:
    lengths = np.random.default_rng(0).integers(1, 300, 500).tolist()
    batches = list(length_sorted(lengths, 1000))
    assert sorted(position for batch in batches for position in batch) == list(range(500))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 1000 for batch in batches)


def test_no_rows() -> None:
    assert list(length_sorted([])) == []


def test_pairs_are_read_as_pairs(tmp_path: Path) -> None:
    ours = network("bert", tmp_path / "base")
    outputs = NetworkPredictor(ours).outputs([("the printer", "the network"), ("the network", "the printer")])
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4


def test_counted_words_survive_saving(tmp_path: Path) -> None:
    problem = Problem("text-classification", "multiclass", ("text",), "y", LABELS)
    rows, targets = (
        [(f"{word} is here {i}",) for i in range(20) for word in ("toner", "wifi", "login")],
        np.tile([0, 1, 2], 20),
    )
    fitted = LinearText.fit(rows, targets, problem, 0)
    assert (fitted.outputs(rows).argmax(1) == targets).all()
    fitted.save(tmp_path)
    np.testing.assert_allclose(
        LinearText.load(tmp_path, problem).outputs(rows[:7]), fitted.outputs(rows[:7]), rtol=1e-5, atol=1e-6
    )
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".json", ".safetensors")]


@pytest.mark.skipif(products.dnn_operator() is None, reason="this torch has no linear layer of oneDNN")
def test_a_weight_of_one_dimension_is_left_to_torch() -> None:
    """D-FINE has such a layer, and oneDNN refuses it."""
    rows, weight = torch.rand(5, 7), torch.rand(7)
    with torch.inference_mode(), products._ByOneDnn():
        found = torch.nn.functional.linear(rows, weight)
    torch.testing.assert_close(found, rows @ weight)


@pytest.mark.skipif(products.dnn_operator() is None, reason="this torch has no linear layer of oneDNN")
@pytest.mark.parametrize("shape", [(1, 8), (3, 5, 8), (2, 3, 4, 8)])
def test_products_by_onednn_are_those_of_torch(shape: tuple[int, ...]) -> None:
    rows, layer, bare = torch.randn(shape), torch.nn.Linear(8, 6), torch.nn.Linear(8, 6, bias=False)
    with torch.inference_mode():
        wanted = layer(rows), bare(rows)
        with products._ByOneDnn():
            found = layer(rows), bare(rows)
            none = layer(torch.empty(0, 8))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert none.shape == (0, 6)


@pytest.mark.skipif(products.dnn_operator() is None, reason="this torch has no linear layer of oneDNN")
def test_products_by_onednn_leave_the_rest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training, other number formats and autocast compute as before."""
    rows, layer = torch.randn(4, 8), torch.nn.Linear(8, 6)
    monkeypatch.setattr(products, "dnn_operator", lambda: pytest.fail("oneDNN was called"))
    with products._ByOneDnn():
        layer(rows).sum().backward()
        with torch.inference_mode():
            layer.double()(rows.double())
            with torch.autocast("cpu", dtype=torch.bfloat16):
                layer.float()(rows)
    assert layer.weight.grad is not None


@pytest.mark.parametrize(("maker", "machine", "wanted"), [
    ("vendor_id : AuthenticAMD", "x86_64", True), ("vendor_id : GenuineIntel", "x86_64", False), ("Apple", "arm64", False),
])  # fmt: skip
def test_onednn_where_torchs_own_products_are_slow(
    monkeypatch: pytest.MonkeyPatch, maker: str, machine: str, wanted: bool
) -> None:
    monkeypatch.setattr(products, "_maker", lambda: maker)
    monkeypatch.setattr(products.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(products, "dnn_operator", lambda: print)
    products.dnn_pays.cache_clear()
    assert products.dnn_pays() is wanted
    products.dnn_pays.cache_clear()
