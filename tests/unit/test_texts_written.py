"""The parts of text generation: likeness of texts, packing, rows side by side, greedy writing, baselines, judging."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given as for_all
from hypothesis import strategies

from honed.data.chats import as_text, messages_in
from honed.data.read import read_table
from honed.data.roles import answer_kind, infer_roles
from honed.data.stream import open_batches
from honed.data.table import Table
from honed.errors import ZooError
from honed.generation.at_hand import SLOTS, _parts, continued
from honed.generation.engine import open_reader
from honed.generation.settings import Settings
from honed.metrics import texts
from honed.metrics.intervals import bootstrap_interval, paired_difference
from honed.networks.decoders.apart import Apart
from honed.networks.decoders.chat import ChatTemplate
from honed.networks.decoders.decoder import Decoder
from honed.networks.decoders.layout import Layout
from honed.networks.decoders.loading import load_decoder
from honed.networks.decoders.rows import NOTHING, laid
from honed.networks.decoders.shape import Shape, gpt2
from honed.networks.decoders.vocabulary import vocabulary_in
from honed.tasks.contract import Problem
from honed.tasks.registry import get_task
from honed.tasks.text_generation.baselines import NearestText, UsualText
from honed.tasks.text_generation.decisions import decode, fit_decision
from honed.tasks.text_generation.judging import TextJudging, wrong_numbers
from honed.tasks.text_generation.scores import MeanLikeness, deciding
from honed.tasks.text_generation.shown import ShownPredictor
from honed.tasks.text_generation.writer import Writer, load_writer
from honed.tasks.text_generation.written import ENDED, pack, texts_of, width_of
from honed.testing.tiny_decoders import tiny_decoder, tiny_word_decoder

PROBLEM = Problem("text-generation", "text", ("ticket",), "reply", (), "chrf", {"most_bytes": 40})


def words(*values: str | None) -> np.ndarray:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def test_likeness_of_texts() -> None:
    """Figures of chrF are those of sacreBLEU 2.6, of ROUGE-L those of rouge-score 0.1."""
    first, second = ("the printer is jammed", "the printer was jammed"), (
        "Please restart the router.", "Restart your router now, please.",
    )  # fmt: skip
    assert texts.chrf(*first) == pytest.approx(0.7494083950850261) and texts.rouge_l(*first) == pytest.approx(0.75)
    assert texts.chrf(*second) == pytest.approx(0.4394445144076844)
    assert texts.rouge_l(*second) == pytest.approx(0.4444444444444445)
    assert texts.token_f1("The router, please", "a Router PLEASE now") == pytest.approx(4 / 5)
    assert texts.exact_match("a  b\n", "a b") == 1.0 and texts.exact_match("a b", "ab") == 0.0
    for likeness in (texts.chrf, texts.rouge_l, texts.token_f1):
        assert likeness("", "") == 1.0 and likeness("a b", "") == 0.0 and likeness("same text", "same text") == 1.0


@for_all(strategies.lists(strategies.text(max_size=12), max_size=5))
def test_any_text_survives_packing(values: list[str]) -> None:
    whole = [value.encode("utf-8", "ignore").decode() for value in values]
    assert texts_of(pack(whole, width_of(60))) == whole


def test_a_text_too_long_is_cut_at_a_letter() -> None:
    rows = pack(["abcä", "abc"], width_of(4))
    assert texts_of(rows) == ["abc", "abc"] and rows[:, ENDED].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral"])
def test_texts_laid_end_to_end_learn_the_same_tokens(kind: str) -> None:
    """Loss and gradients of a row of texts are those of each text alone; nothing is padded, nothing is learnt of what is asked."""
    torch.manual_seed(0)
    shapes = {"gpt2": gpt2(30, 40, 16, 2, 2), "llama": Shape("llama", 30, 40, 16, 2, 4, 2, 4, 24),
              "mistral": Shape("mistral", 30, 40, 16, 2, 2, 2, 8, 24, window=3)}  # fmt: skip
    decoder = Decoder(shapes[kind])
    decoder.apply(
        lambda part: torch.nn.init.normal_(part.weight, std=0.3) if isinstance(part, torch.nn.Linear) else None
    )
    pairs = [([1, 2, 3], [4, 5]), ([6], [7, 8, 9, 2]), ([1, 1, 1, 1], [2]), ([3, 4], [5, 6, 7]), ([5] * 20, [6] * 9)]
    batch = laid(pairs)
    assert batch["tokens"].shape == (1, sum(len(asked) + len(written) for asked, written in pairs))
    assert len(batch["sizes"]) == 2, "the long text attends in a group of its own"
    wanted = batch["wanted"]
    assert sorted(wanted[wanted != NOTHING].tolist()) == sorted(token for _, written in pairs for token in written)
    apart = Apart(batch["slots"], batch["back"], batch["sizes"], decoder.shape.window)
    logits = decoder.logits(decoder.read(batch["tokens"], batch["places"], mask=apart))
    packed = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum")
    packed.backward()
    found = [parameter.grad.clone() for parameter in decoder.parameters()]
    decoder.zero_grad()
    alone = sum(
        torch.nn.functional.cross_entropy(
            decoder(torch.tensor([[*asked, *written]]))[0, len(asked) - 1 : -1], torch.tensor(written), reduction="sum"
        )
        for asked, written in pairs
    )
    alone.backward()
    torch.testing.assert_close(packed, alone, atol=1e-4, rtol=1e-5)
    for one, parameter in zip(found, decoder.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["llama", "mistral", "gpt2", "opt", "gpt_neo", "gpt_neox", "gptj", "gemma"])
def test_texts_of_a_decoder_at_hand_are_those_of_reading_all_anew(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Greedy tokens, their mean log-probability and how they ended, for more texts than there are slots; weights go on learning."""
    loaded = load_decoder(tiny_decoder(kind, tmp_path / kind))
    engine = "torch" if loaded.shape else "transformers"
    assert open_reader(loaded, 2, None, engine).together > 0, "prompts and steps are read side by side"
    loaded.network.train()
    monkeypatch.setitem(SLOTS, "cpu", 12)
    rng = np.random.default_rng(3)
    prompts = [rng.integers(2, 300, n).tolist() for n in rng.integers(1, 40, 21)]
    prompts[9] = [*prompts[8], 5, 6]
    prompts[4] = rng.integers(2, 300, loaded.context - 3).tolist()
    done: list[int] = []
    found = continued(loaded, prompts, Settings(max_tokens=9, logprobs=0), advance=done.append)
    assert sum(done) == len(prompts) and loaded.network.training
    loaded.network.eval()
    ends, lengths = loaded.vocabulary.ends, set()
    for prompt, one in zip(prompts, found, strict=True):
        tokens, wanted, logs, ended = list(prompt), [], [], False
        while len(wanted) < 9 and len(tokens) < loaded.context and not ended:
            with torch.inference_mode():
                spread = torch.log_softmax(loaded.network(torch.tensor([tokens]))[0, -1], dim=-1)
            token = int(spread.argmax())
            logs.append(float(spread[token]))
            ended = token in ends
            if not ended:
                wanted.append(token)
                tokens.append(token)
        lengths.add(len(wanted))
        assert one.ids == wanted and (one.finish == "stop") == ended
        assert one.sure == pytest.approx(sum(logs) / len(logs), abs=1e-4)
    assert len(lengths) > 1


def test_long_texts_are_written_by_themselves_and_fewer_at_a_time() -> None:
    parts = list(_parts([5, 900, 7, 1000, 400, 6, 5], 4, 1000))
    assert parts == [([3, 1], 1), ([4], 2), ([2, 5, 0, 6], 4)]
    assert list(_parts([5, 7, 6], 4, 1000)) == [([1, 2, 0], 4)] and not list(_parts([], 4, 1000))


def test_drawn_texts_have_seeds_of_their_own(tmp_path: Path) -> None:
    loaded = load_decoder(tiny_decoder("llama", tmp_path / "llama"))
    wanted = Settings(max_tokens=8, temperature=1.0, seed=5, ignore_end=True)
    found = [[one.ids for one in continued(loaded, [[0]] * 3, wanted)] for _ in range(2)]
    assert found[0] == found[1] and len({tuple(ids) for ids in found[0]}) == 3


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_word_decoder(
        tmp_path_factory.mktemp("decoder") / "tiny", words=["my", "printer", "router", "is", "broken", "again"]
    )


def test_a_writer_is_read_back_and_opens_with_transformers(base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    writer = Writer.from_base(base, Layout(("ticket",)), most_bytes=40).eval()
    rows = [("my printer is broken",), ("router",)]
    batch = writer.collate(writer.encode(rows))
    writer.save(tmp_path)
    again = load_writer(tmp_path)
    with torch.inference_mode():
        assert torch.equal(again(batch), writer(batch))
        theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
        tokens = batch["tokens"][:1]
        torch.testing.assert_close(theirs(tokens).logits, writer.backbone(tokens), atol=1e-5, rtol=1e-5)


def test_a_prompt_too_long_loses_its_beginning_and_shots_give_way(base: Path) -> None:
    writer = Writer.from_base(base, Layout(("ticket",)), most_bytes=40)
    (long,) = writer.encode([("my printer " * 90 + "router",)])
    assert len(long["tokens"]) == writer.context - writer.most_tokens
    assert writer.vocabulary.decode(long["tokens"]).endswith("router\n")
    shots = [[(("my router",), "again")] * 40]
    (shown,) = writer.encode([("my printer",)], shots)
    assert 20 < len(shown["tokens"]) <= writer.context // 2


def test_columns_are_named_and_an_instruction_comes_first(base: Path) -> None:
    vocabulary, layout = vocabulary_in(base), Layout(("my", "router"), "is broken")
    assert layout.asked(("again", "printer")) == "my: again\nrouter: printer"
    text = Layout(("my",), "is broken").prompt(vocabulary, ("printer",), [(("router",), "again")])
    assert vocabulary.decode(text) == "is broken\nrouter\nagain\n\nprinter\n"


def test_baselines_write_what_they_saw(tmp_path: Path) -> None:
    rows = [("paper jam in the printer",), ("no wifi on the laptop",), ("no wifi in the hall",)]
    replies = words("Open the cover.", "Restart the router.", "Restart the router.")
    usual, nearest = UsualText.fit(rows, replies, PROBLEM, 0), NearestText.fit(rows, replies, PROBLEM, 0)
    asked = [("the printer has a paper jam",), ("wifi on my laptop",)]
    assert texts_of(usual.outputs(asked)) == ["Restart the router."] * 2
    assert texts_of(nearest.outputs(asked)) == ["Open the cover.", "Restart the router."]
    nearest.save(tmp_path)
    np.testing.assert_array_equal(NearestText.load(tmp_path, PROBLEM).outputs(asked), nearest.outputs(asked))


def test_a_row_is_never_shown_itself(base: Path, tmp_path: Path) -> None:
    rows = [("my printer",), ("my router",), ("router again",)]
    writer = Writer.from_base(base, Layout(("ticket",)), most_bytes=40)
    shown = ShownPredictor(writer, NearestText.fit(rows, words("a", "b", "c"), PROBLEM, 0), 2)
    found = shown._shots(rows[1], [1, 2, 0])
    assert found == [(("my printer",), "a"), (("router again",), "c")]
    shown.save(tmp_path)
    np.testing.assert_array_equal(ShownPredictor.load(tmp_path, PROBLEM).outputs(rows), shown.outputs(rows))


def test_texts_are_judged_row_by_row() -> None:
    judging = TextJudging()
    truth = words("We come to room 12 at 9:30.", "Restart the router.", "Done")
    given = pack(["We come to room 21 at 9:30.", "Restart  the router.", "Gone"], width_of(40))
    assert judging.right(truth, given).tolist() == [False, True, False]
    there, wrong = wrong_numbers(truth, given)
    assert there.tolist() == [True, False, False] and wrong.tolist() == [True, False, False]
    errors = judging.errors(truth, given)
    assert errors[1] == 0 and 0 < errors[0] < errors[2]
    assert judging.differ(given, given) == 0 and judging.differ(given, pack(["x", "y", "z"], width_of(40))) == 1
    assert judging.agree(["a b", "c"], ["a b", "d"]).tolist() == [True, False]


def test_wrong_numbers_forbid_shipping() -> None:
    truth = words(*[f"room {k}" for k in range(100)])
    right, wrong = pack(list(truth), width_of(20)), pack([f"room {k + 1}" for k in range(100)], width_of(20))
    some = np.concatenate([right[:90], wrong[90:]])
    assert TextJudging().worries(truth, right, PROBLEM) == []
    (care,), (refusal,) = (TextJudging().worries(truth, given, PROBLEM) for given in (some, wrong))
    assert not care.forbids and refusal.forbids and "100 % have a wrong one" in refusal.text


def test_intervals_of_likeness_are_those_of_resampled_rows() -> None:
    truth, first = words(*["abc def", "ghi", "jk lm", "nop"] * 5), ["abc def", "ghx", "jk", "nop"] * 5
    one, other = pack(first, width_of(20)), pack(["abc"] * 20, width_of(20))
    score = MeanLikeness(texts.chrf)
    for own, plain in (
        (bootstrap_interval(score, truth, one, n=40), bootstrap_interval(lambda a, b: score(a, b), truth, one, n=40)),
        (
            paired_difference(score, truth, one, other, n=40),
            paired_difference(lambda a, b: score(a, b), truth, one, other, n=40),
        ),
    ):
        assert (own.value, own.low, own.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_what_decides_follows_the_texts() -> None:
    assert deciding(["yes", "no"] * 20) == "exact_match" and deciding([f"text {k}" for k in range(40)]) == "chrf"


def test_confidence_follows_how_sure_the_tokens_were() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(-1, 0, 200)
    right = rng.random(200) < np.exp(sure * 2)
    outputs = pack(["yes" if hit else "no" for hit in right], width_of(4), sure.tolist())
    decision = fit_decision(outputs, words(*["yes"] * 200))
    told = decode(outputs, decision)
    assert told.confidence is not None
    assert told.confidence[sure > -0.2].mean() > told.confidence[sure < -0.8].mean() + 0.2
    assert abs(told.confidence.mean() - right.mean()) < 0.05
    assert decode(outputs, fit_decision(outputs[:9], words(*["yes"] * 9))).confidence is None
    silent = decode(pack([""], width_of(4)), decision)
    assert silent.unsure.tolist() == [True]


def test_the_data_say_that_a_text_is_to_be_written() -> None:
    asked = [f"my {device} number {n} is broken again" for n, device in enumerate(["router", "printer"] * 20)]
    reply = [f"we repair number {n} of yours today" for n in range(40)]
    table = Table(pa.table({"ticket": asked, "reply": reply}), "made up", "")
    roles = infer_roles(table)
    assert roles.target == "reply" and roles.text == ("ticket",) and answer_kind(table, roles) == "text"
    other = Table(pa.table({"ticket": asked, "note": reply}), "made up", "")
    assert answer_kind(other, infer_roles(other, target="note")) == "text"
    few = Table(pa.table({"ticket": asked, "answer": ["yes", "no"] * 20}), "made up", "")
    assert answer_kind(few, infer_roles(few, target="answer")) == "class"


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ([None] * 30, "D025"),
        (["the same words"] * 30, "D021"),
        (["a b c"] * 5, "D025"),
        (["x " * 5000, "y"] * 15, "D190"),
    ],
)
def test_bad_texts_are_told(replies: list[str | None], code: str) -> None:
    arrow = pa.table(
        {"ticket": [f"ticket number {k} here" for k in range(len(replies))], "reply": pa.array(replies, pa.string())}
    )
    table = Table(arrow, "made up", "")
    roles = infer_roles(table, target="reply", text=["ticket"])
    task = get_task("text-generation")
    assert code in {finding.code for finding in task.validate(table, roles, task.config())}


CHAT = [
    {"role": "user", "content": "my printer\nis broken"},
    {"role": "assistant", "content": "again"},
    {"role": "user", "content": "router: my"},
]


def test_chats_become_what_was_said_and_the_answer(tmp_path: Path) -> None:
    """From memory, from a file, and batch by batch."""
    import json

    rows = [{"id": 1, "messages": [*CHAT, {"role": "assistant", "content": "broken"}]}, {"id": 2, "messages": CHAT}]
    text = "user: my printer\nis broken\nassistant: again\nuser: router: my"
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for table in (read_table(rows), read_table(tmp_path / "chats.jsonl")):
        assert table.column("prompt") == [text, text] and table.column("completion") == ["broken", None]
        assert table.names == ["id", "prompt", "completion"]
    with open_batches(tmp_path / "chats.jsonl", batch_rows=1) as batches:
        assert [batch.column("completion").to_pylist() for batch in batches] == [["broken"], [None]]
    assert messages_in(text) == CHAT and messages_in("hello") == [{"role": "user", "content": "hello"}]


def test_a_chat_is_written_by_the_template_of_the_model(base: Path) -> None:
    vocabulary = vocabulary_in(base)
    source = "{% for message in messages %}{{ message.role }}\n{{ message.content }}\n{% endfor %}"
    vocabulary.chat = ChatTemplate(source, {})
    layout = Layout(("prompt",), "is", chat=True, messages=True)
    rendered = vocabulary.chat.render([{"role": "system", "content": "is"}, *CHAT])
    assert layout.prompt(vocabulary, (as_text(CHAT),)) == vocabulary.encode(rendered, special=False)
    assert Layout.from_dict(layout.as_dict()) == layout


def test_texts_that_do_not_fit_into_the_base_are_told(base: Path) -> None:
    with pytest.raises(ZooError, match="Z045"):
        Writer.from_base(base, Layout(("ticket",)), most_bytes=4000)
    assert Writer.from_base(base, Layout(("ticket",)), most_bytes=40).most_tokens <= 72
