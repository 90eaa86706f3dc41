"""What all tests share: made-up tickets, a tiny random base, one small bundle. No network is ever used."""

from __future__ import annotations

import csv
import os
import random
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["HONED_HOME"] = tempfile.mkdtemp(prefix="honed-home-")  # what tests prepare never lands in the user's cache
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

from honed.threads import surroundings

os.environ.update(surroundings(os.environ))  # before torch is loaded: waiting threads sleep, as in the command line

from honed.bundle import fresh
from honed.tasks.text_classification.sample import sample
from honed.verbs import package
from tests.warm import Warm

FAST = {
    "training.race": 1,
    "training.epochs": 3,
    "training.precision": "fp32",
    "training.stop_after": "probe",
    "task_settings.max_length": 32,
}
"""Settings with which a tiny model goes through the whole of ``finetune`` in seconds."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may leave the machine: any connection but one to the machine itself is an error."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        assert self.family == socket.AF_UNIX or host in ("127.0.0.1", "::1", "localhost"), f"connection to {address}"
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True, scope="session")
def _home_goes() -> Iterator[None]:
    """The folder of prepared engines is removed in the end."""
    home = os.environ["HONED_HOME"]
    yield
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def _warm_processes() -> Iterator[None]:
    """The process in which ``finetune`` opens its bundle is a copy of one that has loaded torch."""
    warm, check_fresh = Warm(), fresh.check_fresh

    def check_warm(*given: Any) -> float:
        with mock.patch.object(fresh, "subprocess", warm):
            return check_fresh(*given)

    with mock.patch.object(package, "check_fresh", check_warm):
        yield
    warm.end()


@pytest.fixture(scope="session")
def tiny_base() -> Path:
    """A folder in hub format with a tiny BERT that knows the words of the sample."""
    base = sample().base
    assert base is not None
    return base


def rows_of_sample(n: int = 96) -> list[dict[str, str]]:
    """Rows of the made-up tickets as dictionaries."""
    table = sample().table
    return [
        {"text": text, "team": team} for text, team in zip(table.column("text"), table.column("team"), strict=True)
    ][:n]


def new_rows(n: int = 96) -> list[dict[str, str]]:
    """Made-up tickets that share words with those of the sample, but no texts."""
    from honed.tasks.text_classification.sample import FILLERS, WORDS

    rng = random.Random(5)
    rows = []
    for i in range(n):
        team = list(WORDS)[i % 3]
        words = [*rng.choices(WORDS[team], k=3), *rng.choices(FILLERS, k=7)]
        rng.shuffle(words)
        rows.append({"text": " ".join(words), "team": team})
    return rows


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    """Rows as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """96 made-up tickets of three teams as CSV."""
    return write_csv(tmp_path / "tickets.csv", rows_of_sample())


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """The folder of a finished run; tests must not change it."""
    from honed import finetune

    place = tmp_path_factory.mktemp("run")
    data = write_csv(place / "tickets.csv", rows_of_sample())
    return finetune(data, base=tiny_base, out=place / "runs", settings=dict(FAST)).folder


@pytest.fixture
def bundle(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of a small bundle that a test may damage."""
    return Path(shutil.copytree(finished_run / "model", tmp_path / "bundle"))


@pytest.fixture(scope="session")
def network_run(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """The folder of a run whose model is a network; tests must not change it."""
    return _run_of(tmp_path_factory.mktemp("network"), tiny_base, "network")


@pytest.fixture
def network_bundle(network_run: Path) -> Path:
    """The bundle of a small network, in its run's folder; tests must not change it."""
    return network_run / "model"


@pytest.fixture(scope="session")
def bundle_of_words(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """The bundle of a model that counts words, without any network; tests must not change it."""
    return _run_of(tmp_path_factory.mktemp("words"), tiny_base, "tfidf-linear") / "model"


def _run_of(place: Path, base: Path, kind: str) -> Path:
    """A finished run on the sample; a bundle of the wanted kind replaces its own where another method won."""
    import dataclasses

    from honed import finetune
    from honed.model import Model
    from honed.networks.engine import NetworkPredictor
    from honed.tasks.registry import get_task
    from honed.zoo.local import local_base

    data = write_csv(place / "tickets.csv", rows_of_sample())
    folder = finetune(data, base=base, out=place / "runs", settings={**FAST, "training.stop_after": "baseline"}).folder
    model = Model.load(folder / "model")
    if model.predictor.kind == kind:
        return folder
    task, table = get_task(model.task.name), sample().table
    if kind == "network":
        settings = task.config(max_length=32)
        network = task.build(local_base(base), model.problem, settings, 0)
        features = NetworkPredictor(network).embed(task.inputs(table, model.problem))
        head = task.fit_head(features, task.targets(table, model.problem), model.problem, settings, 0)
        set_head(network, head)
        predictor = NetworkPredictor(network)
    else:
        named = {baseline.name: baseline for baseline in task.baselines(model.problem, task.config())}
        predictor = named[kind].fit(
            task.inputs(table, model.problem), task.targets(table, model.problem), model.problem, 0
        )
    dataclasses.replace(model, predictor=predictor, folder=None).save(folder / "model")
    return folder


def set_head(network: object, head: dict[str, object]) -> None:
    """Give a network's linear head these weights."""
    import torch

    with torch.no_grad():
        for name, value in head.items():
            getattr(network.head, name).copy_(torch.as_tensor(value))  # type: ignore[attr-defined]
