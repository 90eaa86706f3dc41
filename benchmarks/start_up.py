"""How long ``honed --help`` and ``import honed`` take, the best and the median of nine.

python benchmarks/start_up.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from common import record


def main() -> None:
    """Measure both, and plain ``python -c pass`` beside them."""
    honed = str(Path(sys.executable).with_name("honed"))
    for what, command in (
        ("honed --help", [honed, "--help"]),
        ("import honed", [sys.executable, "-c", "import honed"]),
        ("python -c pass", [sys.executable, "-c", "pass"]),
    ):
        found = []
        for _ in range(9):
            begin = time.monotonic()
            subprocess.run(command, capture_output=True, check=True)
            found.append(time.monotonic() - begin)
        record(
            "start_up", {"what": what, "best_s": round(min(found), 3), "median_s": round(statistics.median(found), 3)}
        )


if __name__ == "__main__":
    main()
