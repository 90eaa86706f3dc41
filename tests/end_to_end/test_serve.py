"""``honed serve`` as a real process: clients that err, leave and dawdle, workers that are killed, reload and stop under load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from honed.files import read_json, write_json
from honed.model import Model
from honed.serving.keys import new_key
from tests.served import TEXTS, Server, ended, started, until


@pytest.fixture(scope="module")
def server(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for the tests that leave it as it was."""
    found = started(Path(shutil.copytree(finished_run / "model", tmp_path_factory.mktemp("served") / "bundle")))
    yield found
    ended(found)


@pytest.fixture
def own_server(bundle: Path) -> Iterator[Server]:
    """One that a test may end."""
    found = started(bundle)
    yield found
    ended(found)


def test_answers_are_those_of_the_model(server: Server, bundle: Path) -> None:
    model = Model.load(bundle)
    expected = model.predict_full(TEXTS)
    found = httpx.post(f"{server.url}/predict", json=[{"text": text} for text in TEXTS], timeout=60).json()
    assert [one["prediction"] for one in found] == expected.labels
    shares = [[one["probabilities"][label] for label in model.problem.labels] for one in found]
    np.testing.assert_allclose(shares, expected.probabilities, atol=1e-5)


def test_a_killed_worker_is_noticed_and_replaced(server: Server) -> None:
    before = server.ask().json()
    (worker,) = server.workers()
    worker.kill()
    assert until(lambda: not server.ready(), 2.0) < 2.0
    assert server.ask().json()["prediction"] == before["prediction"]
    assert server.ready()
    assert server.workers()[0].pid != worker.pid


def test_a_hung_worker_is_noticed_and_replaced(server: Server) -> None:
    (worker,) = server.workers()
    worker.suspend()
    assert until(lambda: not server.ready(), 3.0) < 3.0
    until(server.ready, 60.0)
    assert server.workers()[0].pid != worker.pid
    assert server.ask().status_code == 200


async def _load(url: str, expected: dict[str, str], stop: asyncio.Event, seen: list[str]) -> None:
    """Ask until told to stop; a refused connection after the server's end is no lost request."""
    async with httpx.AsyncClient(timeout=60) as client:
        while not stop.is_set():
            for text, label in expected.items():
                try:
                    response = await client.post(f"{url}/predict", json={"text": text})
                except httpx.ConnectError:
                    return
                seen.append(
                    "right" if response.status_code == 200 and response.json()["prediction"] == label else response.text
                )


def expected_of(bundle: Path) -> dict[str, str]:
    return dict(zip(TEXTS, Model.load(bundle).predict(TEXTS), strict=True))


def test_a_worker_killed_under_load_loses_no_request(server: Server, bundle: Path) -> None:
    expected = expected_of(bundle)

    async def whole() -> list[str]:
        stop, seen = asyncio.Event(), []
        clients = [asyncio.create_task(_load(server.url, expected, stop, seen)) for _ in range(8)]
        await asyncio.sleep(0.5)
        server.workers()[0].kill()
        n = len(seen)
        while len(seen) < n + 50:
            await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*clients)
        return seen

    seen = asyncio.run(whole())
    assert set(seen) == {"right"} and len(seen) > 50


def _other_version(bundle: Path, target: Path) -> Path:
    shutil.copytree(bundle, target)
    manifest = read_json(target / "manifest.json")
    write_json(target / "manifest.json", {**manifest, "created": "2026-11-26T00:00:00+00:00"})
    return target


def test_reload_under_load_loses_no_request(bundle: Path, tmp_path: Path) -> None:
    """By /admin into an allowed folder, and by SIGHUP; never from outside, never without the right key."""
    new, outside = _other_version(bundle, tmp_path / "new"), tmp_path.parent
    keys = tmp_path / "keys.txt"
    admin, user = new_key(keys, "boss", "admin"), new_key(keys, "shop", "predict")
    server = started(bundle, "--keys", keys, "--body-s", "120")
    try:
        name = read_json(bundle / "manifest.json")["name"]
        headers = {"Authorization": f"Bearer {admin}"}
        address = f"{server.url}/admin/models/{name}/reload"
        assert httpx.post(address, json={}).status_code == 401
        assert server.ask(headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.post(address, json={}, headers={"Authorization": f"Bearer {user}"}).status_code == 403
        refused = httpx.post(address, json={"path": str(outside)}, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "H023")

        async def whole() -> list[str]:
            stop, seen = asyncio.Event(), []

            async def client() -> None:
                async with httpx.AsyncClient(timeout=60, headers={"X-API-Key": user}) as session:
                    while not stop.is_set():
                        response = await session.post(f"{server.url}/predict", json={"text": TEXTS[0]})
                        seen.append(response.headers.get("x-model-version", response.text))

            clients = [asyncio.create_task(client()) for _ in range(8)]
            async with httpx.AsyncClient(timeout=120, headers=headers) as session:
                response = await session.post(address, json={"path": str(new)})
            assert response.status_code == 200, response.text
            await asyncio.sleep(0.5)
            stop.set()
            await asyncio.gather(*clients)
            return seen

        body = json.dumps({"text": TEXTS[0]}).encode()
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as late:
            head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {user}\r\nContent-Length: {len(body)}\r\n"
            late.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body[:5])
            seen = asyncio.run(whole())
            assert len(set(seen)) == 2 and all(len(version) == 12 for version in seen)
            late.sendall(body[5:])  # begun with the old version, ended when that is gone
            assert late.recv(65536).startswith(b"HTTP/1.1 200")
        until(lambda: len(server.workers()) == 1, 30)
        shutil.rmtree(new)
        _other_version(bundle, new)
        write_json(new / "manifest.json", {**read_json(new / "manifest.json"), "created": "2026-11-27T00:00:00+00:00"})
        server.process.send_signal(signal.SIGHUP)
        versions = httpx.get(f"{server.url}/api/models", headers=headers)
        until(lambda: httpx.get(f"{server.url}/api/models", headers=headers).json()["models"][0]["default_version"]
              != versions.json()["models"][0]["default_version"], 60)  # fmt: skip
    finally:
        ended(server)


def test_stopping_under_load_loses_no_accepted_request(own_server: Server, bundle: Path) -> None:
    server, expected = own_server, expected_of(bundle)

    async def whole() -> list[str]:
        stop, seen = asyncio.Event(), []
        clients = [asyncio.create_task(_load(server.url, expected, stop, seen)) for _ in range(8)]
        await asyncio.sleep(1.0)
        server.process.send_signal(signal.SIGTERM)
        found = await asyncio.gather(*clients, return_exceptions=True)
        # A kept-alive connection may be closed at the moment a client begins to write: such a request was not accepted.
        assert all(one is None or isinstance(one, httpx.RemoteProtocolError | httpx.ReadError) for one in found), found
        return seen

    seen = asyncio.run(whole())
    assert server.process.wait(60) == 0
    assert len(seen) > 8 and set(seen) == {"right"}


def test_no_worker_outlives_its_server(own_server: Server) -> None:
    workers = own_server.workers()
    own_server.process.kill()
    own_server.process.wait()
    until(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers), 10)


BAD: list[tuple[dict[str, Any], int]] = [
    ({"content": b"{"}, 400), ({"content": b"\xff"}, 400), ({"content": b"[" * 50_000}, 400), ({"json": {}}, 422),
    ({"json": {"text": 3}}, 422), ({"json": {"text": "a", "x": 1}}, 422), ({"json": [{"text": "a"}] * 1001}, 413),
    ({"content": b" " * (9 << 20)}, 413), ({"content": b"a=b", "headers": {"Content-Type": "text/plain"}}, 415),
]  # fmt: skip


def test_sixty_four_clients_good_and_bad(server: Server, bundle: Path) -> None:
    """No right request gets a wrong answer, no bad one breaks the server, and those who leave do no harm."""
    expected = expected_of(bundle)

    async def client(number: int) -> None:
        async with httpx.AsyncClient(timeout=120) as session:
            for turn in range(8):
                kind = (number + turn) % 4
                if kind == 0:
                    given, status = BAD[(number // 4 + turn) % len(BAD)]
                    named = {"headers": {"Content-Type": "application/json"}, **given}
                    response = await session.post(f"{server.url}/predict", **named)
                    assert response.status_code == status, response.text
                    assert set(response.json()["error"]) == {"code", "seen", "remedy", "details"}
                elif kind == 1:
                    with contextlib.suppress(httpx.TimeoutException):  # it leaves before the answer, as a rule
                        await session.post(f"{server.url}/predict", json=[{"text": "a b c"}] * 300, timeout=0.001)
                else:
                    text = TEXTS[(number + turn) % len(TEXTS)]
                    response = await session.post(f"{server.url}/predict", json={"text": text})
                    assert (response.status_code, response.json().get("prediction")) == (200, expected[text])

    async def whole() -> None:
        await asyncio.gather(*(client(number) for number in range(64)))

    restarts = server.state()["worker_restarts"]
    asyncio.run(whole())
    assert server.ask().status_code == 200
    assert server.state()["worker_restarts"] == restarts


def test_slow_clients_are_cut_off(bundle: Path) -> None:
    from honed.serving.settings import Admission, Limits, Settings
    from honed.serving.testing import running

    settings = Settings(Limits(header_s=0.5, body_s=0.5), Admission(unfit_because="a test"))
    with running([bundle], settings=settings) as server:
        host, port = server.url.removeprefix("http://").split(":")
        for begin in (b"", b"POST /predict HTTP/1.1\r\nHost: x\r\n"):
            with socket.create_connection((host, int(port)), timeout=10) as sock:
                sock.sendall(begin)
                assert sock.recv(100) == b""
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            sock.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
            )
            assert b" 408 " in sock.recv(1000)


def test_unfit_and_damaged_bundles_are_refused(bundle: Path) -> None:
    command = [sys.executable, "-m", "honed", "serve", str(bundle), "--port", "0"]
    manifest = read_json(bundle / "manifest.json")
    write_json(bundle / "manifest.json", {**manifest, "verdict": "do not ship"})
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert found.returncode == 2 and "H020" in found.stderr
    found = subprocess.run([*command, "--require-signature", "nokey.pem"], capture_output=True, text=True, timeout=120)
    assert found.returncode == 2 and "S001" in found.stderr
    server = started(bundle)
    try:
        version = httpx.get(f"{server.url}/api/models").json()["models"][0]["versions"][0]
        assert version["served_though_unfit_because"] == "a test"
    finally:
        ended(server)
    with (bundle / "problem.json").open("a") as stream:
        stream.write(" ")
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert found.returncode == 2 and "B004" in found.stderr


def test_a_shadow_is_compared_and_answers_are_logged(bundle: Path, tmp_path: Path) -> None:
    name = read_json(bundle / "manifest.json")["name"]
    shadow, log = _other_version(bundle, tmp_path / "shadow"), tmp_path / "log.sqlite"
    server = started(bundle, "--shadow", f"{name}={shadow}", "--log", log)
    try:
        response = server.ask(headers={"X-Request-ID": "mine", "X-Subject": "ada"})
        assert response.headers["x-request-id"] == "mine"

        def shadowed() -> int:
            return int(httpx.get(f"{server.url}/api/models").json()["models"][0]["shadow"]["agreed"])

        until(lambda: shadowed() == 1, 10)
        assert f'honed_shadow_rows_total{{model="{name}",outcome="agreed"' in httpx.get(f"{server.url}/metrics").text
        until(lambda: httpx.get(f"{server.url}/healthz").json()["log"]["written"] == 2, 10)
        kept = httpx.post(f"{server.url}/labels", json={"request_id": "mine", "row": 0, "label": "network"})
        assert kept.json() == {"kept": 1}
        assert httpx.post(f"{server.url}/labels", json={"request_id": "other", "label": "x"}).status_code == 404
        assert httpx.get(f"{server.url}/api/monitor").json()["n_rows"] == 1
    finally:
        ended(server)


def test_the_other_protocol_gives_the_same_answers(server: Server, bundle: Path) -> None:
    name = read_json(bundle / "manifest.json")["name"]
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(TEXTS)], "data": TEXTS}
    address = f"{server.url}/v2/models/{name}/infer"
    found = httpx.post(address, json={"id": "7", "inputs": [tensor]}, timeout=60).json()
    outputs = {one["name"]: one for one in found["outputs"]}
    assert found["id"] == "7" and outputs["prediction"]["data"] == list(expected_of(bundle).values())
    assert outputs["probabilities"]["shape"] == [len(TEXTS), len(outputs["probabilities"]["parameters"]["labels"])]
    for wrong in ({**tensor, "shape": [3]}, {**tensor, "datatype": "FP32"}, {**tensor, "name": "x"}):
        assert (
            httpx.post(
                address, content=json.dumps({"inputs": [wrong]}), headers={"Content-Type": "application/json"}
            ).status_code
            == 422
        )
