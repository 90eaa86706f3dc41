"""A model at an address: what leaves this machine, what it costs, and how everything that goes wrong is told."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import honed
from honed.errors import HonedError
from honed.hosted.address import address_of
from honed.hosted.ledger import Ledger
from honed.hosted.masking import Masker
from honed.shots.opening import open_few_shot
from honed.testing.tiny_decoders import tiny_decoder
from tests.hosted import KEY, Hosted, hosted

SHOTS = [
    {"name": "Ada Lovelace", "text": "write to ada@example.com, +49 30 1234567", "team": "sales"},
    {"name": "Ben Okri", "text": "card 4111 1111 1111 1111 of Ben Okri", "team": "billing"},
    {"name": "Cleo", "text": "server 10.1.2.3 is down", "team": "network"},
]
NEW = [
    {"name": "Dora Maar", "text": "Dora Maar asks: refund to DE89 3704 0044 0532 0130 00"},
    {"name": "Emil", "text": "password: hunter2!x for emil@example.org"},
]
PERSONAL = (
    "Lovelace", "Okri", "Cleo", "Maar", "Emil", "ada@", "emil@", "1234567", "4111", "10.1.2.3", "DE89", "3704", "hunter2",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_decoder("llama", tmp_path_factory.mktemp("giant"))


@pytest.fixture
def server(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HONED_REMOTE_KEY", KEY)
    with hosted(folder) as found:
        yield found


def asked(server: Hosted, rows: Any = NEW, **given: Any) -> list[Any]:
    return honed.predict(server.url, rows, **{"examples": SHOTS, "allow_remote": True, **given})


def code_of(server: Hosted, **given: Any) -> HonedError:
    with pytest.raises(HonedError) as told:
        asked(server, **given)
    assert KEY not in str(told.value) + json.dumps(told.value.as_dict())
    return told.value


def test_a_hosted_model_answers_labels_and_no_personal_data_leaves(server: Hosted) -> None:
    found = asked(server)
    assert set(found) <= {"sales", "billing", "network"} and len(found) == 2
    assert len(server.bodies) == 2
    for word in PERSONAL:
        assert word not in server.sent().replace(KEY, ""), word
    body = next(body for body in server.bodies if "IBAN" in json.dumps(body))
    said = body["messages"][-1]["content"]
    assert said == "name: [NAME_4]\ntext: [NAME_4] asks: refund to [IBAN_1]"
    assert body["response_format"]["json_schema"]["schema"]["properties"]["team"]["enum"] == [
        "billing",
        "network",
        "sales",
    ]


def test_values_that_were_masked_come_back_in_the_answers(server: Hosted) -> None:
    """The decoder can but write one of the placeholders that it was sent; the user gets the values."""
    schema = {
        "type": "object",
        "properties": {"who": {"enum": ["ada@example.com", 'Emil "the" B']}},
        "required": ["who"],
    }
    rows = [{"text": "ada@example.com asks"}]
    (found,) = asked(server, rows, examples=None, schema=schema)
    assert found["who"] in ("ada@example.com", 'Emil "the" B') and "ada@" not in server.sent()
    assert "[EMAIL_1]" in json.dumps(server.bodies[0]["response_format"])


def test_nothing_leaves_without_permission_and_what_would_is_shown(server: Hosted) -> None:
    error = code_of(server, allow_remote=False)
    assert error.code == "G031" and "refund to [IBAN_1]" in str(error) and "DE89" not in str(error)
    few = open_few_shot(server.url, ["name", "text"], examples=SHOTS, dry=True)
    assert "[NAME_4]" in few.prompt(("Dora Maar", "hello")) and server.bodies == []


def test_an_interrupted_run_pays_once(server: Hosted) -> None:
    first = asked(server)
    assert asked(server) == first and len(server.bodies) == 2
    other = [*NEW, {"name": "Finn", "text": "something new"}]
    assert asked(server, other)[:2] == first and len(server.bodies) == 3
    store = Path(os.environ["HONED_HOME"]) / "hosted" / "answers.sqlite"
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    content = b"".join(path.read_bytes() for path in store.parent.iterdir())
    assert not any(word.encode() in content for word in (*PERSONAL, KEY))


def test_costs_are_counted_and_limited(server: Hosted) -> None:
    few = open_few_shot(
        server.url, ["name", "text"], examples=SHOTS, allow_remote=True,
        settings={"remote.price_in": 1.0, "remote.price_out": 10.0},
    )  # fmt: skip
    few.answer([(row["name"], row["text"]) for row in NEW])
    ledger: Ledger = few.base.ledger  # type: ignore[attr-defined]
    assert ledger.n_asked == 2 and ledger.tokens_in > 50 and ledger.tokens_out >= 2
    assert ledger.cost == pytest.approx((ledger.tokens_in + 10 * ledger.tokens_out) / 1e6)
    assert few.base.spent().startswith("2 requests")  # type: ignore[attr-defined]
    limit = {"remote.price_in": 1.0, "remote.price_out": 10.0, "remote.max_cost": 1e-5}
    rows = [{"name": "Gus", "text": f"row {k}"} for k in range(5)]
    assert code_of(server, rows=rows, settings=limit).code == "G038" and len(server.bodies) == 2
    assert code_of(server, settings={"remote.max_cost": 1.0}).code == "C003"


@pytest.mark.parametrize(
    ("refusals", "tries", "code"),
    [
        ([(429, "slow down")] * 2, 2, "G035"), ([(503, "busy")] * 2, 2, "G036"), ([(400, "no such setting")], 3, "G037"),
        ([(302, "elsewhere")], 3, "G037"), ([(403, f"not allowed {KEY}")], 3, "G033"),
    ],
)  # fmt: skip
def test_refusals_are_told(server: Hosted, refusals: list[tuple[int, str]], tries: int, code: str) -> None:
    server.refusals += refusals
    error = code_of(server, rows=NEW[:1], settings={"remote.tries": tries})
    assert error.code == code and len(server.bodies) == len(refusals)
    assert refusals[0][1].split(KEY)[0] in str(error)


def test_it_waits_and_tries_again(server: Hosted) -> None:
    server.refusals += [(429, "slow down"), (500, "oh")]
    assert len(asked(server, NEW[:1])) == 1 and len(server.bodies) == 3


def test_it_asks_as_the_address_understands(server: Hosted) -> None:
    server.refusals += [(400, "use max_completion_tokens"), (400, "unknown field response_format")]
    asked(server, NEW[:1])
    assert "max_completion_tokens" in server.bodies[-1] and "response_format" not in server.bodies[-1]


def test_keys_models_and_addresses_that_are_wrong_are_told(server: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"examples": SHOTS, "allow_remote": True}
    with pytest.raises(HonedError, match="G034"):
        honed.predict(server.url.replace("giant", "dwarf"), NEW, **few)  # type: ignore[arg-type]
    with pytest.raises(HonedError, match="G036"):
        honed.predict("http://127.0.0.1:9/v1#giant", NEW, **few, settings={"remote.tries": 1})  # type: ignore[arg-type]
    monkeypatch.setenv("HONED_REMOTE_KEY", "wrong")
    assert code_of(server).code == "G033"
    monkeypatch.delenv("HONED_REMOTE_KEY")
    with pytest.raises(HonedError, match="G033"):
        honed.predict("https://example.com/v1#giant", NEW, **few)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    ["https://example.com/v1", "http://example.com/v1#m", "https://user:secret@example.com/v1#m", "https:///v1#m"],
)
def test_addresses_that_cannot_be_used(name: str) -> None:
    with pytest.raises(HonedError, match="G032") as told:
        address_of(name)
    assert "secret" not in str(told.value)


def test_placeholders_are_consistent_and_never_those_of_the_text() -> None:
    masker = Masker()
    masker.avoid("as [EMAIL_1] said")
    text = "as [EMAIL_1] said: a@b.de, c@d.de, a@b.de"
    masked = masker.mask(text)
    assert masked == "as [EMAIL_1] said: [EMAIL_2], [EMAIL_3], [EMAIL_2]" and masker.restore(masked) == text
    masker.know('O"Neil', "last name")
    assert masker.mask('ask O"Neil') == "ask [LAST_NAME_1]"
    assert json.loads(masker.restore('{"a": "[LAST_NAME_1]"}', within_json=True)) == {"a": 'O"Neil'}
    assert masker.kinds == {"EMAIL": 2, "LAST_NAME": 1}
