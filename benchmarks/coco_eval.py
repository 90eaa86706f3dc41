"""COCO's figures by Honed against pycocotools: are they equal, and how long does each take, by turns in one run.

    python benchmarks/coco_eval.py --python /path/to/venv/bin/python [--pictures 5000] [--rounds 3]

``--python`` is an interpreter that has pycocotools. Every evaluation is a process of its own (``peers/coco_eval.py``) with
two threads; the order turns with every round. Compared on the published fixtures (boxes and masks) and on made-up scenes of
the size of COCO's validation set; then the intervals are timed on the same scenes, which the peer does not have.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import ROOT, data_folder, record
from generated_scenes import scenes

from honed.metrics.detection import ap_intervals, detections_from_coco, error_kinds, match, truths_from_coco

SYSTEMS = ("honed", "faster-coco-eval", "pycocotools")
Told = dict[str, list[dict[str, object]]]


def evaluate(system: str, python: Path, files: tuple[Path, Path], kind: str) -> dict[str, object]:
    """What one evaluation in a fresh process says."""
    chosen = str(python) if system == "pycocotools" else sys.executable
    command = [chosen, str(ROOT / "peers/coco_eval.py"), system, *map(str, files), kind]
    env = {**os.environ, "OMP_NUM_THREADS": "2"}
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return dict(json.loads(found.stdout))


def turns(python: Path, files: tuple[Path, Path], kind: str, rounds: int) -> Told:
    """All evaluations of every system, the order turning."""
    told: Told = {system: [] for system in SYSTEMS}
    for turn in range(rounds):
        for number in range(len(SYSTEMS)):
            system = SYSTEMS[(turn + number) % len(SYSTEMS)]
            told[system].append(evaluate(system, python, files, kind))
            print(system, kind, {key: told[system][-1][key] for key in ("seconds", "peak_mib")}, flush=True)
    return told


def note(what: str, kind: str, told: Told, python: Path) -> None:
    """One row a system; the difference is the largest of all twelve figures over all turns."""
    wanted = np.array(told["pycocotools"][0]["figures"])
    middle = {s: statistics.median(float(str(one["seconds"])) for one in told[s]) for s in SYSTEMS}
    for system in SYSTEMS:
        figures = np.array([one["figures"] for one in told[system]], dtype=float)
        difference = float(np.abs(np.nan_to_num(figures, nan=-1.0) - wanted).max())
        seconds = [float(str(one["seconds"])) for one in told[system]]
        record(
            "coco_eval",
            {
                "what": what, "kind": kind, "system": system, "ap": round(float(figures[0, 0]), 6),
                "largest_difference": f"{difference:.1e}", "rounds": len(seconds), "seconds": round(middle[system], 3),
                "least": round(min(seconds), 3), "most": round(max(seconds), 3),
                "times_faster_than_pycocotools": round(middle["pycocotools"] / middle[system], 1),
                "peak_mib": round(max(float(str(one["peak_mib"])) for one in told[system])),
                "packages": _packages(python if system == "pycocotools" else Path(sys.executable)),
            },
        )  # fmt: skip


def note_more(what: str, files: tuple[Path, Path]) -> None:
    """Seconds of what only Honed computes, on the same scenes."""
    document, results = (json.loads(path.read_text(encoding="utf-8")) for path in files)
    coco = truths_from_coco(document)
    found = detections_from_coco(results, coco)
    matches = match(coco.truth, found)
    for name, call in {
        "matching": lambda: match(coco.truth, found),
        "400 resamples, intervals of AP, AP50, AP75, AP by label": lambda: ap_intervals(matches, n=400),
        "kinds of errors": lambda: error_kinds(coco.truth, found),
    }.items():
        started = time.perf_counter()
        call()
        seconds = round(time.perf_counter() - started, 3)
        record(
            "coco_eval",
            {
                "what": f"{what}: {name}", "kind": "box", "system": "honed", "ap": "", "largest_difference": "", "rounds": 1,
                "seconds": seconds, "least": seconds, "most": seconds, "times_faster_than_pycocotools": "", "peak_mib": "",
                "packages": _packages(Path(sys.executable)),
            },
        )  # fmt: skip


def _packages(python: Path) -> str:
    code = (
        "from importlib import metadata as m\n"
        "for name in ('numpy', 'pycocotools', 'faster-coco-eval'):\n"
        "    try: print(name + '=' + m.version(name), end=' ')\n"
        "    except m.PackageNotFoundError: pass"
    )
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    folder = data_folder() / "coco_eval_fixtures/faster_coco_eval/dataset/cocoapi"
    for kind, name in (("box", "fakebbox100"), ("mask", "fakesegm100")):
        files = folder / "instances_val2014_100.json", folder / f"instances_val2014_{name}_results.json"
        note("fixtures, 100 pictures", kind, turns(given.python, files, kind, given.rounds), given.python)
    document, results = scenes(given.pictures, 80, 7.3, 100)
    with tempfile.TemporaryDirectory() as place:
        files = Path(place) / "truth.json", Path(place) / "results.json"
        for path, content in zip(files, (document, results), strict=True):
            path.write_text(json.dumps(content), encoding="utf-8")
        what = (
            f"{given.pictures} pictures, 80 labels, {len(document['annotations'])} objects, {len(results)} detections"
        )
        note(what, "box", turns(given.python, files, "box", given.rounds), given.python)
        note_more(what, files)


if __name__ == "__main__":
    main()
