"""One evaluation of detections in a process of its own, timed: by Honed, by pycocotools or by faster-coco-eval's own reader.

    python benchmarks/peers/coco_eval.py SYSTEM TRUTH.json RESULTS.json box|mask

The clock runs from the parsed JSON to the twelve figures. Prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any


def honed(truth: dict[str, Any], results: list[dict[str, Any]], kind: str) -> list[float]:
    """From the same JSON through Honed's arrays."""
    coco = truths_from_coco(truth, masks=kind == "mask")
    found = detections_from_coco(results, coco, masks=kind == "mask")
    return list(coco_figures(coco.truth, found, iou="mask" if kind == "mask" else "box").twelve().values())


def peer(truth: dict[str, Any], results: list[dict[str, Any]], kind: str) -> list[float]:
    """As the documentation of pycocotools shows it; the other library offers the same calls."""
    reference = reader.COCO()
    reference.dataset = truth
    reference.createIndex()
    judge = Judge(reference, reference.loadRes(results), "segm" if kind == "mask" else "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return [float(value) for value in judge.stats]


system, truth_path, results_path, kind = sys.argv[1:]
if system == "honed":
    import faster_coco_eval  # noqa: F401  # loaded before the clock runs, as the peers are

    from honed.metrics.detection import coco_figures, detections_from_coco, truths_from_coco
elif system == "pycocotools":
    import pycocotools.coco as reader
    import pycocotools.cocoeval as judges

    Judge = judges.COCOeval
else:
    import faster_coco_eval as reader

    Judge = reader.COCOeval_faster

truth, results = (json.loads(Path(path).read_text(encoding="utf-8")) for path in (truth_path, results_path))
run = honed if system == "honed" else peer
started = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    figures = run(truth, results, kind)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"figures": figures, "seconds": seconds, "peak_mib": peak}))
