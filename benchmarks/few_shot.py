"""Few examples a label: the default command on 8 and 64 rows of every label, five draws, beside SetFit on the same rows.

    python benchmarks/few_shot.py [--shots 8 64] [--draws 0 1 2 3 4] [--sets sst2 ag_news] [--stop-after contrastive]
    python benchmarks/peers/setfit_few_shot.py      the peer, in an environment with ``pip install setfit``

Nothing was chosen on the test rows: every run sees its few rows alone. The row says which rung won and what each rung
scored on the test, so that one can see whether the ladder ended below its best rung on held-out rows. ``--stop-after`` leaves
out the dearer rungs; what it ships is what the default command ships wherever that ends at one of the rungs before.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np
from common import ag_news, few_shot_rows, record, sst2

SETS = {"sst2": sst2, "ag_news": ag_news}


def options() -> argparse.Namespace:
    """Which part of the benchmark to run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shots", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--stop-after", default="", help="as the setting training.stop_after")
    return parser.parse_args()


def main() -> None:
    """Every set, number of examples and draw."""
    chosen = options()
    for name in chosen.sets:
        texts, labels = SETS[name]("train")
        test_texts, test_labels = SETS[name]("test")
        for shots in chosen.shots:
            for seed in chosen.draws:
                rows = few_shot_rows(labels, shots, seed)
                table = [{"text": texts[row], "label": labels[row]} for row in rows]
                record(
                    "few_shot",
                    {
                        "set": name,
                        "shots": shots,
                        "seed": seed,
                        **run(table, test_texts, test_labels, chosen.stop_after),
                    },
                )


def run(table: list[dict[str, str]], texts: list[str], labels: list[str], last: str) -> dict[str, object]:
    """The default command on a table, up to the rung ``last`` if one is named, scored on the test rows."""
    import honed

    settings: dict[str, object] = {"data.test": 0.0} | ({"training.stop_after": last} if last else {})
    with tempfile.TemporaryDirectory() as scratch:
        begin = time.monotonic()
        result = honed.finetune(table, target="label", text=["text"], out=scratch, settings=settings)
        seconds = time.monotonic() - begin
        accuracy = float(np.mean(np.array(result.model.predict(texts)) == np.array(labels)))
    rungs = {line.name: line.score.value for line in result.report.ladder if line.score}
    best = next(line.name for line in result.report.ladder if line.best)
    return {
        "system": f"Honed, up to {last}" if last else "Honed",
        "accuracy": round(accuracy, 4),
        "seconds": round(seconds, 1),
        "best_rung": best,
        "held_out": " ".join(f"{rung}={value:.3f}" for rung, value in rungs.items()),
    }


if __name__ == "__main__":
    main()
