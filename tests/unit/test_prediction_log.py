"""The prediction log: nothing lost that was acknowledged, nothing kept that should not be, and never in anybody's way."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from honed.errors import MonitorError
from honed.monitoring import archive, upkeep
from honed.monitoring import writer as writer_module
from honed.monitoring.log import PredictionLog
from honed.monitoring.sqlite import SqliteStore
from honed.tasks.contract import Predictions

DAY_MS = 86_400_000


def answers(n: int, label: str = "network") -> Predictions:
    shares = np.tile(np.array([[0.7, 0.2, 0.1]], dtype=np.float32), (n, 1))
    return Predictions(np.zeros(n, dtype=int), [label] * n, shares, np.full(n, 0.7), np.zeros(n, dtype=bool))


def record(log: PredictionLog, request: str, *texts: str, **named: Any) -> Any:
    return log.record("desk", "v1", [(text,) for text in texts], answers(len(texts)), request_id=request, **named)


def rows_in(path: Path, query: str = "SELECT * FROM predictions ORDER BY id") -> list[dict[str, Any]]:
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute(query)]
    connection.close()
    return found


def until(true: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


def everything_under(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_what_is_kept(path: Path) -> None:
    log = PredictionLog(path)
    record(log, "r1", "Router down, call me: jo@example.org", "Toner is empty", subject="jo")
    record(log, "r2", "again", shadow=True)
    assert log.flush(20.0)
    assert log.health() == {"ok": True, "written": 3, "dropped": 0, "waiting": 0, "spilled": 0, "reason": ""}
    log.close()
    first, second, third = rows_in(path)
    assert (first["request"], first["line"], second["line"], third["shadow"]) == ("r1", 0, 1, 1)
    assert json.loads(first["inputs"])[0].startswith("Router down, call me: jo***") and "example" not in first["inputs"]
    assert json.loads(first["prediction"]) == "network" and first["confidence"] == pytest.approx(0.7)
    assert json.loads(first["top"])[0] == [0, 0.7]
    assert abs(first["at"] - time.time() * 1000) < 60_000
    assert first["subject"] == second["subject"] != "jo" and third["subject"] is None
    assert first["layout"] == "t" and len(first["traits"]) == 43


@pytest.mark.parametrize(("text", "kept"), [("none", None), ("raw", '["mail jo@example.org"]')])
def test_texts_are_kept_as_asked(path: Path, text: Any, kept: str | None) -> None:
    log = PredictionLog(path, text=text)
    record(log, "r1", "mail jo@example.org")
    log.close()
    assert rows_in(path)[0]["inputs"] == kept
    if text == "none":
        assert b"example.org" not in everything_under(path.parent)


def test_labels_come_later(path: Path) -> None:
    log = PredictionLog(path)
    record(log, "r1", "a", "b")
    assert log.label("r1", 1, "printing") and log.label("r1", 1, "network")
    assert not log.label("r1", 2, "printing") and not log.label("unknown", 0, "printing")
    log.close()
    assert [(row["request"], row["line"], row["label"]) for row in rows_in(path, "SELECT * FROM labels")] == [
        ("r1", 1, '"network"')
    ]
    assert not log.label("r1", 0, "network")


def test_a_full_queue_drops_and_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    take = PredictionLog._take
    monkeypatch.setattr(PredictionLog, "_take", lambda self: gate.wait() and take(self))
    log = PredictionLog(path, queue_rows=10)
    begin = time.monotonic()
    for number in range(15):
        record(log, f"r{number}", "text")
    assert time.monotonic() - begin < 5.0
    assert log.health()["dropped"] == 5
    gate.set()
    log.close()
    assert len(rows_in(path)) == 10 and log.health()["written"] == 10


def test_large_texts_are_bounded_in_memory_and_on_disk(path: Path) -> None:
    log = PredictionLog(path, queue_mib=1.0)
    record(log, "r1", "x" * 3_000_000)
    assert log.health()["dropped"] == 1
    record(log, "r2", "y" * 500_000)
    log.close()
    assert len(rows_in(path)[0]["inputs"]) < 21_000


@pytest.mark.parametrize("wrong", [None, [1, 2], answers(0)])
def test_a_wrong_call_never_fails_the_caller(path: Path, wrong: Any) -> None:
    log = PredictionLog(path)
    log.record("desk", "v1", [("text",)], wrong, request_id="r1")
    record(log, "r2", "still alive \ud800 \x00 odd")
    assert log.flush(20.0)
    log.close()
    assert [row["request"] for row in rows_in(path)] == ["r2"] and log.health()["dropped"] == 1


def test_one_refused_row_does_not_stop_the_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    insert = SqliteStore.insert

    def picky(self: SqliteStore, rows: Any, *, again: bool = False) -> None:
        if any(row[4] == "bad" for row in rows):
            raise OverflowError("too large")
        insert(self, rows, again=again)

    monkeypatch.setattr(SqliteStore, "insert", picky)
    log = PredictionLog(path)
    for request in ("good1", "bad", "good2"):
        record(log, request, "text")
    assert log.flush(20.0)
    record(log, "id with \ud800", "text", subject="\ud800")
    log.close()
    assert [row["request"] for row in rows_in(path)] == ["good1", "good2", "id with ?"]
    assert (log.health()["written"], log.health()["dropped"]) == (3, 1)


def test_odd_inputs_are_kept_without_traits(path: Path) -> None:
    log = PredictionLog(path)
    log.record("desk", "v1", [object(), (1.5, "text", None)], answers(2), request_id="r1")
    log.close()
    assert [row["layout"] for row in rows_in(path)] == ["", "nt-"]


def test_many_threads_lose_nothing(path: Path) -> None:
    log = PredictionLog(path)
    threads = [
        threading.Thread(target=lambda t=t: [record(log, f"{t}-{i}", "a", "b") for i in range(100)]) for t in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert len({(row["request"], row["line"]) for row in rows_in(path)}) == 1600
    assert log.health()["written"] == 1600


def test_two_processes_may_write_one_log(path: Path) -> None:
    logs = [PredictionLog(path), PredictionLog(path)]
    for number in range(200):
        for which, log in enumerate(logs):
            record(log, f"{which}-{number}", "text")
    for log in logs:
        log.close(30.0)
        assert log.health()["dropped"] == 0
    assert len(rows_in(path)) == 400


KILLED = """
import sys, numpy as np
from honed.monitoring.log import PredictionLog
from honed.tasks.contract import Predictions
log = PredictionLog(sys.argv[1], durable=True)
for number in range(10_000):
    shares = np.array([[0.7, 0.3]], dtype=np.float32)
    one = Predictions(np.zeros(1, dtype=int), ["a"], shares, np.array([0.7]), np.zeros(1, dtype=bool))
    handle = log.record("desk", "v1", [("text",)], one, request_id=f"r{number}")
    assert handle.result(10)
    print(number, flush=True)
"""


def test_kill_9_loses_no_acknowledged_row(path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    last = -1
    for line in child.stdout:
        last = int(line)
        if last >= 40:
            break
    child.send_signal(signal.SIGKILL)
    last = max([last, *(int(line) for line in child.stdout.read().split())])
    child.wait()
    assert {f"r{number}" for number in range(last + 1)} <= {row["request"] for row in rows_in(path)}


def test_a_full_disk_degrades_and_heals(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = {"pages": 12}

    class Small(SqliteStore):
        def insert(self, rows: Any, *, again: bool = False) -> None:
            self.execute(f"PRAGMA max_page_count = {limit['pages']}")
            super().insert(rows, again=again)

    monkeypatch.setattr(writer_module, "open_store", lambda target, durable: Small(target, durable=durable))
    log = PredictionLog(path, durable=True, queue_rows=50)
    first = record(log, "r0", "small")
    assert first.result(10) is True
    big = [record(log, f"big{number}", "x" * 15_000) for number in range(20)]
    assert any(handle.result(10) is False for handle in big)
    assert until(lambda: not log.health()["ok"])
    assert "full" in log.health()["reason"]
    for number in range(100):
        record(log, f"more{number}", "x")
    assert log.health()["dropped"] > 0
    limit["pages"] = 1_000_000
    assert until(lambda: log.health()["ok"] and log.health()["waiting"] == 0)
    dropped = log.health()["dropped"]
    log.close()
    assert len(rows_in(path)) == 121 - dropped


def test_a_place_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    log = PredictionLog(tmp_path / "file" / "log.sqlite")
    record(log, "r1", "text")
    assert until(lambda: not log.health()["ok"])
    assert log.health()["reason"].startswith("The log cannot be written")
    log.close(5.0)
    assert log.health()["dropped"] == 1


def test_a_log_that_was_deleted_begins_anew(path: Path) -> None:
    log = PredictionLog(path)
    record(log, "r1", "text")
    assert log.flush()
    for file in path.parent.glob("log.sqlite*"):
        file.unlink()
    record(log, "r2", "text")
    assert log.flush()
    log.close()
    assert [row["request"] for row in rows_in(path)] == ["r2"]


# --- retention, days in files, erasure ---------------------------------------------------------------------------------
def aged(path: Path, days: dict[str, int]) -> None:
    """Make rows of these requests as many days older."""
    with sqlite3.connect(path) as connection:
        for request, n in days.items():
            connection.execute("UPDATE predictions SET at = at - ? WHERE request = ?", (n * DAY_MS, request))
            connection.execute("UPDATE predictions SET id = id - ? WHERE request = ?", ((n * DAY_MS) << 21, request))
    connection.close()


def test_old_rows_go(path: Path) -> None:
    log = PredictionLog(path)
    for request in ("old", "new"):
        record(log, request, "secretword" if request == "old" else "other", "b")
    assert log.label("old", 0, "printing")
    log.close()
    aged(path, {"old": 40})
    log = PredictionLog(path, keep_days=30)
    assert until(lambda: len(rows_in(path)) == 2)
    log.close()
    assert rows_in(path, "SELECT * FROM labels") == []
    retired = rows_in(path, "SELECT model, version, rows FROM retired")
    assert retired == [{"model": "desk", "version": "v1", "rows": 2}]


def test_old_days_move_into_files(path: Path) -> None:
    log = PredictionLog(path)
    for number in range(5):
        record(log, f"d{number}", "text", subject=f"s{number}")
    log.close()
    aged(path, {"d0": 9, "d1": 9, "d2": 8, "d3": 1})
    log = PredictionLog(path, roll_days=5)
    assert until(lambda: len(archive.days(path)) == 2 and len(rows_in(path)) == 2)
    assert log.label("d0", 0, "printing") and not log.label("d9", 0, "x")
    log.close()
    found = [row for batch in archive.read(path, ["request"], "desk") for row in batch]
    assert sorted(found) == [("d0",), ("d1",), ("d2",)]
    assert upkeep.erase(path, subject="s0").rows == 1
    found = [row for batch in archive.read(path, ["request"], "desk") for row in batch]
    assert sorted(found) == [("d1",), ("d2",)]
    log = PredictionLog(path, keep_days=6)
    assert until(lambda: archive.days(path) == [])
    log.close()
    assert rows_in(path, "SELECT rows FROM retired") == [{"rows": 2}]


def test_a_day_that_was_moved_half_is_not_doubled(path: Path) -> None:
    log = PredictionLog(path)
    record(log, "d0", "text")
    log.close()
    aged(path, {"d0": 9})
    store = SqliteStore(path)
    steps = archive.roll(path, store, int(time.time() * 1000))
    next(steps)
    store.close()
    steps.close()
    log = PredictionLog(path, roll_days=5)
    assert until(lambda: len(archive.days(path)) == 1 and not rows_in(path))
    log.close()
    assert [row for batch in archive.read(path, ["request"], "desk") for row in batch] == [("d0",)]


@pytest.mark.parametrize("by", ["subject", "request"])
def test_erased_means_gone_from_the_disk(path: Path, by: str) -> None:
    log = PredictionLog(path, text="raw", subjects="raw")
    for number in range(300):
        record(log, f"r{number}", f"common words {number}", subject=f"person{number}")
    record(log, "request-zebra", "the xylophone of mallory", "xylophone twice", subject="mallory")
    assert log.label("request-zebra", 0, "xylolabel")
    assert log.flush()
    erased = upkeep.erase(path, **{by: "mallory" if by == "subject" else "request-zebra"})
    assert (erased.rows, erased.labels) == (2, 1)
    record(log, "after", "text")
    assert log.flush() and log.health()["ok"]
    log.close()
    left = everything_under(path.parent)
    for word in (b"xylophone", b"mallory", b"request-zebra", b"xylolabel"):
        assert word not in left
    assert b"common words 7" in left and len(rows_in(path)) == 301


def test_erasing_a_hashed_subject(path: Path) -> None:
    log = PredictionLog(path)
    record(log, "r1", "unmistakable", subject="mallory")
    record(log, "r2", "kept", subject="alice")
    log.close()
    assert upkeep.erase(path, subject="mallory").rows == 1
    assert upkeep.erase(path, subject="mallory").rows == 0
    assert b"unmistakable" not in everything_under(path.parent) and len(rows_in(path)) == 1


def test_no_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match="M001"):
        upkeep.erase(tmp_path / "none.sqlite", subject="x")
    (tmp_path / "other.sqlite").write_text("this is no database at all, not even a small one" * 40)
    with pytest.raises(MonitorError, match="M002"):
        upkeep.erase(tmp_path / "other.sqlite", subject="x")


def test_the_spill_keeps_rows_and_bounds(tmp_path: Path) -> None:
    from honed.monitoring.spill import Spill

    spill = Spill(tmp_path / "spill", 0.01)
    rows = [(i, 1, "m", "v", f"r{i}", 0, "s", "[]", '"a"', 0.5, None, 0, 0, "t", b"\x00\xff", None) for i in range(20)]
    assert spill.add(rows[:10]) and spill.add(rows[10:])
    assert [row for batch in spill.batches(7) for row in batch] == rows
    assert spill.erase(request="r3") == 1 and spill.erase(subject="other") == 0
    assert len([row for batch in spill.batches() for row in batch]) == 19
    assert not spill.add(rows * 20)
    with (tmp_path / "spill").open("ab") as stream:
        stream.write(b'[1, 2, "cut sho')
    assert len([row for batch in spill.batches() for row in batch]) == 19
    assert (tmp_path / "spill").stat().st_size == spill.size
