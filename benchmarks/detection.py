"""Finding objects: the default command on blood cells against torchvision's recipe, and how few pictures are enough.

    python benchmarks/detection.py bccd [--keep FOLDER] [--only honed] [--peer-seconds 480]
    python benchmarks/detection.py learning_curve [--shots 8 16 32 64] [--draws 1]

"bccd" fine-tunes on BCCD as a user would, the folder with its own lists of train, val and test pictures, then gives the
same seconds to ``peers/torchvision_loop.py``, from the same weights and from nothing.
"learning_curve" takes few pictures of a drawn conveyor.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import ROOT, data_folder, detector_folder, record, with_intervals

TESTED, TEST_SEED = 100, 1000


def peak_mib() -> int:
    """The most memory that this process has held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def tuned(data: Any, out: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
    """The default command; its result and what is told of it."""
    import honed

    begin = time.monotonic()
    result: Any = honed.finetune(data, out=out, name=f"run{time.time_ns()}", **options)
    seconds = time.monotonic() - begin
    estimates = {metric.name: metric.model for metric in result.evaluation.metrics}
    rungs = " ".join(
        f"{'*' if line.best else ''}{line.name}={line.score.value:.4f} in {line.seconds:.0f} s"
        for line in result.report.ladder
        if line.score
    )
    return result, {**with_intervals(ap=estimates["ap"], ap50=estimates["ap50"]), "seconds": seconds, "how": rungs}


def bccd(given: argparse.Namespace, scratch: Path) -> None:
    """The default command, then the peer with as much time, from the same weights and from nothing."""
    import torch

    budget = given.peer_seconds
    if "honed" in given.only:
        out, limit = given.keep or scratch, {"time_limit": given.time_limit} if given.time_limit else {}
        result, told = tuned(data_folder() / "object_detection" / "bccd", out, **limit)
        budget = budget or told["seconds"]
        ap = {name: told[name] for name in told if name.startswith("ap")}
        record(
            "detection_bccd",
            {
                "system": "honed", "start": "pre-trained", "on": "test", **ap, "seconds": round(told["seconds"]),
                "tuning_s": "", "cpu_s": round(time.process_time()), "peak_mib": peak_mib(),
                "threads": torch.get_num_threads(), "long_side": "", "how": told["how"],
            },
        )  # fmt: skip
        print(f"The run lies in {result.folder}.")
    for name, more in (("peer", []), ("nothing", ["--from-nothing"])):
        if name in given.only:
            command = [sys.executable, str(ROOT / "peers" / "torchvision_loop.py"), "--seconds", str(budget or 480.0)]
            subprocess.run([*command, *more], check=True)


def from_nothing(folder: Path) -> Path:
    """The small detector with random weights, in hub format."""
    import torch
    from safetensors.torch import save_file

    from honed.networks.detection.small_detector import SmallDetector
    from honed.networks.pictures.small_backbone import SmallBackbone

    config = json.loads((detector_folder() / "config.json").read_text(encoding="utf-8"))
    torch.manual_seed(0)
    backbone = SmallBackbone(tuple(config["backbone"]["widths"]), tuple(config["backbone"]["depths"]))
    sizes = (len(config["labels"]), backbone, int(config["width"]), int(config["depth"]), bool(config["masks"]))
    folder.mkdir(parents=True)
    weights = {name: value.contiguous() for name, value in SmallDetector(*sizes).state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def learning_curve(given: argparse.Namespace, scratch: Path) -> None:
    """Few pictures of a conveyor, from the pre-trained weights and from random ones."""
    from honed.scenes import write_conveyor_set

    test = write_conveyor_set(scratch / "test", TESTED, TEST_SEED).parent
    bases = {"pre-trained": detector_folder(), "nothing": from_nothing(scratch / "random-detector")}
    for draw in range(given.draws):
        for n in given.shots:
            train = write_conveyor_set(scratch / f"train{draw}-{n}", n, draw).parent
            for start, base in bases.items():
                _, told = tuned(train, scratch / "runs", test=test, base=base)
                row = {"pictures": n, "draw": draw, "start": start, "tested": TESTED}
                record("detection_learning_curve", {**row, **told, "seconds": round(told["seconds"])})


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    blood = commands.add_parser("bccd")
    blood.add_argument("--keep", type=Path, help="folder that keeps the run and its bundle")
    systems = ["honed", "peer", "nothing"]
    blood.add_argument("--only", nargs="+", choices=systems, default=systems)
    blood.add_argument("--time-limit", help="as of honed finetune")
    blood.add_argument("--peer-seconds", type=float, default=0.0, help="the seconds that Honed took if left out")
    curve = commands.add_parser("learning_curve")
    curve.add_argument("--shots", nargs="+", type=int, default=[8, 16, 32, 64])
    curve.add_argument("--draws", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """The benchmark that was asked for."""
    given = options()
    with tempfile.TemporaryDirectory() as folder:
        {"bccd": bccd, "learning_curve": learning_curve}[given.what](given, Path(folder))


if __name__ == "__main__":
    main()
