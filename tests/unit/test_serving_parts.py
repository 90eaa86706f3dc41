"""The parts of the server alone: messages, checks of input, keys, halving of a batch."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from honed.errors import ServeError
from honed.model import Model
from honed.serving import wire
from honed.serving.answers import answered
from honed.serving.check import parsed, rows_of
from honed.serving.keys import digest_of, known, new_key, read_keys
from honed.serving.pulse import Pulse
from honed.serving.worker import answer, arrays_of
from honed.threads import SPINS, surroundings

SCHEMA = {
    "type": "object", "required": ["text"], "examples": [{"text": "a"}],
    "properties": {"text": {"type": "string", "maxLength": 10}, "n": {"type": "integer", "minimum": 0}},
}  # fmt: skip


def code_of(call: Any, *args: Any) -> str:
    with pytest.raises(ServeError) as caught:
        call(*args)
    return caught.value.code


def test_messages_come_back_as_they_went() -> None:
    arrays = {"p": np.arange(6, dtype=np.float32).reshape(2, 3), "u": np.array([True, False]), "e": np.zeros((0, 2))}
    data = wire.packed({"id": 1, "text": "ä\ud800"}, arrays)
    n, m = wire.LENGTHS.unpack(data[:8])
    head, found = wire.unpacked(data[8 : 8 + n], data[8 + n : 8 + n + m])
    assert head == {"id": 1, "text": "ä\ud800"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_a_message_cannot_name_another_kind_of_array() -> None:
    with pytest.raises(ValueError, match="object"):
        wire.unpacked(json.dumps({"arrays": [["x", "object", [1]]]}).encode(), b"12345678")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\xfe", "H004"), (b"", "H004"), (b"{", "H004"), (b'{"a": NaN}', "H004"), (b"9" * 9999, "H004"),
        (b"[" * 100_000, "H005"), (b"[" * 20 + b"]" * 20, "H005"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(body: bytes, code: str) -> None:
    assert code_of(parsed, body) == code


@pytest.mark.parametrize(
    ("value", "code", "named"),
    [
        ([], "H007", "no rows"), ([{"text": "a"}] * 4, "H006", "4 rows"), ({}, "H007", '"text" is missing'),
        ({"text": 1}, "H007", "is a number, not string"), ({"text": "a", "txt": "b"}, "H007", '"txt"'), ("a", "H007", "a string"),
        ([{"text": "a"}, None], "H007", "Row 1"), ({"text": "a" * 11}, "H007", "11 characters"), ({"text": "\ud800"}, "H007", "half"),
        ({"text": "a", "n": True}, "H007", "a boolean"), ({"text": "a", "n": -1}, "H007", "least is 0"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_are_refused(value: Any, code: str, named: str) -> None:
    with pytest.raises(ServeError, match=named) as caught:
        rows_of(value, SCHEMA, 3)
    assert caught.value.code == code


def test_one_row_and_a_list_are_told_apart() -> None:
    assert rows_of({"text": "a"}, SCHEMA, 3) == ([{"text": "a"}], True)
    assert rows_of([{"text": "a"}], SCHEMA, 3) == ([{"text": "a"}], False)


def test_keys_are_kept_as_hashes(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    first, second = new_key(path, "shop", "predict"), new_key(path, "boss", "admin")
    assert first not in path.read_text() and digest_of(first) in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    keys = read_keys(path)
    found = known(keys, second)
    assert found is not None and (found.owner, found.role) == ("boss", "admin")
    assert known(keys, first + "x") is None and known(keys, "") is None
    path.write_text("nonsense\n")
    assert code_of(read_keys, path) == "H021"
    path.write_text("")
    assert code_of(read_keys, path) == "H021"


def test_a_row_on_which_the_model_fails_spoils_no_other(finished_run: Path) -> None:
    model = Model.load(finished_run / "model")

    def answers(inputs: list[Any]) -> Any:
        if any("poison" in text for (text,) in inputs):
            raise RuntimeError("boom")
        return Model.answers(model, inputs)

    failing = SimpleNamespace(inputs=model.inputs, answers=answers)
    rows = [{"text": text} for text in ("printer jam", "poison", "new password", "wifi", "poison")]
    good, found, errors = answer(failing, rows)  # type: ignore[arg-type]
    assert good == [0, 2, 3] and sorted(errors) == [1, 4]
    labels, arrays = arrays_of(found)
    head = {"good": good, "labels": labels, "errors": {str(k): v for k, v in errors.items()}}
    whole = model.predict_full([row["text"] for row in rows if row["text"] != "poison"])
    part = answered(head, arrays, 2, 4).predictions
    assert part.labels == whole.labels[1:]
    np.testing.assert_allclose(part.probabilities, whole.probabilities[1:], atol=1e-5)
    with pytest.raises(ServeError) as caught:
        answered(head, arrays, 0, 2)
    assert caught.value.code == "H015" and caught.value.details["row"] == 1


@pytest.mark.parametrize(
    ("looks", "stuck"),
    [
        ([["S 5 1", "S 0 0"], ["S 5 1", "S 0 0"]], True), ([["T 5 1"], ["T 5 1"]], True),
        ([["S 5 1"], ["S 6 1"]], False), ([["S 5 1", "R 0 0"], ["S 5 1", "R 0 0"]], False), ([["D 5 1"], ["D 5 1"]], False),
        ([["S 5 1"], []], False), ([["S 5 1"]], False), ([["S x"], ["S x"]], False),
    ],
)  # fmt: skip
def test_only_a_process_that_does_nothing_is_stuck(looks: list[list[str]], stuck: bool, tmp_path: Path) -> None:
    """Asleep or stopped without use of the processor, twice; never on the first look, never when nothing can be read."""
    pulse = Pulse(7, proc=tmp_path)
    found = False
    for threads in looks:
        for number, thread in enumerate(threads):
            state, *used = thread.split()
            place = tmp_path / "7" / "task" / str(number)
            place.mkdir(parents=True, exist_ok=True)
            (place / "stat").write_text(f"{number} (odd ) name) {state} {'0 ' * 10}{' '.join(used)} 0 0\n")
        if not threads:
            (tmp_path / "7" / "task" / "0" / "stat").unlink()
        found = pulse.stuck()
    assert found is stuck


def test_threads_of_a_worker_sleep_soon_unless_told_otherwise() -> None:
    assert surroundings({"A": "b"}) == {"A": "b", "GOMP_SPINCOUNT": SPINS}
    for own in ({"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "7"}):
        assert surroundings(own) == own
