"""Requests a second and times of Honed, LitServe and BentoML with the same model on the same engine, by turns in one run.

    python benchmarks/serving_peers.py BUNDLE --python /path/to/venv/bin/python [--seconds 20] [--rounds 3]

``--python`` is an interpreter that has honed, litserve and bentoml; all three servers run in it, so that they have the same
torch and the same ONNX Runtime, and torch's threads have the setting that Honed gives its workers. The clients are one
process of their own (``load.py``). Only one server runs at a time, in an order that turns with every round, and each answers
for a while before it is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from common import ROOT, record
from load import texts
from processes import SHARED, free_port, honed_command, started

from honed.files import read_json
from honed.serving.process import SPINS

BATCH = 64
CLIENTS = (1, 8, 64)
SYSTEMS = ("honed", "litserve", "bentoml")


def server(system: str, given: argparse.Namespace, port: int) -> tuple[list[str], dict[str, str], str, str]:
    """Command, environment, address that says "ready", and address that predicts."""
    env = {
        "BUNDLE": str(given.bundle.resolve()), "ENGINE": given.engine, "BATCH": str(BATCH), "PORT": str(port),
        "GOMP_SPINCOUNT": SPINS,
    }  # fmt: skip
    if system == "litserve":
        app = [str(given.python), str(ROOT / "peers/litserve_app.py")]
        return app, {**env, "WAIT_MS": str(given.litserve_wait_ms)}, "/health", "/predict"
    if system == "bentoml":
        place = str(ROOT / "peers")
        command = [str(given.python), "-m", "bentoml", "serve", "bentoml_service:Answers", "--working-dir", place]
        quiet = {"BENTOML_DO_NOT_TRACK": "True", "LATENCY_MS": str(given.bentoml_latency_ms)}
        return [*command, "--port", str(port), "--host", "127.0.0.1"], {**env, **quiet}, "/readyz", "/predict"
    more = ("--engine", given.engine, "--batch-rows", str(BATCH))
    return honed_command(given.bundle, port, *more, python=str(given.python)), env, "/readyz", "/predict"


def load(port: int, path: str, bodies: Path, clients: int, seconds: float) -> dict[str, float]:
    """What clients in a process of their own saw."""
    command = [sys.executable, str(ROOT / "load.py"), str(port), path, str(bodies), "--clients", str(clients)]
    found = subprocess.run([*command, "--seconds", str(seconds)], check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(found.stdout))


def turns(given: argparse.Namespace, place: Path) -> dict[tuple[str, int], list[dict[str, float]]]:
    """All measurements of every system and number of clients."""
    (name,) = read_json(given.bundle / "problem.json")["inputs"]
    rows = [{name: text} for text in texts(given.texts)]
    (place / "row.json").write_text(json.dumps(rows), encoding="utf-8")
    (place / "bentoml.json").write_text(json.dumps([{"rows": [row]} for row in rows]), encoding="utf-8")
    found = defaultdict(list)
    for turn in range(given.rounds):
        for number in range(len(given.systems)):
            system = given.systems[(turn + number) % len(given.systems)]
            port = free_port()
            command, env, ready, path = server(system, given, port)
            bodies = place / ("bentoml.json" if system == "bentoml" else "row.json")
            with started(command, port, ready, env, out=given.out):
                for clients in CLIENTS:
                    load(port, path, bodies, clients, given.warm)
                    told = load(port, path, bodies, clients, given.seconds)
                    found[system, clients].append(told)
                    print(system, clients, {key: round(value, 2) for key, value in told.items()}, flush=True)
    return found


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--warm", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--engine", default="torch-fp32")
    parser.add_argument("--litserve-wait-ms", type=float, default=1.0)
    parser.add_argument("--bentoml-latency-ms", type=int, default=10_000)
    parser.add_argument("--out", type=Path, help="File for what the servers print.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = turns(given, Path(place))
    waits = {
        "honed": "",
        "litserve": f"waits {given.litserve_wait_ms:g} ms",
        "bentoml": f"bound {given.bentoml_latency_ms} ms",
    }
    for (system, clients), told in found.items():
        rates = [one["answered"] / one["seconds"] for one in told]
        record(
            "serving_peers",
            {
                "model": read_json(given.bundle / "manifest.json")["name"], "engine": given.engine, "system": system,
                "setting": f"batches of {BATCH} {waits[system]}".strip(), "clients": clients, "blocks": len(told),
                "seconds_a_block": given.seconds, "requests_a_second": round(statistics.median(rates), 1),
                "least": round(min(rates), 1), "most": round(max(rates), 1),
                **{key: round(statistics.median(one[key] for one in told), 2) for key in ("p50_ms", "p99_ms")},
                "failed": sum(int(one["failed"]) for one in told), "shares": SHARED, "packages": _packages(given.python),
            },
        )  # fmt: skip


def _packages(python: Path) -> str:
    names = ("honed", "litserve", "bentoml", "torch", "onnxruntime", "httptools")
    code = f"from importlib import metadata as m; print(*[f'{{n}}={{m.version(n)}}' for n in {names}])"
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
