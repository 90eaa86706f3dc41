"""Few-shot: examples and what they answer, prompts, likelihoods, calibration, choice, forms, truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
import torch

from honed.errors import HonedError
from honed.generation.engine import open_reader
from honed.generation.likelihood import Likelihood
from honed.networks.decoders.layout import Layout
from honed.networks.decoders.loading import load_decoder
from honed.shots.choice import Choice
from honed.shots.examples import read_examples
from honed.shots.few_shot import FewShot
from honed.shots.local import LocalBase, local_base
from honed.shots.schema import bounded, column_of, longest, schema_of
from honed.shots.settings import FewShotConfig
from honed.shots.truth import Truth
from honed.tasks.contract import Problem
from honed.tasks.text_generation.baselines import NearestText
from honed.tasks.text_generation.shown import ShownPredictor
from honed.tasks.text_generation.writer import Writer
from honed.testing.tiny_decoders import tiny_decoder, tiny_word_decoder

TICKETS = [
    {"text": "the router in room 4 is off", "team": "network"}, {"text": "no wifi on floor 2", "team": "network"},
    {"text": "paper jam in the printer", "team": "printing"}, {"text": "the toner is empty", "team": "printing"},
    {"text": "my password expired", "team": "accounts"}, {"text": "locked out of my mailbox", "team": "accounts"},
]  # fmt: skip
ORDERS = [
    {"mail": "12 chairs for Ada, 40.50 each", "order": {"who": "Ada", "n": 12, "price": 40.5, "tags": ["chair"]}},
    {"mail": "7 lamps, to Ben please", "order": {"who": "Ben", "n": 7, "price": None, "tags": []}},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_decoder("llama", tmp_path_factory.mktemp("decoder"), sentences=[row["text"] for row in TICKETS])


@pytest.fixture(scope="module")
def base(folder: Path) -> LocalBase:
    return local_base(folder)


def few(base: LocalBase, rows: Any, **settings: Any) -> FewShot:
    config = FewShotConfig(**{"judge_examples": False, **settings})
    return FewShot(base, read_examples(rows, [next(iter(rows[0]))], config), config)


@pytest.mark.parametrize(
    ("kind", "engine"),
    [("llama", "onnx"), ("llama", "torch"), ("mistral", "torch"), ("gpt_neo", "transformers")],
)
def test_likelihoods_are_those_of_reading_everything(tmp_path: Path, kind: str, engine: str) -> None:
    """Whatever texts share, and whatever was read before; against transformers on the whole text."""
    from transformers import AutoModelForCausalLM

    folder = tiny_decoder(kind, tmp_path / "base")
    theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    found = Likelihood(open_reader(load_decoder(folder), 2, None, engine))
    rng = np.random.default_rng(0)
    beginning = rng.integers(2, 300, 20).tolist()
    answers = [[5, 6, 7, 8], [5, 6, 7], [5, 6, 9, 10], [11], [12, 13], [5, 6, 7, 8, 14]]
    for prompt in ([*beginning, 40, 41], beginning[:9], [*beginning, 77, 78, 79], [*beginning, 40, 41]):
        wanted = []
        for answer in answers:
            with torch.inference_mode():
                logs = theirs(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
            wanted.append(sum(float(logs[len(prompt) - 1 + k, token]) for k, token in enumerate(answer)))
        np.testing.assert_allclose(found.after(prompt, answers), wanted, atol=2e-4)
    assert found.n_reused >= (28 if found.reader.rewinds else 0)


def test_a_label_is_the_likeliest_after_what_a_row_without_content_gets(base: LocalBase) -> None:
    """Scores against their definition, computed from whole texts by transformers."""
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(base.loaded.folder).eval()
    model, plain = few(base, TICKETS, shots=2), few(base, TICKETS, shots=2, calibrate=False)
    row = ("the printer is off",)
    shots = model.asked([row])[0].shots

    def mean_logs(one: tuple[str, ...]) -> np.ndarray:
        head = model.layout.prompt(base.vocabulary, one, shots)
        found = []
        for label in ("accounts", "network", "printing"):
            tail = base.vocabulary.encode(f" {label}", special=False)
            with torch.inference_mode():
                logs = theirs(torch.tensor([[*head, *tail]])).logits[0].log_softmax(-1)
            found.append(np.mean([float(logs[len(head) - 1 + k, token]) for k, token in enumerate(tail)]))
        return np.array(found)

    def shares(logs: np.ndarray) -> np.ndarray:
        return np.exp(logs) / np.exp(logs).sum()

    nothing = np.mean([shares(mean_logs((one,))) for one in ("N/A", "[MASK]", "")], axis=0)
    wanted = shares(mean_logs(row)) / nothing
    got = model.answer([row])
    assert got.probabilities is not None and got.n_shots.tolist() == [2]
    np.testing.assert_allclose(got.probabilities[0], wanted / wanted.sum(), atol=1e-4)
    np.testing.assert_allclose(plain.answer([row]).probabilities[0], shares(mean_logs(row)), atol=1e-4)  # type: ignore[index]


def test_a_label_that_begins_another_is_told_apart(base: LocalBase) -> None:
    rows = [{"text": "a", "label": "cash"}, {"text": "b", "label": "cash desk"}]
    chances = base.chances(Layout(("text",), answer="label"), few(base, rows).asked([("c",)]), ["cash", "cash desk"])
    assert chances[0, 1, 1] > chances[0, 0, 1] >= 2 and np.isfinite(chances).all()


def test_what_the_examples_answer_is_told_by_them() -> None:
    config = FewShotConfig()
    found = read_examples(TICKETS, ["text"], config)
    assert (found.kind, found.answer, found.names) == ("label", "team", ("text",))
    assert found.labels == ("accounts", "network", "printing")
    found = read_examples(ORDERS, ["mail", "id"], config)
    assert found.kind == "fields" and found.answers[1] == '{"who":"Ben","n":7,"price":null,"tags":[]}'
    told = [{"mail": row["mail"], "answer": json.dumps(row["order"])} for row in ORDERS]
    assert read_examples(told, ["mail"], config).answers == found.answers
    texts = [{"ticket": f"ticket {k}", "reply": f"we do {k}"} for k in range(6)]
    found = read_examples(texts, ["ticket", "reply"], config)
    assert (found.kind, found.answer) == ("text", "reply")
    assert read_examples(TICKETS[:1], ["text"], FewShotConfig(kind="text")).kind == "text"
    keyed = [{"id": k, **row, "place": "hall"} for k, row in enumerate(TICKETS)]
    assert read_examples(keyed, ["id", "place", "text"], config).names == ("text", "place")


def test_without_examples_labels_or_a_schema_say_what_is_answered() -> None:
    config = FewShotConfig()
    found = read_examples(None, ["id", "text"], config, labels=["yes", "no"])
    assert (found.kind, found.answer, found.names, len(found)) == ("label", "label", ("text",), 0)
    schema = {"type": "object", "properties": {"who": {"type": "string"}}}
    assert read_examples(None, ["text"], config, schema=schema).kind == "fields"
    assert read_examples(None, ["text"], config).kind == "text"


@pytest.mark.parametrize(
    ("rows", "data", "given", "code"),
    [
        ([{"a": "x", "b": "y", "c": "z"}], ["d"], {}, "G021"),
        ([{"text": "x", "team": None}], ["text"], {}, "G021"),
        ([{"text": "x", "team": "a"}], ["text"], {}, "G023"),
        ([{"text": "x", "team": "a"}], ["text"], {"labels": ["b", "c"]}, "G023"),
        ([{"text": "x", "team": "a"}], ["other"], {"target": "team"}, "D022"),
        ([{"text": "x", "team": "a"}], ["text"], {"target": "queue"}, "D022"),
        ([{"text": "x", "team": "a"}], ["text"], {"schema": {"type": "array"}}, "G022"),
        ([{"text": "x", "team": "a"}], ["text"], {"schema": {"properties": {"a": {"type": "string"}}}}, "G022"),
        ([{"text": "x", "o": {"a": 1}}], ["text"], {"schema": {"properties": {"b": {}}}}, "G022"),
    ],
)  # fmt: skip
def test_bad_examples_are_told(rows: Any, data: list[str], given: Any, code: str) -> None:
    with pytest.raises(HonedError) as told:
        read_examples(rows, data, FewShotConfig(), **given)
    assert told.value.code == code


def test_columns_and_the_answer_are_named_in_a_prompt(base: LocalBase) -> None:
    rows = [
        {"text": "no wifi", "place": "hall", "team": "network"},
        {"text": "no ink", "place": "lab", "team": "printing"},
    ]
    config = FewShotConfig(shots=2, instruction="Who helps?", judge_examples=False)
    model = FewShot(base, read_examples(rows, ["text", "place"], config), config)
    prompt = model.prompt(("wifi is off", "hall"))
    assert prompt == (
        "<s>Who helps?\n\ntext: no ink\nplace: lab\nteam: printing\n\ntext: no wifi\nplace: hall\nteam: network\n\n"
        "text: wifi is off\nplace: hall\nteam:"
    )
    one = few(base, TICKETS, shots=0).prompt(("no wifi",))
    assert one == "<s>Answer with one of: accounts, network, printing.\n\ntext: no wifi\nteam:"


def test_the_most_alike_examples_are_shown_every_label_in_turn() -> None:
    examples = read_examples(TICKETS, ["text"], FewShotConfig())
    (order,) = Choice(examples).ordered([("printer has a paper jam",)], 6)
    assert order[0] == 2 and {examples.answers[k] for k in order[:3]} == set(examples.labels)
    assert {examples.answers[k] for k in order[3:]} == set(examples.labels)
    assert Choice(examples).ordered([(TICKETS[2]["text"],)], 6, others=True)[0].count(2) == 0
    by_lot = Choice(examples, "random", 3).ordered([("a",), ("b",), ("a",)], 4)
    assert by_lot[0] == by_lot[2] != by_lot[1]
    assert Choice(examples, "first").ordered([("a",)], 3) == [[0, 2, 4]]


def test_the_most_alike_stand_last_also_where_labels_take_turns(base: LocalBase) -> None:
    model = few(base, TICKETS, shots=4, instruction="?")
    (asked,) = model.asked([("printer has a paper jam",)])
    likeness = model.choice.likeness([asked.row])[0]
    shown = [likeness[[row["text"] for row in TICKETS].index(one[0])] for one, _ in asked.shots]
    assert shown == sorted(shown) and len(shown) >= 3 and asked.shots[-1][0] == ("paper jam in the printer",)


def test_examples_give_way_and_rows_are_shortened_to_fit(base: LocalBase) -> None:
    many = [{"text": f"{row['text']} number {k}", "team": row["team"]} for k in range(9) for row in TICKETS]
    (asked,) = few(base, many).asked([("no wifi",)])
    assert 0 < len(asked.shots) < 16 and len(asked.prompt) <= base.context - 3
    (asked,) = few(base, many).asked([("no wifi " * 200,)])
    assert asked.shortened and not asked.shots and len(asked.prompt) <= base.context - 3
    with pytest.raises(HonedError, match="G024"):
        few(base, many, instruction="word " * 300).asked([("no wifi",)])


def test_answers_with_fields_always_keep_their_schema(base: LocalBase) -> None:
    """A decoder of random weights writes nonsense, but of the wanted form, to its end."""
    rows = [{"mail": row["mail"], "order": {"who": row["order"]["who"], "n": row["order"]["n"]}} for row in ORDERS]
    model = few(base, rows, shots=1, instruction="?")
    got = model.answer([("3 desks for Cleo",), ("nothing",), ("9 lamps 1.50",)])
    assert got.unsure.tolist() == [False] * 3
    for value in got.values:
        jsonschema.validate(value, model.examples.schema)  # type: ignore[arg-type]
    wanted = {
        "type": "object",
        "properties": {"kind": {"enum": ["a", "b"]}, "n": {"type": "integer"}},
        "required": ["kind", "n"],
    }
    config = FewShotConfig()
    alone = FewShot(base, read_examples(None, ["mail"], config, schema=wanted), config).answer([("x",), ("y",)])
    for value in alone.values:
        jsonschema.validate(value, wanted)


def test_a_schema_worked_out_from_objects_is_kept_by_them() -> None:
    objects: list[dict[str, Any]] = [
        {"a": "x", "b": True, "c": [1, 2], "d": None, "e": 1, "f": {"g": "y"}, "h": -3.25},
        {"a": 4, "b": False, "c": [], "d": None, "e": None, "f": {"g": None}, "h": 7},
    ]
    schema = schema_of(objects)
    rows = [{"text": str(k), "answer": json.dumps(one)} for k, one in enumerate(objects)]
    examples = read_examples(rows, ["text"], FewShotConfig())
    assert examples.schema == schema and schema["properties"]["d"] == {"type": "null"}
    for answer in examples.answers:
        jsonschema.validate(json.loads(answer), schema)
        assert len(answer) <= longest(bounded(schema))
    assert json.loads(examples.answers[1])["a"] == "4" and schema["properties"]["c"]["maxItems"] == 6
    user = bounded({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"]}}})
    assert user["properties"]["a"]["maxLength"] > 0 and user["properties"]["b"]["maximum"] > 0


def test_fields_become_columns_of_their_own_kind() -> None:
    schema = read_examples(ORDERS, ["mail"], FewShotConfig()).schema
    assert schema is not None
    kinds = {name: column_of([None], part).type for name, part in schema["properties"].items()}
    assert kinds == {"who": pa.string(), "n": pa.int64(), "price": pa.float64(), "tags": pa.list_(pa.string())}
    assert column_of([{"a": 1}, None], {"type": "object"}).to_pylist() == ['{"a": 1}', None]


def test_a_text_ends_where_examples_end(base: LocalBase) -> None:
    rows = [{"ticket": row["text"], "reply": f"ask {row['team']} today {k}"} for k, row in enumerate(TICKETS)]
    model = few(base, rows, shots=2)
    assert model.wish.stop == ("\n",) and few(base, [{**rows[0], "reply": "a\nb"}]).wish.stop == ("\n\n",)
    got = model.answer([("no wifi",), ("no ink",)])
    assert all(value is None or "\n" not in value for value in got.values) and got.probabilities is None


def test_examples_are_judged_by_each_other_to_know_how_sure_the_model_is(base: LocalBase) -> None:
    many = [{"text": f"{row['text']} {k}", "team": row["team"]} for k in range(5) for row in TICKETS]
    config = FewShotConfig(shots=3)
    model = FewShot(base, read_examples(many, ["text"], config), config)
    assert model.judged is not None and model.judged[1] == 30 and model.decision.temperature != 1.0
    answers = model.answer([("no wifi on floor 3",)])
    assert answers.confidence is not None and 1 / 3 <= answers.confidence[0] <= 1


def test_truth_is_counted_beside_cheap_methods() -> None:
    examples = read_examples(TICKETS, ["text"], FewShotConfig())
    truth = Truth(examples, Choice(examples))
    rows = [("router is off",), ("toner empty",), ("password",), (TICKETS[0]["text"],), ("?",)]
    truth.add(
        rows,
        ["network", "printing", "accounts", "network", None],
        ["network", "printing", "network", "network", "network"],
    )
    found = {line.name: line.right.value for line in truth.lines()}
    assert (truth.n, truth.n_known) == (3, 1)
    assert found == {"model": 2 / 3, "constant": 1 / 3, "nearest": 1.0, "words": pytest.approx(found["words"])}
    orders = read_examples(ORDERS, ["mail"], FewShotConfig())
    truth = Truth(orders, Choice(orders))
    truth.add([("a",), ("b",)], [ORDERS[0]["order"], json.dumps(ORDERS[1]["order"])],
              [{"who": "Ada", "n": 11, "price": 40.5, "tags": ["chair"]}, None])  # fmt: skip
    (model, *_) = truth.lines()
    assert model.right.value == 0 and model.likeness is not None and model.likeness.value == pytest.approx(0.375)


def test_shown_rows_of_several_columns_are_named_and_old_bundles_stay_as_they_were(tmp_path: Path) -> None:
    """Bundles from before hold one text for each row, without names; they are shown as they always were."""
    base = tiny_word_decoder(tmp_path / "tiny", words=["my", "printer", "router", "is", "broken", "again"])
    problem = Problem("text-generation", "text", ("what", "where"), "reply", (), "chrf", {"most_bytes": 40})
    writer = Writer.from_base(base, Layout(("what", "where")), most_bytes=40)
    replies = np.array(["again", "my"], dtype=object)
    shown = ShownPredictor(writer, NearestText.fit([("printer", "my"), ("router", "is")], replies, problem, 0), 2)

    def prompt(model: ShownPredictor) -> str:
        (encoded,) = writer.encode([("broken", "again")], [model._shots(("broken", "again"), [0, 1])])
        vocabulary = writer.vocabulary
        wanted = [token for token in encoded["tokens"] if token != vocabulary.begin]
        return vocabulary.decode(wanted, special=True)

    unknown = "[UNK]"
    named = f"{unknown} is\n{unknown} router\nmy"
    assert prompt(shown).count(unknown) == 6 and named.count(unknown) == 2
    shown.save(tmp_path / "new")
    assert prompt(ShownPredictor.load(tmp_path / "new", problem)) == prompt(shown)
    facts = json.loads((tmp_path / "new" / "nearest_text.json").read_text())
    assert facts["rows"] == [["printer", "my"], ["router", "is"]]
    facts["rows"] = ["\n".join(row) for row in facts["rows"]]
    (tmp_path / "new" / "nearest_text.json").write_text(json.dumps(facts))
    layout = json.loads((tmp_path / "new" / "honed_writer.json").read_text())
    del layout["layout"]["answer"], layout["layout"]["block"]
    (tmp_path / "new" / "honed_writer.json").write_text(json.dumps(layout))
    old = ShownPredictor.load(tmp_path / "new", problem)
    assert prompt(old).startswith("router\nis\nmy\n\nprinter\nmy\nagain\n\n") and prompt(old).count(unknown) == 2
