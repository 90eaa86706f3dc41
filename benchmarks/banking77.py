"""Banking77, official split: the default command against transformers' Trainer with the same base.

    python benchmarks/banking77.py            Honed
    python benchmarks/banking77.py --time-limit 90s        what it comes to in so long
    python benchmarks/peers/trainer_banking77.py   the peer, in the same quiet hour

Honed's wall time is that of the whole command without the evaluation on the test rows: reading, audit, ladder, choosing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import banking77, data_folder, record


def main() -> None:
    """Run the default command and score the model it leaves on the whole official test split."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--time-limit", default="")
    limit = parser.parse_args().time_limit
    folder = data_folder() / "text_classification/banking77"
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            str(Path(sys.executable).with_name("honed")),
            "finetune",
            str(folder / "train.csv"),
            "--test",
            str(folder / "test.csv"),
        ]
        command += ["--time-limit", limit] if limit else []
        begin = time.monotonic()
        process = subprocess.Popen([*command, "--out", scratch], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run, first, packaged, climbed = Path(scratch) / "train", 0.0, 0.0, 0.0
        while process.poll() is None:
            time.sleep(0.1)
            now = time.monotonic() - begin
            first = first or (now if (run / "model" / "manifest.json").exists() else 0.0)
            climbed = climbed or (now if (run / "ladder" / "soup" / "rung.json").exists() else 0.0)
        whole = time.monotonic() - begin
        report = json.loads((run / "report.json").read_text(encoding="utf-8"))
        accuracy = _accuracy(run / "model")
    ladder = {line["name"]: line for line in report["ladder"] if line["score"]}
    best = next(name for name, line in ladder.items() if line["best"])
    record("banking77_honed", {
        "system": f"Honed, {limit}" if limit else "Honed",
        "first_model_s": round(first, 1), "ladder_s": round(climbed or packaged, 1), "whole_s": round(whole, 1),
        "best_rung": best, "accuracy": round(accuracy, 4), "on": "test", "probe_on_validation": round(ladder["probe"]["score"]["value"], 4),
        "best_on_validation": round(ladder[best]["score"]["value"], 4),
    })  # fmt: skip


def _accuracy(model: Path) -> float:
    import honed

    texts, labels = banking77("test")
    return float(np.mean(np.array(honed.Model.load(model).predict(texts)) == np.array(labels)))


if __name__ == "__main__":
    main()
