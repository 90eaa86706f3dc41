"""A CSV of 1,000,000 made-up rows: ``inspect`` in seconds and MiB, and ``predict`` with the memory it needs as rows grow.

    python benchmarks/million_rows.py [runs/NAME/model] [--only predict] [--rows 50000 200000] [--engine onnx-int8]

Prediction of a million different texts by a transformer takes an hour on two cores, so memory is shown on 50,000 and on
200,000 rows, or as many as asked for: it must not grow with them.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import record

WORDS = [
    "printer",
    "toner",
    "paper",
    "jam",
    "router",
    "wifi",
    "cable",
    "vpn",
    "help",
    "please",
    "broken",
    "today",
    "password",
    "login",
    "account",
    "reset",
    "screen",
]


def write_rows(path: Path, n: int, seed: int, text: str = "text") -> None:
    """Made-up tickets of eight teams with a few duplicates and addresses; ``text`` names their column."""
    rng = random.Random(seed)
    vocabulary = [*WORDS, *(f"{a}{b}" for a in WORDS for b in ("s", "ing", "ed", "er"))]
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f"id,opened,customer,{text},team\n")
        for i in range(n):
            text = " ".join(rng.choices(vocabulary, k=rng.randint(6, 18)))
            if i % 5000 == 0:
                text += f" mail me at user{i}@example.com"
            team = rng.randrange(8)
            stream.write(
                f"T{i},2026-{1 + i % 12:02}-{1 + i % 28:02},c{rng.randrange(5000)},{text} topic{team},team {team}\n"
            )


def measured(command: list[str], fine: tuple[int, ...] = (0,)) -> tuple[float, float]:
    """Seconds and peak MiB of a command, by the operating system's own account."""
    begin = time.monotonic()
    done = subprocess.run(["/usr/bin/time", "-v", *command], capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begin
    if done.returncode not in fine:
        sys.exit(done.stderr)
    line = next(line for line in done.stderr.splitlines() if "Maximum resident" in line)
    return seconds, int(line.split()[-1]) / 1024


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", nargs="?")
    parser.add_argument("--only", choices=["inspect", "predict"])
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--engine", default="torch-fp32")
    return parser.parse_args()


def main() -> None:
    """Measure both."""
    asked = options()
    honed = str(Path(sys.executable).with_name("honed"))
    with tempfile.TemporaryDirectory() as scratch:
        if asked.only != "predict":
            path = Path(scratch) / "million.csv"
            write_rows(path, 1_000_000, 0)
            seconds, mib = measured([honed, "inspect", str(path), "--target", "team"], (0, 2))
            _record("inspect", 1_000_000, path, seconds, mib, "")
        for n in asked.rows if asked.bundle and asked.only != "inspect" else ():
            path = Path(scratch) / f"{n}.csv"
            write_rows(path, n, n, _text_of(asked.bundle))
            words = [honed, "predict", asked.bundle, str(path), "--engine", asked.engine]
            seconds, mib = measured([*words, "--out", str(Path(scratch) / "answers.csv")])
            _record("predict", n, path, seconds, mib, asked.engine)


def _text_of(bundle: str) -> str:
    """The column that a bundle reads."""
    return str(json.loads((Path(bundle) / "problem.json").read_text(encoding="utf-8"))["inputs"][0])


def _record(what: str, n: int, path: Path, seconds: float, mib: float, engine: str) -> None:
    size = round(path.stat().st_size / 2**20)
    row = {"what": what, "rows": n, "file_mib": size, "seconds": round(seconds, 1), "peak_mib": round(mib)}
    record("million_rows", {**row, "engine": engine})


if __name__ == "__main__":
    main()
