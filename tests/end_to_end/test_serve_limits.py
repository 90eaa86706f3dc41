"""``honed serve`` at its limits: full queues, time that runs out, rows that kill, stuck and busy workers, logs that fail."""

from __future__ import annotations

import asyncio
import resource
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from honed.files import read_json, write_json
from honed.model import Model
from tests.served import TEXTS, Server, ended, started, until


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """What a test starts is ended."""
    found: list[Server] = []
    yield found
    for server in found:
        ended(server)


def test_a_full_queue_is_told_and_drains(servers: list[Server], bundle: Path) -> None:
    """While the worker stands still a few rows wait, all others are refused with 429; none that waited is lost."""
    server = started(bundle, "--queue-rows", "4")
    servers.append(server)
    (worker,) = server.workers()
    worker.suspend()

    async def whole() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            calls = [
                asyncio.create_task(client.post(f"{server.url}/predict", json={"text": text})) for text in TEXTS * 4
            ]
            await asyncio.sleep(0.5)
            worker.resume()
            return list(await asyncio.gather(*calls))

    found = asyncio.run(whole())
    refused = [response for response in found if response.status_code == 429]
    answered = [response for response in found if response.status_code == 200]
    assert len(answered) == 4 and len(refused) == 16
    for response in refused:
        assert response.json()["error"]["code"] == "H008" and int(response.headers["retry-after"]) >= 1
    assert server.ask().status_code == 200
    assert server.state()["worker_restarts"] == 0 and server.state()["waiting_rows"] == 0
    assert len(httpx.post(f"{server.url}/predict", json=[{"text": "a"}] * 9, timeout=60).json()) == 9, (
        "alone it may be long"
    )


def test_time_that_runs_out_is_told(servers: list[Server], bundle: Path) -> None:
    server = started(bundle, "--request-s", "0.7")
    servers.append(server)
    (worker,) = server.workers()
    worker.suspend()
    begin = time.monotonic()
    response = server.ask()
    assert (response.status_code, response.json()["error"]["code"]) == (504, "H009")
    assert 0.6 < time.monotonic() - begin < 3
    until(server.ready, 60)
    assert server.ask().status_code == 200, "a worker that stood still was replaced"
    assert server.state()["waiting_rows"] == 0


def test_a_row_that_kills_is_refused_and_spoils_no_other(servers: list[Server], bundle: Path, tmp_path: Path) -> None:
    server = started(bundle, planted=tmp_path)
    servers.append(server)
    expected = dict(zip(TEXTS, Model.load(bundle).predict(TEXTS), strict=True))

    async def whole() -> tuple[httpx.Response, list[tuple[str, httpx.Response]]]:
        async with httpx.AsyncClient(timeout=120) as client:

            async def one(text: str) -> httpx.Response:
                return await client.post(f"{server.url}/predict", json={"text": text})

            poison = asyncio.create_task(one("this kills the worker"))
            others = [(text, asyncio.create_task(one(text))) for text in TEXTS * 4]
            return await poison, [(text, await call) for text, call in others]

    poison, others = asyncio.run(whole())
    assert (poison.status_code, poison.json()["error"]["code"]) == (503, "H010")
    assert "lost twice" in poison.json()["error"]["seen"] and int(poison.headers["retry-after"]) >= 1
    assert all(response.status_code == 200 for _, response in others)
    assert all(response.json()["prediction"] == expected[text] for text, response in others)
    assert server.state()["worker_restarts"] == 2
    again = server.ask("this kills the worker")
    assert again.status_code == 503
    assert server.ask(TEXTS[1]).json()["prediction"] == expected[TEXTS[1]]


def test_a_stuck_worker_is_replaced_soon_a_busy_one_is_not(servers: list[Server], bundle: Path, tmp_path: Path) -> None:
    """Both say nothing; one is stopped, the other computes without letting its other thread speak."""
    server = started(bundle, planted=tmp_path)
    servers.append(server)
    (worker,) = server.workers()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(server.ask, "it computes for long")
        until(lambda: not server.ready(), 10)  # it fell silent, and /readyz says so
        assert asked.result().status_code == 200
    assert until(server.ready, 2) < 2
    assert server.state()["worker_restarts"] == 0 and server.workers()[0].pid == worker.pid
    worker.suspend()
    begin = time.monotonic()
    assert until(lambda: not server.ready(), 2.5) < 2.5
    until(lambda: server.state()["worker_restarts"] == 1, 4)
    assert time.monotonic() - begin < 3.5
    until(server.ready, 60)
    assert server.ask().status_code == 200


def test_models_and_versions_side_by_side(servers: list[Server], bundle: Path, tmp_path: Path) -> None:
    """Two names and two versions of one of them: each address has the one it names, no other."""

    def copy(folder: str, **changes: Any) -> Path:
        shutil.copytree(bundle, tmp_path / folder)
        manifest = read_json(tmp_path / folder / "manifest.json")
        write_json(tmp_path / folder / "manifest.json", {**manifest, **changes})
        return tmp_path / folder

    name = read_json(bundle / "manifest.json")["name"]
    second, other = copy("second", created="2026-11-26T00:00:00+00:00"), copy("other", name="other")
    server = started(bundle, second, other)
    servers.append(server)
    told = {model["name"]: model for model in httpx.get(f"{server.url}/api/models").json()["models"]}
    assert sorted(told) == sorted([name, "other"])
    versions = [version["version"] for version in told[name]["versions"]]
    assert len(set(versions)) == 2 and told[name]["default_version"] == versions[0]
    assert len(server.workers()) == 3

    def asked(address: str) -> tuple[int, str, str]:
        response = httpx.post(f"{server.url}{address}", json={"text": TEXTS[0]}, timeout=60)
        if response.status_code != 200:
            return response.status_code, response.json()["error"]["code"], ""
        return 200, response.headers["x-model"], response.headers["x-model-version"]

    assert asked("/predict")[:2] == (404, "H003"), "with several models one must be named"
    assert asked(f"/models/{name}/predict") == (200, name, versions[0])
    for version in versions:
        assert asked(f"/models/{name}/versions/{version}/predict") == (200, name, version)
        assert asked(f"/models/{name}/versions/{version[:4]}/predict") == (200, name, version)
    assert asked("/models/other/predict") == (200, "other", told["other"]["default_version"])
    assert asked(f"/models/other/versions/{versions[0]}/predict")[:2] == (404, "H003")
    rows = {one["version"]: one["rows"] for one in told[name]["versions"]}
    assert set(rows.values()) == {0}

    killed = server.workers()[0]
    killed.kill()
    until(lambda: not server.ready(), 2)
    state = httpx.get(f"{server.url}/readyz").json()
    assert len(state["not_ready"]) == 1
    assert asked("/models/other/predict")[0] == 200, "the others answer meanwhile"
    until(server.ready, 60)


@pytest.mark.parametrize("part", ["head", "body"])
def test_clients_that_trickle_are_cut_off_and_hold_up_nobody(bundle: Path, part: str) -> None:
    """A byte now and then keeps no connection open for ever; meanwhile others are answered."""
    from honed.serving.settings import Admission, Limits, Settings
    from honed.serving.testing import running

    settings = Settings(Limits(header_s=1.0, body_s=1.0), Admission(unfit_because="a test"))
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with running([bundle], settings=settings) as server:
        host, port = server.url.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port)), timeout=10) for _ in range(20)]
        begin = time.monotonic()
        for sock in slow:
            sock.sendall(head if part == "head" else head + b"Content-Length: 9999\r\n\r\n{")
        closed: set[int] = set()
        while len(closed) < len(slow):
            assert time.monotonic() - begin < 5, "a trickle kept a connection open"
            assert httpx.post(f"{server.url}/predict", json={"text": TEXTS[0]}, timeout=5).status_code == 200
            for number, sock in enumerate(slow):
                if number in closed:
                    continue
                try:
                    sock.sendall(b"X" if part == "head" else b" ")
                    sock.settimeout(0.001)
                    told = sock.recv(1000)
                except TimeoutError:
                    continue
                except OSError:
                    told = b""
                assert part == "head" or b" 408 " in told or not told
                closed.add(number)
            time.sleep(0.1)
        assert time.monotonic() - begin > 0.8
        for sock in slow:
            sock.close()


def _requests_in(log: Path) -> set[str]:
    with closing(sqlite3.connect(log)) as base:
        return {request for (request,) in base.execute("SELECT request FROM predictions")}


def test_a_log_that_goes_away_and_comes_back(servers: list[Server], bundle: Path, tmp_path: Path) -> None:
    """Answers go on, /healthz says that they are not kept, and what waited is written when the log is back."""
    place, away = tmp_path / "logs", tmp_path / "elsewhere"
    server = started(bundle, "--log", place / "log.sqlite")
    servers.append(server)
    assert server.ask(headers={"X-Request-ID": "before"}).status_code == 200
    until(lambda: server.log()["written"] == 1, 10)
    place.rename(away)
    place.write_text("something else is in its place")
    for number in range(5):
        assert server.ask(headers={"X-Request-ID": f"away{number}"}).status_code == 200
    until(lambda: httpx.get(f"{server.url}/healthz").json()["status"] == "degraded", 10)
    assert "cannot be written" in server.log()["reason"] and server.ready()
    assert "honed_log_ok 0.0" in httpx.get(f"{server.url}/metrics").text
    place.unlink()
    away.rename(place)
    until(lambda: server.log()["ok"] and server.log()["written"] == 6, 15)
    assert server.log()["dropped"] == 0
    assert _requests_in(place / "log.sqlite") == {"before", *(f"away{number}" for number in range(5))}


def test_a_full_disk_under_the_log(servers: list[Server], bundle: Path, tmp_path: Path) -> None:
    """The system lets the server's files grow no more: it answers all the same, and heals when there is room again."""
    log = tmp_path / "log.sqlite"
    server = started(bundle, "--log", log, "--log-text", "raw")
    servers.append(server)
    assert server.ask(headers={"X-Request-ID": "first"}).status_code == 200
    until(lambda: server.log()["written"] == 1, 10)
    largest = max(path.stat().st_size for path in tmp_path.glob("log.sqlite*"))
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest + 4096, hard))
    sent = {"first"}
    for number in range(12):
        response = server.ask("paper " * 3000, headers={"X-Request-ID": f"full{number}"})
        assert response.status_code == 200
        sent.add(f"full{number}")
    until(lambda: httpx.get(f"{server.url}/healthz").json()["status"] == "degraded", 10)
    assert server.ask().status_code == 200 and server.ready()
    label = httpx.post(f"{server.url}/labels", json={"request_id": "first", "label": "network"}, timeout=30)
    assert label.status_code in (200, 404)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    until(lambda: server.log()["ok"] and server.log()["written"] == 14, 15)
    assert sent < _requests_in(log) and server.log()["dropped"] == 0
