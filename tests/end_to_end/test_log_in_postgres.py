"""The prediction log in a real PostgreSQL that is started for the test, stopped under the log, and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import served
from tests.unit.test_prediction_log import record, until

psycopg: Any = pytest.importorskip("psycopg", reason="psycopg is not installed")


class Server:
    """A cluster of its own in a temporary folder; PostgreSQL does not run as root, so another user does it there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.user = folder, "postgres" if os.geteuid() == 0 else None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://honed@127.0.0.1:{self.port}/postgres"
        self.run("initdb", "-D", str(folder / "data"), "-U", "honed", "-A", "trust", "-E", "UTF8")

    def run(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=self.user, cwd=self.folder, timeout=60)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self.run(
            "pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", "-o", options, "start"
        )

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def count(self) -> int:
        with psycopg.connect(self.url) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM predictions").fetchone()[0])


@pytest.fixture
def server() -> Iterator[Server]:
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("PostgreSQL is not installed on this machine")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() == 0:
            import pwd

            try:
                owner = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("root may not run PostgreSQL, and there is no user postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        server = Server(folder)
        server.start()
        yield server
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()


def test_the_whole_life(server: Server, tmp_path: Path) -> None:
    import honed
    from honed.monitoring import PredictionLog, upkeep
    from honed.monitoring.logread import shown
    from tests import monitored

    log = PredictionLog(server.url, durable=True, spill=tmp_path / "spill")
    assert record(log, "r0", "zero \x00 and odd \ud800").result(20) is True
    assert log.label("r0", 0, "printing") and not log.label("none", 0, "printing")

    server.stop()
    handles = [record(log, f"away{number}", "text") for number in range(50)]
    assert all(handle.result(30) is True for handle in handles), "the spill file has them"
    health = log.health()
    assert not health["ok"] and health["spilled"] > 0 and "cannot be written" in health["reason"]
    assert not log.label("r0", 0, "network")

    server.start()
    assert until(lambda: log.health()["ok"] and log.health()["spilled"] == 0)
    assert log.health()["written"] == 51 and server.count() == 51

    bundle = monitored.make_bundle(tmp_path / "model", n=300, held_out=300)
    model = honed.Model.load(bundle)
    data = monitored.rows(1200, 5)
    answers = model.predict_full([row["text"] for row in data])
    log.record("desk", "v1", [(row["text"],) for row in data], answers, request_id="many", subject="mallory").result(30)
    assert log.label("many", 3, data[3]["team"])
    found = honed.monitor(bundle, log=server.url, window=400)
    assert (found.n_rows, found.n_labelled, len(found.windows)) == (1251, 2, 4)
    assert shown(server.url) == "postgresql://127.0.0.1/postgres" == found.source
    assert (
        upkeep.export_labelled(
            server.url, __import__("honed.monitoring.reference", fromlist=["watch"]).watch(bundle), tmp_path / "new.csv"
        )
        == 2
    )
    assert upkeep.erase(server.url, subject="mallory").rows == 1200
    assert server.count() == 51
    log.close()


def test_a_database_that_is_not_there_yet(server: Server, tmp_path: Path) -> None:
    from honed.monitoring import PredictionLog

    server.stop()
    log = PredictionLog(server.url, spill=tmp_path / "spill")
    record(log, "r1", "text", subject="jo")
    assert until(lambda: not log.health()["ok"])
    assert not (tmp_path / "spill").exists(), "without the key for ids nothing goes to the disk"
    server.start()
    assert until(lambda: log.health()["written"] == 1 and log.health()["ok"])
    log.close()


def test_a_server_outlives_its_database(server: Server, bundle: Path, tmp_path: Path) -> None:
    """Requests are answered while the database is away, /healthz says so, and nothing is missing once it is back."""
    honed = served.started(bundle, "--log", server.url, cwd=tmp_path)
    try:
        assert honed.ask(headers={"X-Request-ID": "before"}).status_code == 200
        assert until(lambda: honed.log()["written"] == 1)
        server.stop()
        for number in range(20):
            assert honed.ask(headers={"X-Request-ID": f"away{number}"}).status_code == 200
        assert until(lambda: not honed.log()["ok"])
        assert honed.ready()
        server.start()
        assert until(lambda: honed.log()["ok"] and honed.log()["written"] == 21)
        assert server.count() == 21 and honed.log()["dropped"] == 0
    finally:
        served.ended(honed)


def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    from honed.errors import MonitorError
    from honed.monitoring import PredictionLog
    from honed.monitoring.logread import opened

    with pytest.raises(MonitorError, match="M007"):
        PredictionLog("postgresql://127.0.0.1:1/x", roll_days=3)
    with pytest.raises(MonitorError, match="M006"), opened("postgresql://127.0.0.1:1/x"):
        pass
