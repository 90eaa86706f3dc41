"""What engines cost in answers travels with a deployment, and is believed only where it holds."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from honed.engines import timing
from honed.engines.choose import choose
from honed.engines.kinds import KINDS, missing
from honed.engines.proof import FILE, proof_of
from honed.engines.timing import short_and_long, weighed_ms
from honed.model import Model
from honed.networks.engine import NetworkPredictor
from honed.verbs.export import deploy
from tests.conftest import rows_of_sample

ROUNDING = [name for name, kind in KINDS.items() if not kind.exact and not missing(kind)]


@pytest.fixture(scope="module")
def written(network_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A deployment, made once, with a folder of prepared engines of its own."""
    place = tmp_path_factory.mktemp("proofs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HONED_HOME", str(place / "home"))
        patch.setattr(timing, "BUDGET_S", 0.0)
        yield deploy(network_run / "model", place / "deployment", data=rows_of_sample(96))


@pytest.fixture
def deployed(written: Path, tmp_path: Path) -> Path:
    """A copy, opened on what stands for another machine: no choice is remembered there, and there are no rows."""
    for choice in (written.parent / "home").rglob("choice-*.json"):
        choice.unlink()
    return Path(shutil.copytree(written, tmp_path / "deployment"))


def changed(place: Path, change: Any) -> None:
    fields = json.loads((place / FILE).read_text(encoding="utf-8"))
    change(fields)
    (place / FILE).write_text(json.dumps(fields), encoding="utf-8")


def test_a_deployed_bundle_may_round(deployed: Path) -> None:
    """All of the engines that were accepted are considered there, with the loss measured here and times of their own."""
    found = choose(Model.load(deployed / "model"))
    fields = json.loads((deployed / FILE).read_text(encoding="utf-8"))
    assert (found.rows, found.rows_source) == (96, "carried") == (fields["rows"], "carried")
    assert set(fields["engines"]) & set(ROUNDING), "none was accepted here, so the test shows nothing"
    for name in ROUNDING:
        row = found.result(name)
        if name in fields["engines"]:
            assert row.state == "accepted" and "measured elsewhere" in row.reason and row.single_ms
            assert row.loss_points == fields["engines"][name]["loss_points"]
        else:
            assert row.state == "refused"
    remembered = choose(Model.load(deployed / "model"))
    assert remembered == found
    assert rows_file_free(deployed), "no text of a row leaves with the deployment"


def rows_file_free(place: Path) -> bool:
    texts = [row["text"] for row in rows_of_sample(96)]
    whole = (place / FILE).read_text(encoding="utf-8")
    return not any(text in whole for text in texts)


def test_what_gives_other_numbers_is_not_believed(deployed: Path) -> None:
    def other(fields: dict[str, Any]) -> None:
        for proven in fields["engines"].values():
            proven["outputs"] = [[value + 1.0 for value in row] for row in proven["outputs"]]

    changed(deployed, other)
    found = choose(Model.load(deployed / "model"))
    assert KINDS[found.chosen].exact
    assert all(found.result(name).state == "refused" for name in ROUNDING)


def test_a_loss_above_the_bound_is_refused_there_too(deployed: Path) -> None:
    changed(deployed, lambda fields: [proven.update(loss_points=0.4) for proven in fields["engines"].values()])
    model = Model.load(deployed / "model")
    assert all(choose(model).result(name).state == "refused" for name in ROUNDING)


def test_a_proof_is_about_one_model(deployed: Path, tmp_path: Path) -> None:
    model = Model.load(deployed / "model")
    assert proof_of(model) is not None
    doubtful = dataclasses.replace(model, decision=dataclasses.replace(model.decision, unsure_below=0.99))
    assert proof_of(doubtful) is None, "other thresholds lose other answers"
    network = model.predictor.network  # type: ignore[attr-defined]
    weight = next(network.parameters())
    weight.data += 1e-3
    assert proof_of(dataclasses.replace(model, predictor=NetworkPredictor(network))) is None
    weight.data -= 1e-3
    assert proof_of(dataclasses.replace(model, folder=None)) is None
    for damaged in ("", "[]", '{"engines": {"onnx-int8": {"loss_points": 0}}}', '{"engines": 3}', "\xff"):
        (deployed / FILE).write_bytes(damaged.encode("latin-1"))
        assert proof_of(model) is None
    alone = Path(shutil.copytree(deployed / "model", tmp_path / "alone" / "model"))
    assert proof_of(Model.load(alone)) is None


def test_a_choice_without_rows_is_made_anew_once_there_is_a_proof(deployed: Path) -> None:
    proof = (deployed / FILE).read_text(encoding="utf-8")
    (deployed / FILE).unlink()
    model = Model.load(deployed / "model")
    assert choose(model).rows_source == "none"
    (deployed / FILE).write_text(proof, encoding="utf-8")
    assert choose(model).rows_source == "carried"


def test_engines_are_timed_on_short_and_long_rows(network_bundle: Path) -> None:
    model = Model.load(network_bundle)
    inputs = [(" ".join(["paper"] * n),) for n in range(1, 21)]
    short, long = short_and_long(model.predictor, inputs)
    assert (len(short[0].split()), len(long[0].split())) == (6, 19)
    one = inputs[:1]
    assert short_and_long(model.predictor, one) == (one[0], one[0])
    mean, first, second = weighed_ms({"a": model.predictor}, short, long)["a"]
    assert min(first, second) <= mean <= max(first, second)
