"""Batch prediction: Honed's file prediction against ``transformers.pipeline("text-classification", batch_size=32)``.

The same model, the same rows, one after the other in pairs; the answers must be equal. Each side runs in a process of
its own, so that its peak memory is its own.

    python benchmarks/predict.py runs/NAME/model [rows]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import banking77, record

PAIRS = 3

HONED = """
import json, resource, sys, time
from honed import Model
from honed.prediction import predict_file
model, source, target = sys.argv[1:]
loaded = Model.load(model)
begin = time.monotonic()
predict_file(loaded, source, target, keep="none")
seconds, mib = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
from honed.data.read import read_table
print(json.dumps({"seconds": seconds, "mib": mib, "answers": read_table(target).column("prediction")}))
"""
PIPELINE = """
import csv, json, resource, sys, time
from transformers import pipeline
model, source, target = sys.argv[1:]
facts = json.load(open(model + "/honed_encoder.json"))
classify = pipeline("text-classification", model=model, device="cpu", max_length=facts["max_length"], truncation=True)
begin = time.monotonic()
texts = [row["text"] for row in csv.DictReader(open(source, encoding="utf-8", newline=""))]
answers = [found["label"] for found in classify(texts, batch_size=32)]
seconds = time.monotonic() - begin
print(json.dumps({"seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "answers": answers}))
"""


def main() -> None:
    """Alternate the two, record rows per second and memory of each pair."""
    import csv

    model, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 6000
    texts = banking77("test")[0] + banking77("train")[0]
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "rows.csv"
        with source.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text"])
            writer.writerows([text] for text in texts[:n])
        for pair in range(PAIRS):
            sides = [("Honed", HONED), ("pipeline", PIPELINE)]
            found = {}
            for name, code in sides if pair % 2 == 0 else sides[::-1]:
                words = [sys.executable, "-c", code, model, str(source), str(Path(scratch) / "answers.csv")]
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                if done.returncode:
                    sys.exit(f"{name} ended with {done.returncode}:\n{done.stderr}")
                found[name] = json.loads(done.stdout.splitlines()[-1])
            equal = sum(a == b for a, b in zip(found["Honed"]["answers"], found["pipeline"]["answers"], strict=True))
            record("predict", {
                "pair": pair + 1, "rows": n, "honed_rows_per_s": round(n / found["Honed"]["seconds"], 1),
                "pipeline_rows_per_s": round(n / found["pipeline"]["seconds"], 1),
                "ratio": round(found["pipeline"]["seconds"] / found["Honed"]["seconds"], 2), "equal_answers": f"{equal} of {n}",
                "honed_peak_mib": round(found["Honed"]["mib"]), "pipeline_peak_mib": round(found["pipeline"]["mib"]),
            })  # fmt: skip


if __name__ == "__main__":
    main()
