"""What ``make demo`` runs: the whole way, from a table of tickets to answers, in under three minutes.

python examples/text-classification/demo.py
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HONED = Path(sys.executable).with_name("honed")
DATA, NEW = "examples/text-classification/tickets.csv", "examples/text-classification/tickets_new.csv"
RUNS = "runs/demo"


def run(*words: str) -> None:
    """Show a command as one would type it, and run it."""
    shown = " ".join(map(str, words))
    print(f"\n\033[1m$ honed {shown}\033[0m" if sys.stdout.isatty() else f"\n$ honed {shown}", flush=True)
    done = subprocess.run([HONED, *shown.split(" ")], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def answers(path: Path, n: int = 4) -> None:
    """A few answers: what was asked, what came back, how sure."""
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    sure_ones = [row for row in rows if row["unsure"] == "false"][: n - 1]
    for row in [*sure_ones, *[row for row in rows if row["unsure"] == "true"][:1]]:
        sure = "I don't know, perhaps " if row["unsure"] == "true" else ""
        print(f"  {row['message'][:70]}\n      -> {sure}{row['prediction']} ({float(row['confidence']):.0%})")


def main() -> None:
    """Inspect is part of finetune; so two commands are the whole way."""
    shutil.rmtree(ROOT / RUNS, ignore_errors=True)
    print("960 made-up help-desk tickets, to be sorted to 8 teams. Everything stays on this machine.")
    run("finetune", DATA, "--group", "site", "--time-limit", "2m", "--out", RUNS)
    print("\nTickets of the next week, answered by that model")
    run("predict", f"{RUNS}/tickets/model", NEW, "--out", f"{RUNS}/answers.csv")
    answers(ROOT / RUNS / "answers.csv")
    print(f"\nOpen the report in a browser: {ROOT / RUNS / 'tickets' / 'report.html'}")
    print("Then try it on your own table: .venv/bin/honed finetune YOUR_TABLE.csv")


if __name__ == "__main__":
    main()
