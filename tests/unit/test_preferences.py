"""Preference tuning: pairs as data, the loss by brute force, and a run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import honed
import honed.progress
from honed.data.read import read_table
from honed.data.roles import answer_kind, infer_roles
from honed.metrics import texts
from honed.networks.decoders.layout import Layout
from honed.tasks.text_generation.pairs import Pairs
from honed.tasks.text_generation.preferred import LikePreferred, NearerPreferred, Preferred, with_rejected
from honed.tasks.text_generation.writer import Writer
from honed.tasks.text_generation.written import pack, width_of
from honed.testing.tiny_decoders import tiny_decoder, tiny_word_decoder
from honed.training.preference_loss import preference_loss

WORDS = [
    "my",
    "printer",
    "router",
    "screen",
    "is",
    "broken",
    "please",
    "restart",
    "it",
    "go",
    "away",
    "now",
    "again",
    "help",
]


def pairs_of(*values: tuple[str, str]) -> np.ndarray:
    found = np.empty(len(values), dtype=object)
    found[:] = [chosen for chosen, _ in values]
    return with_rejected(found, [other for _, other in values])


def alone(writer: Writer, prompt: list[int], text: str) -> float:
    """Log-probability of a text, token by token."""
    tokens, total = list(prompt), 0.0
    for token in writer.closed(text):
        logits = writer.backbone(torch.tensor([tokens]))
        total += float(torch.log_softmax(logits[0, -1], -1)[token])
        tokens.append(token)
    return total


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt"])
def test_the_loss_is_the_formula(kind: str, tmp_path: Path) -> None:
    """Log-probabilities of packed or padded pairs are those of each text alone, and the loss is the published one."""
    writer = Writer.from_base(tiny_decoder(kind, tmp_path / "base"), Layout(("ticket",)), most_bytes=40).eval()
    pairs = Pairs(writer).eval()
    rows = [("my printer is broken",), ("router",), ("the screen is black again",)]
    targets = pairs_of(("please restart it", "go away"), ("now", "again and again and again"), ("help", "no"))
    encoded = pairs.encode(rows, targets)
    found = pairs.chances(encoded)
    with torch.inference_mode():
        wanted = [[alone(writer, row["tokens"], text) for text in (str(target), target.rejected)]
                  for row, target in zip(encoded, targets, strict=True)]  # fmt: skip
    np.testing.assert_allclose(found[:, :2], wanted, atol=2e-3)
    assert found[:, 2:].tolist() == [[len(text) for text in row["texts"]] for row in encoded]
    reference = np.array(wanted) + np.array([[0.5, -1.0], [0.0, 2.0], [-3.0, 0.1]])
    loss = preference_loss(torch.tensor(found), torch.tensor(reference), 0.3, 0.2)
    by_hand = 0.0
    for (good, bad), (good_before, bad_before), row in zip(wanted, reference, encoded, strict=True):
        margin = 0.3 * ((good - good_before) - (bad - bad_before))
        by_hand += math.log(1 + math.exp(-margin)) - 0.2 * good / len(row["texts"][0])
    assert float(loss) == pytest.approx(by_hand / 3, abs=2e-3)


def test_pairs_are_found_in_tables_and_in_chats(tmp_path: Path) -> None:
    def numbered(row: dict[str, object], k: int) -> str:
        return json.dumps(row).replace("printer is", f"printer {k} is").replace("restart it", f"restart it {k}")

    def said(role: str, text: str) -> dict[str, str]:
        return {"role": role, "content": text}

    ask = [said("system", "Be kind."), said("user", "my printer is broken again")]
    plain = {"prompt": "my printer is broken", "chosen": "please restart it now", "rejected": "go away right now"}
    forms = {
        "plain": plain,
        "chats": {
            "chosen": [*ask, said("assistant", "please restart it")],
            "rejected": [*ask, said("assistant", "go away")],
        },
        "asked": {
            "prompt": ask,
            "chosen": [said("assistant", "please restart it")],
            "rejected": [said("assistant", "go away")],
        },
    }
    for name, row in forms.items():
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(numbered(row, k) for k in range(30)))
        table = read_table(path)
        roles = infer_roles(table, target="chosen")
        assert roles.text == ("prompt",) and "rejected" in roles.ignored, name
        if name != "plain":
            assert table.texts("prompt")[0] == "system: Be kind.\nuser: my printer 0 is broken again"
            assert (table.texts("chosen")[0], table.texts("rejected")[0]) == ("please restart it 0", "go away")
    rows = [{**plain, "prompt": f"printer {k} is broken", "chosen": f"please restart number {k}"} for k in range(40)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    table = read_table(path)
    roles = infer_roles(table)
    assert roles.target == "chosen" and answer_kind(table, roles) == "text"


def test_nearer_to_what_is_preferred() -> None:
    targets = pairs_of(("please restart it", "go away"), ("please help", "no"), ("yes", "no"))
    given = pack(["please restart", "no", "qqq"], width_of(20))
    assert NearerPreferred(texts.chrf).rows(targets, given).tolist() == [1.0, 0.0, 0.5]
    like = LikePreferred(texts.chrf).rows(targets, given)
    assert like[0] == pytest.approx(texts.chrf("please restart it", "please restart")) and like[1:].tolist() == [
        0.0,
        0.0,
    ]
    assert targets[0] == "please restart it" and isinstance(targets[0], Preferred)
    assert with_rejected(np.array(["a", None], dtype=object), [" ", "b"]).tolist() == [None, None]


def test_a_run_on_pairs_learns_what_is_preferred(tmp_path: Path) -> None:
    """Kind and rude answers come equally often as the text that is wanted elsewhere; only the pairs say which is preferred."""
    rng = np.random.default_rng(0)
    rows = []
    for k in range(460):
        thing = str(rng.choice(["printer", "router", "screen"]))
        rows.append({"prompt": f"my {thing} is broken {'again ' * (k % 4)}".strip() + f" help {k}",
                     "chosen": f"please restart my {thing}", "rejected": f"go away now {thing}"})  # fmt: skip
    source = tmp_path / "pairs.jsonl"
    source.write_text("\n".join(json.dumps(row) for row in rows))
    base = tiny_word_decoder(tmp_path / "base", words=WORDS)
    settings = {
        "training.race": 1,
        "training.epochs": 2,
        "training.precision": "fp32",
        "training.stop_after": "preference",
    }
    heard: list[str] = []

    class Heard(honed.progress.Silent):
        def say(self, text: str) -> None:
            heard.append(text)

    result = honed.finetune(source, base=str(base), out=tmp_path / "runs", settings=settings, progress=Heard())
    assert "Preferred less, " in heard[0] and "go away now" in heard[0].split("Preferred less")[1]
    rungs = {line.name: line for line in result.report.ladder}
    assert rungs["preference"].status == "done" and result.model.problem.metric == "preferred_chrf"
    told = {choice.name: choice for choice in result.report.choices}
    assert told["the preferred text is the likelier"].value.startswith("100 %")
    assert result.evaluation is not None and [metric.name for metric in result.evaluation.metrics][:2] == [
        "preferred_chrf",
        "preferred",
    ]
    assert result.evaluation.metrics[1].model.value > 0.9
    score, before = rungs["preference"].score, rungs["zero-shot"].score
    assert score is not None and before is not None and score.low > before.high
