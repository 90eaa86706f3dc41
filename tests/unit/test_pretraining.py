"""Parts of pre-training: documents, tokenizers, shards, packing, size, optimizers."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from honed.data.documents import Corpus, Piece, open_corpus
from honed.errors import DataError
from honed.networks.decoders.quick import quicken
from honed.pretraining.engine import Learner, judge
from honed.pretraining.optimizer import make_optimizers, orthogonal, rate_at
from honed.pretraining.packing import Rows, arrangement
from honed.pretraining.shards import BOUNDARY, Stream, open_stream, write_shards
from honed.pretraining.size import (
    LADDER,
    PER_PARAMETER,
    choose_size,
    expected_loss,
    flops_per_token,
    shape_of_size,
    working_parameters,
)
from honed.pretraining.survey import divided, hold_out, survey
from honed.pretraining.tokenizer import END, encode_all, make_tokenizer, pairs_for, save_tokenizer

ODD = [
    "plain words, and more of them. 'll do", "line\r\nline\n\r\n\ttab  two  blanks ", " leading", "🙂 👩‍👩‍👧 ünï e\u0301 \u200b\ufeff",
    "中文 日本 한국 עברית", "<0x41> ▁ Ġ Ċ \x00\x01\x7f", f"a {END} b", "\U0010ffff \u2028 x",
]  # fmt: skip


def documents(corpus: Corpus) -> list[str]:
    found: list[str] = []
    for piece in corpus:
        if piece.begins:
            found.append("")
        found[-1] += piece.text
    return found


@pytest.mark.parametrize("kind", ["characters", "bytes", "bpe"])
def test_any_text_comes_back_from_its_tokens(kind: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    known = "the quick brown fox jumps over the lazy dog. " * 40
    tokenizer = make_tokenizer(kind, Counter(known), [known], 300)
    save_tokenizer(tokenizer, tmp_path, 64)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text, tokens in zip(ODD, encode_all(tokenizer, ODD), strict=True):
        assert tokenizer.decode(tokens, skip_special_tokens=False) == text
        assert BOUNDARY not in tokens
        assert theirs.decode(theirs(text).input_ids) == text
    assert theirs.eos_token_id == theirs.bos_token_id == BOUNDARY == tokenizer.token_to_id(END)
    if kind == "bpe":
        assert tokenizer.get_vocab_size() <= 300
        assert len(next(encode_all(tokenizer, [known]))) < len(known) / 2


def test_pairs_grow_with_the_text() -> None:
    assert [pairs_for(n) for n in (1000, 1_100_000, 10**7, 10**12)] == [512, 2048, 16384, 32768]


def test_documents_of_files(tmp_path: Path) -> None:
    whole = "first\r\nsecond\n\nthird 🙂\n" * 9000
    (tmp_path / "a.txt").write_bytes(whole.encode())
    one = open_corpus(tmp_path / "a.txt")
    assert one.divided == "file" and documents(one) == [whole] and len(list(one)) > 2
    (tmp_path / "b.md").write_text("x\ny\n\n\nz\n", encoding="utf-8")
    assert documents(open_corpus(tmp_path / "b.md", divided="paragraphs")) == ["x\ny", "z"]
    assert documents(open_corpus(tmp_path / "b.md", divided="lines")) == ["x", "y", "z"]
    (tmp_path / "c.txt").write_text(f"one\n{END}\ntwo\nmore\n{END}\n", encoding="utf-8")
    assert documents(open_corpus(tmp_path / "c.txt")) == ["one", "two\nmore"]
    (tmp_path / ".hidden").write_text("no", encoding="utf-8")
    (tmp_path / "d.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (tmp_path / "e.txt").write_text("last", encoding="utf-16")
    assert [text[:6] for text in documents(open_corpus(tmp_path))] == ["first\r", "x\ny\n\n\n", "one\n<|", "last"]


def test_documents_of_tables(tmp_path: Path) -> None:
    rows = [{"id": str(i), "body": f"text number {i} of several\r\nlines", "tag": "x"} for i in range(50)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    corpus = open_corpus(tmp_path / "t.jsonl")
    assert corpus.column == "body" and documents(corpus) == [row["body"] for row in rows]
    assert documents(open_corpus(tmp_path / "t.jsonl", column="tag")) == ["x"] * 50


@pytest.mark.parametrize(
    ("content", "name", "column", "code"),
    [(b"", "a.txt", None, "D002"), (b" \n \n", "a.txt", None, "D002"), (bytes(range(256)) * 9, "a.txt", None, "D090"),
     (b"words", "a.txt", "text", "D092"), (b'{"a": 1}\n{"a": 2}\n', "a.jsonl", None, "D092"),
     (b"a,b\nx y,z\n", "a.csv", "c", "D092"), (b"", "a.csv", None, "D002"), (b"PAR1zzz", "a.parquet", None, "D005")],
)  # fmt: skip
def test_what_is_no_text_is_told(content: bytes, name: str, column: str | None, code: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as told:
        survey(open_corpus(tmp_path / name, column=column), name)
    assert told.value.code == code


def test_missing_and_small_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="D001"):
        open_corpus(tmp_path / "none.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="D091"):
        open_corpus(tmp_path / "empty")
    with pytest.raises(DataError, match="D093"):
        survey([Piece("a few words", True)], "x")


def test_held_out_documents_are_whole_and_copies_stay_together() -> None:
    rng = random.Random(1)
    texts = ["".join(rng.choices("abcdef ", k=rng.randint(40, 400))) for _ in range(200)]
    texts += texts[:60]
    pieces = [Piece(text, True) for text in texts]
    held = hold_out(survey(pieces, "x"), 0.1)
    sides: dict[str, set[bool]] = {}
    for is_held, piece in divided(pieces, held):
        sides.setdefault(piece.text, set()).add(is_held)
    assert set(sides) == set(texts) and all(len(side) == 1 for side in sides.values())
    share = sum(len(text) for text in texts if sides[text] == {True}) / sum(map(len, texts))
    assert 0.09 < share < 0.13


def test_one_document_is_cut_at_its_last_tenth() -> None:
    text = "".join(random.Random(2).choices("abc", k=10_007))
    pieces = [Piece(text[i : i + 3000], i == 0) for i in range(0, len(text), 3000)]
    parts = list(divided(pieces, hold_out(survey(pieces, "x"), 0.1)))
    train = "".join(piece.text for is_held, piece in parts if not is_held)
    held = "".join(piece.text for is_held, piece in parts if is_held)
    assert (train, held) == (text[: int(len(text) * 0.9)], text[int(len(text) * 0.9) :])
    assert [piece.begins for is_held, piece in parts if is_held] == [True]


def written(folder: Path, texts: list[str], size: int = 1 << 24) -> tuple[Stream, Stream]:
    tokenizer = make_tokenizer("bytes", Counter(), [], 0)
    pieces = [(number % 4 == 3, Piece(text, True)) for number, text in enumerate(texts)]
    write_shards(folder, pieces, tokenizer, {}, size=size)
    return open_stream(folder, "train"), open_stream(folder, "validation")


def test_shards_hold_every_token_once(tmp_path: Path) -> None:
    texts = [f"document {i} " * (i + 1) for i in range(20)]
    train, validation = written(tmp_path / "many", texts, size=100)
    whole, _ = written(tmp_path / "one", texts)
    assert len(train.shards) > 10 and len(whole.shards) == 1 and isinstance(train.shards[0], np.memmap)
    every = train.piece(0, len(train))
    np.testing.assert_array_equal(every, whole.piece(0, len(whole)))
    np.testing.assert_array_equal(train.piece(250, 333), every[250:583])
    assert int((every == BOUNDARY).sum()) == 16 and every[0] == every[-1] == BOUNDARY
    assert train.n_bytes + validation.n_bytes == sum(map(len, texts))


def test_rows_are_read_once_an_epoch_in_an_order_by_lot(tmp_path: Path) -> None:
    stream = Stream([np.arange(1000)], np.array([0, 1000]), 0)
    rows = Rows(stream, 16, seed=3)
    first = rows.take(0, rows.in_epoch)
    assert len(set(first[:, 0].tolist())) == rows.in_epoch == 61
    assert bool((first[:, 1:] - first[:, :-1] == 1).all())
    second = rows.take(rows.in_epoch, rows.in_epoch)
    assert first[:, 0].tolist() != second[:, 0].tolist()
    across = Rows(stream, 16, seed=3).take(rows.in_epoch - 2, 4)
    torch.testing.assert_close(across, torch.cat([first[-2:], second[:2]]))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_documents_in_a_row_do_not_see_each_other(kind: str) -> None:
    learner = Learner(shape_of_size(kind, 40, 24, 32, 2, 2), "fp32", "cpu", seed=0)
    torch.manual_seed(1)
    one, two = (torch.cat([torch.tensor([BOUNDARY]), torch.randint(1, 40, (n,))]) for n in (9, 13))
    packed = torch.cat([one, two])[None]
    places, mask = arrangement(packed)
    assert places is not None and mask is not None
    with torch.no_grad():
        found = learner.network(packed, places, mask=mask)[0]
        torch.testing.assert_close(found[:10], learner.network(one[None])[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found[10:], learner.network(two[None])[0], atol=1e-5, rtol=1e-4)
    assert arrangement(one[None]) == (None, None)


@pytest.mark.parametrize(("products", "tolerance"), [("onednn", 1e-4), ("bf16", 3e-2)])
@pytest.mark.parametrize("bias", [True, False])
def test_quick_products_learn_as_torch_does(products: str, tolerance: float, bias: bool) -> None:
    from honed.networks.products import dnn_operator

    if products == "onednn" and dnn_operator() is None:
        pytest.skip("this torch has no linear layer of oneDNN")
    torch.manual_seed(0)
    layer, rows = nn.Linear(48, 24, bias=bias), torch.randn(3, 7, 48, requires_grad=True)
    wanted = layer(rows)
    wanted.square().sum().backward()
    expected = [rows.grad, *(parameter.grad for parameter in layer.parameters())]
    rows.grad = None
    layer.zero_grad()
    quicken(layer, products)
    found = layer(rows)
    found.square().sum().backward()
    largest = [float(part.abs().max()) for part in expected if part is not None]
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=tolerance)
    for part, other, scale in zip([rows.grad, *(p.grad for p in layer.parameters())], expected, largest, strict=True):
        torch.testing.assert_close(part, other, atol=tolerance * scale, rtol=0)
    assert set(layer.state_dict()) == {"weight", "bias"} if bias else {"weight"}
    torch.testing.assert_close(quicken(layer, "torch")(rows), wanted)


def test_gradients_are_added_up_over_parts_of_a_step() -> None:
    learner = Learner(shape_of_size("llama", 30, 16, 32, 2, 2), "fp32", "cpu", seed=0)
    rows = torch.randint(1, 30, (7, 17), generator=torch.Generator().manual_seed(0))
    rows[2, 5] = BOUNDARY
    whole = learner.learn(rows, 7)
    expected = [parameter.grad.clone() for parameter in learner.network.parameters() if parameter.grad is not None]
    learner.forget()
    assert learner.learn(rows, 3) == pytest.approx(whole, abs=1e-5)
    for parameter, wanted in zip(learner.network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, wanted, atol=1e-6, rtol=1e-4)


def test_every_held_out_token_counts_once() -> None:
    learner = Learner(shape_of_size("llama", 30, 16, 32, 2, 2), "fp32", "cpu", seed=0)
    tokens = np.random.default_rng(0).integers(1, 30, 16 * 9 + 6)
    loss, count = judge(learner, Stream([tokens], np.array([0, len(tokens)]), 0), at_once=4)
    logits = []
    with torch.no_grad():
        for start in range(0, len(tokens) - 1, 16):
            row = torch.from_numpy(tokens[start : start + 16])[None]
            logits.append(learner.network(row)[0])
        whole = torch.cat(logits)[: len(tokens) - 1]
        expected = nn.functional.cross_entropy(whole, torch.from_numpy(tokens[1:]))
    assert count == len(tokens) - 1 and loss == pytest.approx(float(expected), abs=1e-5)


def test_muon_makes_steps_of_equal_size_in_every_direction() -> None:
    torch.manual_seed(0)
    for sides in ((40, 24), (24, 40), (24, 24)):
        stretched = torch.randn(sides) @ torch.diag(torch.logspace(0, -1, sides[1]))
        values = torch.linalg.svdvals(orthogonal(stretched, torch.float32))
        assert float(values.min()) > 0.3 and float(values.max()) < 1.3
        assert float(torch.linalg.svdvals(stretched).max() / torch.linalg.svdvals(stretched).min()) > 10


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_only_matrices_decay(kind: str) -> None:
    network = Learner(shape_of_size("gpt2", 30, 16, 32, 2, 2), "fp32", "cpu", seed=0).network
    optimizers = make_optimizers(
        network, kind=kind, learning_rate=0.1, matrix_rate=0.1, weight_decay=0.5, dtype=torch.float32
    )
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizers.step()
    for name, value in network.named_parameters():
        factor = 0.95 if value.ndim == 2 else 1.0
        torch.testing.assert_close(value.detach(), before[name] * factor)
    groups = [parameter for group in optimizers.param_groups for parameter in group["params"]]
    assert len(groups) == len(set(map(id, groups))) == len(list(network.parameters()))


def test_the_rate_rises_shortly_and_falls_to_zero() -> None:
    rates = [rate_at(step, 400) for step in range(400)]
    top = rates.index(max(rates))
    assert 10 <= top <= 25 and 0.95 < max(rates) <= 1.0 and rates[-1] < 0.005 and rates[0] < 0.1
    assert all(a < b for a, b in itertools.pairwise(rates[: top + 1]))
    assert all(a > b for a, b in itertools.pairwise(rates[top:]))
    assert rate_at(0, 1) == 1.0


def test_the_law_prefers_twenty_tokens_to_a_parameter() -> None:
    work, text = 1e18, 1e15
    sizes = np.logspace(6, 10, 400)
    best = sizes[int(np.argmin([expected_loss(size, work / 6 / size, text) for size in sizes]))]
    assert work / 6 / best / best == pytest.approx(PER_PARAMETER, rel=0.1) and 19 < PER_PARAMETER < 20


def test_repeated_text_is_worth_less_and_less() -> None:
    text, size = 1e6, 4e4
    gain = [expected_loss(size, n * text, text) - expected_loss(size, 2 * n * text, text) for n in (1, 4, 16, 64)]
    fresh = [expected_loss(size, n * text, 1e9) - expected_loss(size, 2 * n * text, 1e9) for n in (1, 4, 16, 64)]
    assert gain[0] > 0.5 * fresh[0] > 0 and gain[3] < 0.1 * fresh[3]


def test_more_time_makes_a_larger_model() -> None:
    shapes = [shape_of_size("llama", 300, 256, width, layers) for width, layers in LADDER]
    picked = []
    for seconds in (10.0, 1000.0, 100_000.0):
        tried = choose_size(shapes, lambda shape: flops_per_token(shape) / 1e11, seconds, 10**9, 1e10, lambda: True)
        picked.append(min(tried, key=lambda size: size.loss).shape.n_parameters)
        assert min(tried, key=lambda size: size.loss) in tried[-2:]
    assert picked[0] < picked[1] < picked[2]
    assert len(choose_size(shapes, lambda _: 1e-6, 1e5, 10**9, 1e10, lambda: False)) == 1


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_working_parameters_are_those_in_products(kind: str) -> None:
    shape = shape_of_size(kind, 300, 64, 64, 3)
    network = Learner(shape, "fp32", "cpu", 0).network
    linear = sum(layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Linear))
    assert linear <= working_parameters(shape) <= 1.02 * linear


@pytest.mark.parametrize(
    ("step", "seconds_left", "steps"),
    [
        (50, 100.0, 100),
        (50, 20.0, 70),
        (50, 200.0, 250),
        (50, 1e6, 300),
        (90, 200.0, 100),
        (50, 50.5, 100),
        (50, 0.0, 50),
    ],
)
def test_the_number_of_steps_follows_the_time(step: int, seconds_left: float, steps: int) -> None:
    from types import SimpleNamespace

    from honed.pretraining.loop import State, Training

    training = Training.__new__(Training)
    training.state, training.deadline = State(step, 100), time.monotonic() + seconds_left + 0.2
    training.plan = SimpleNamespace(most_steps=300)  # type: ignore[assignment]
    less = training._replan(1.0 if seconds_left != 100.0 else 2.0, 40)
    assert training.state.steps == steps and less == 100 - steps


def test_byte_pairs_are_read_in_rows_that_are_of_use() -> None:
    """256 of them where the text is long enough, for rows of tables are longer than 64; characters keep short rows in short runs."""
    from honed.pretraining.plan import Planner
    from honed.pretraining.settings import PretrainConfig

    def context(text: int, pairs: bool, tokens: float) -> int:
        return Planner(PretrainConfig(), set(), 512, text, 60.0, time.monotonic(), pairs)._context(tokens)

    assert [context(200_000, pairs, 1e6) for pairs in (True, False)] == [256, 64]
    assert [context(n, True, 1e6) for n in (1_000, 9_000, 17_000)] == [64, 128, 256]
    assert context(10**9, True, 1e9) == context(10**9, False, 1e9) == 512
