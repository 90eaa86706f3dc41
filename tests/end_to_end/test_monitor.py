"""From served answers to an alert, to its page, its webhook and the way back: the commands as they are typed."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import honed
from honed.monitoring import PredictionLog, gauges, summary
from honed.monitoring.reference import watch
from tests import monitored
from tests.commands import Done, honed_command
from tests.conftest import write_csv
from tests.monitored import rows


def run(*arguments: object, code: int = 0) -> Done:
    done = honed_command(*arguments)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def serve(log: PredictionLog, bundle: Path, data: list[dict[str, Any]], begin: int = 0) -> None:
    """What a server does: predict in requests of ten rows and hand them to the log."""
    model, version = honed.Model.load(bundle), watch(bundle).version
    for start in range(0, len(data), 10):
        part = data[start : start + 10]
        inputs = [(row["text"],) for row in part]
        log.record(model.name, version, inputs, model.answers(inputs), request_id=f"r{begin + start}")
    assert log.flush(30.0)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return monitored.make_bundle(tmp_path / "run" / "model")


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted; fails the first time."""

    got: list[dict[str, Any]] = []  # noqa: RUF012
    fail = 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Hook.fail:
            Hook.fail -= 1
            self.send_response(503)
        else:
            Hook.got.append(json.loads(body))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_from_log_to_alert_to_training_data(desk: Path, tmp_path: Path) -> None:
    log = PredictionLog(desk.parent / "log.sqlite")
    serve(log, desk, rows(2000, 101))
    quiet = run("monitor", desk, "--window", "500rows", "--fail-on", "alert")
    assert "OK" in quiet.stdout and "Nothing changed that matters" in quiet.stdout
    drifted = rows(1000, 102, change=monitored.new_words, relabel=monitored.swapped)
    serve(log, desk, [{**row, "text": f"{row['text']} jo@example.org"} for row in drifted], 2000)
    for number, row in enumerate(drifted[:400]):
        assert log.label(f"r{2000 + number // 10 * 10}", number % 10, row["team"])
    log.close()

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page, hook = tmp_path / "page.html", f"http://127.0.0.1:{server.server_port}/alert"
    done = run("monitor", desk, "--window", "500", "--html", page, "--webhook", hook, "--fail-on", "alert", code=3)
    server.shutdown()
    assert "ALERT" in done.stdout and "M102" in done.stdout and "M106" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    (posted,) = Hook.got
    assert posted["state"] == "alert" and {alert["code"] for alert in posted["alerts"]} >= {"M102", "M106"}
    assert not any(word in json.dumps(posted) for word in ("toner", "router", "example.org"))
    text = page.read_text()
    assert text.count("<svg") >= 4 and "http" not in text.replace("http-equiv", "") and "jo@example.org" not in text

    as_json = json.loads(run("monitor", desk, "--window", "500", "--json").stdout)
    assert as_json["n_rows"] == 3000 and as_json["n_labelled"] == 400 and len(as_json["windows"]) == 6
    assert as_json["real"]["value"] < 0.6 < as_json["expected"]["value"]

    new = tmp_path / "new.csv"
    assert "400 labelled rows" in run("monitor", desk, "--export-labelled", new).stdout
    evaluation = honed.evaluate(desk, new)
    assert evaluation.n_used > 300 and evaluation.metrics[0].model.value < 0.6
    run("monitor", desk, "--acknowledge", "new headsets were announced")
    assert "Nothing changed" in run("monitor", desk, "--window", "500", "--fail-on", "alert").stdout


def test_rows_of_a_file_with_times(desk: Path, tmp_path: Path) -> None:
    data = rows(900, 3) + rows(600, 4, change=monitored.empty)
    for number, row in enumerate(data):
        row["when"] = f"2026-11-{1 + number // 300:02d} {number // 60 % 5 + 8:02d}:{number % 60:02d}:00"
    path = write_csv(tmp_path / "rows.csv", data[::-1])
    found = json.loads(run("monitor", desk, "--data", path, "--time", "when", "--window", "1d", "--json").stdout)
    assert [window["start"][:10] for window in found["windows"]] == [f"2026-11-0{day}" for day in range(1, 6)]
    quality = next(alert for alert in found["alerts"] if alert["code"] == "M101")
    assert quality["first"] == 4 and found["windows"][-1]["complete"] is False
    whole = json.loads(run("monitor", desk, "--data", path, "--json").stdout)
    assert len(whole["windows"]) == 1 and whole["windows"][0]["complete"]


def test_summary_and_gauges(desk: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    assert summary(path, desk)["code"] == "M001"
    log = PredictionLog(path)
    assert log.flush()
    assert summary(log, desk)["state"] == "no data"
    serve(log, desk, rows(1200, 5))
    found = summary(log, desk)
    assert found["state"] == "ok" and found["health"]["written"] == 1200
    assert found["series"]["n"] == [1000, 200] and len(found["series"]["confidence"]) == 2
    json.dumps(found, allow_nan=False)
    serve(log, desk, rows(800, 6, change=monitored.new_words), 1200)
    assert summary(log, desk)["state"] == "alert"
    log.close()
    result = honed.monitor(desk, log=path)
    figures = gauges(result)
    assert figures["honed_monitor_alert"] == 1.0 and figures["honed_monitor_rows"] == 2000.0
    assert all(isinstance(value, float) for value in figures.values())


def test_windows_keep_their_numbers_when_old_rows_go(desk: Path, tmp_path: Path) -> None:
    from honed.monitoring.sqlite import SqliteStore

    path = tmp_path / "log.sqlite"
    log = PredictionLog(path)
    serve(log, desk, rows(1000, 7))
    log.close()
    store = SqliteStore(path)
    (cut,) = store.ask("SELECT at FROM predictions ORDER BY id LIMIT 1 OFFSET 500")[0]
    n = store.retire(cut)
    store.close()
    assert n <= 500
    found = honed.monitor(desk, log=path, window=100)
    assert [window.number for window in found.windows][-1] == 10
    assert found.windows[0].number == n // 100 + 1 and sum(window.n for window in found.windows) == 1000 - n


def test_only_rows_of_the_version_count(desk: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    log, model = PredictionLog(path), honed.Model.load(desk)
    data = [(row["text"],) for row in rows(100, 8)]
    for version, shadow in (("other", False), (watch(desk).version, True), (watch(desk).version, False)):
        log.record(model.name, version, data, model.answers(data), request_id=version, shadow=shadow)
    log.record("another model", "v", data, model.answers(data), request_id="x")
    log.close()
    assert honed.monitor(desk, log=path).n_rows == 100


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--log", "none.sqlite"), "M001"),
        (("--window", "soon"), "C002"),
        (("--window", "3rows"), "C002"),
        (("--fail-on", "rain"), "C003"),
        (("--webhook", "ftp://x"), "M010"),
        (("--log", "a", "--data", "b"), "C012"),
        (("--data", "none.csv"), "D001"),
        (("--data", "{csv}", "--window", "1d"), "M014"),
        (("--data", "{csv}", "--time", "when"), "M014"),
        (("--erase-subject", "jo"), "M001"),
        (("--export-labelled", "x.csv"), "M001"),
        (("--log", "postgresql://127.0.0.1:1/none"), "M006"),
    ],
)
def test_mistakes_are_one_sentence(desk: Path, tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    path = write_csv(tmp_path / "rows.csv", rows(40, 9))
    done = run("monitor", desk, *(argument.replace("{csv}", str(path)) for argument in arguments), code=2)
    assert f"[{code}]" in done.stderr


def test_erasing_by_command(desk: Path) -> None:
    log = PredictionLog(desk.parent / "log.sqlite")
    data = [("unmistakable words",)]
    log.record("desk", "v", data, honed.Model.load(desk).answers(data), request_id="r1", subject="jo")
    log.close()
    assert "Erased 1 row and 0 labels" in run("monitor", desk, "--erase-subject", "jo").stdout
    assert b"unmistakable" not in (desk.parent / "log.sqlite").read_bytes()


def test_promote_and_roll_back(tmp_path: Path) -> None:
    first = monitored.make_bundle(tmp_path / "one" / "model")
    second = monitored.make_bundle(tmp_path / "two" / "model", n=600)
    place = tmp_path / "deployments"
    run("promote", first, "--into", place)
    done = run("promote", second, "--into", place, "--why", "more rows")
    versions = [watch(bundle).version for bundle in (first, second)]
    current = place / "desk" / "current"
    assert versions[1] in done.stdout and watch(current).version == versions[1]
    run("rollback", place / "desk", "--why", "worse")
    assert watch(current).version == versions[0] and honed.Model.load(current).predict(["toner jam"])
    history = json.loads((place / "desk" / "history.json").read_text())
    assert [event["action"] for event in history] == ["promote", "promote", "rollback"]
    assert history[-1]["why"] == "worse" and history[-1]["who"] and history[-1]["before"] == versions[1]
    assert "[M012]" in run("rollback", place / "desk", code=2).stderr
    assert "[M013]" in run("rollback", place / "desk", "--to", "zzz", code=2).stderr
    assert "[M011]" in run("rollback", tmp_path, code=2).stderr
    run("rollback", current, "--to", versions[1][:6])
    assert watch(current).version == versions[1]


def test_a_damaged_version_is_never_switched_to(tmp_path: Path) -> None:
    first = monitored.make_bundle(tmp_path / "one" / "model")
    second = monitored.make_bundle(tmp_path / "two" / "model", n=600)
    place = tmp_path / "deployments"
    for bundle in (first, second):
        honed.promote(bundle, "desk", into=place)
    version = watch(first).version
    with (place / "desk" / "versions" / version / "decision.json").open("a") as stream:
        stream.write(" ")
    with pytest.raises(honed.HonedError, match="B004"):
        honed.rollback(place / "desk")
    assert watch(place / "desk" / "current").version == watch(second).version
