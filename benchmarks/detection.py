"""Finding objects: the default command on blood cells against torchvision's recipe, speed, and how few pictures are enough.

    python benchmarks/detection.py bccd [--keep FOLDER] [--only honed] [--peer-seconds 480]
    python benchmarks/detection.py speed [--bundle FOLDER] [--pictures FOLDER] [--rounds 5]
    python benchmarks/detection.py learning_curve [--shots 8 16 32 64] [--draws 1]

"bccd" fine-tunes on BCCD as a user would, the folder with its own lists of train, val and test pictures, then gives the
same seconds to ``peers/torchvision_loop.py``, from the same weights and from nothing. "speed" sets ``Model.predict`` on
JPEG files against plain eager torch with the same network. "learning_curve" takes few pictures of a drawn conveyor.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, data_folder, detector_folder, record, with_intervals

NEAR, MOST = 0.5, 100
"""Pixels that two equal boxes may lie apart; objects told a picture."""
TESTED, TEST_SEED = 100, 1000
Objects = list[dict[str, Any]]


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


class Plain:
    """The network of a bundle in eager torch, as one would write it by hand: PIL, a canvas, the network, its boxes."""

    def __init__(self, network: Any) -> None:
        self.finder, self.labels = network.finder.eval(), network.finder.labels
        self.size = (network.canvas.width, network.canvas.height)
        self.colour = tuple(round(255 * share) for share in network.finder.mean)

    def answers(self, paths: Sequence[Path], batch: int) -> list[Objects]:
        """Objects of every picture, the surest first."""
        found: list[Objects] = []
        for start in range(0, len(paths), batch):
            found += self._batch(paths[start : start + batch])
        return found

    def _batch(self, paths: Sequence[Path]) -> list[Objects]:
        import torch

        canvases, scales, sizes = zip(*(self._laid(path) for path in paths), strict=True)
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(canvases)).permute(0, 3, 1, 2).float() / 255
            found = self.finder.find(pixels, least_score=0.02, most=MOST)
        return [self._objects(*parts) for parts in zip(found, scales, sizes, strict=True)]

    def _laid(self, path: Path) -> tuple[Any, float, tuple[int, int]]:
        from PIL import Image

        picture = Image.open(path).convert("RGB")
        scale = min(self.size[0] / picture.width, self.size[1] / picture.height)
        canvas = Image.new("RGB", self.size, self.colour)
        width, height = (round(side * scale) for side in picture.size)
        canvas.paste(picture.resize((width, height), Image.Resampling.BILINEAR), (0, 0))
        return np.asarray(canvas), scale, picture.size

    def _objects(self, found: Any, scale: float, size: tuple[int, int]) -> Objects:
        boxes = np.clip(found.boxes.numpy() / scale, 0, [*size, *size]).tolist()
        labels = [self.labels[label] for label in found.labels.tolist()]
        columns = zip(boxes, labels, found.scores.tolist(), strict=True)
        return [{"box": box, "label": label, "score": score} for box, label, score in columns]


def same_boxes(told: list[Objects], plain: list[Objects]) -> tuple[int, int, float]:
    """Objects told; of them, those that plain torch found with that label in that place; the largest distance of these."""
    there, furthest = 0, 0.0
    for some, others in zip(told, plain, strict=True):
        for one in some:
            places = [other["box"] for other in others if other["label"] == one["label"]]
            apart = min((float(np.abs(np.subtract(one["box"], place)).max()) for place in places), default=np.inf)
            there += apart <= NEAR
            furthest = max(furthest, apart) if apart <= NEAR else furthest
    return sum(map(len, told)), there, furthest


def speed(given: argparse.Namespace, scratch: Path) -> None:
    """Pictures a second, by turns."""
    import torch

    import honed

    bundle = given.bundle or small_bundle(scratch)
    folder = given.pictures or data_folder() / "object_detection" / "bccd" / "JPEGImages"
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))[: given.most]
    model: Any = honed.Model.load(bundle)
    twin: Any = honed.Model.load(bundle, engine="torch-fp32")
    plain = Plain(twin.predictor.network)
    ways: dict[str, Callable[[Sequence[Path]], list[Objects]]] = {
        "honed": lambda some: model.predict([str(path) for path in some]),
        "torch, one by one": lambda some: plain.answers(some, 1),
        "torch, batches of 8": lambda some: plain.answers(some, 8),
    }
    told = {name: way(paths) for name, way in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(given.rounds):
        for name in list(ways)[:: -1 if turn % 2 else 1]:
            begin = time.monotonic()
            ways[name](paths)
            times[name].append(time.monotonic() - begin)
    for name in ways:
        objects, there, apart = same_boxes(told["honed"], told[name])
        ratios = [other / own for own, other in zip(times["honed"], times[name], strict=True)]
        record(
            "detection_speed",
            {
                "system": name, "engine": model.predictor.engine if name == "honed" else "torch-fp32",
                "pictures": len(paths), "size": f"{plain.size[0]} x {plain.size[1]}",
                "pictures_per_s": round(len(paths) / statistics.median(times[name]), 2), "rounds": given.rounds,
                "honed_is_faster": round(statistics.median(ratios), 2), "least": round(min(ratios), 2),
                "most": round(max(ratios), 2), "objects_told": objects, "equal": there, "pixels_apart": round(apart, 4),
                "threads": torch.get_num_threads(),
            },
        )  # fmt: skip


def small_bundle(scratch: Path) -> Path:
    """A model of a drawn conveyor, where no bundle is given."""
    from honed.scenes import write_conveyor_set

    train, test = (write_conveyor_set(scratch / f"conveyor{seed}", 24, seed).parent for seed in (0, TEST_SEED))
    result, _ = tuned(train, scratch / "runs", test=test, time_limit=60)
    folder: Path = result.model.folder or scratch / "bundle"
    if result.model.folder is None:
        result.model.save(folder)
    return folder


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
    quick = commands.add_parser("speed")
    quick.add_argument("--bundle", type=Path, help="a quickly trained one if left out")
    quick.add_argument("--pictures", type=Path, help="folder of JPEG files, BCCD if left out")
    quick.add_argument("--most", type=int, default=96, help="pictures that are taken of it")
    quick.add_argument("--rounds", type=int, default=5)
    curve = commands.add_parser("learning_curve")
    curve.add_argument("--shots", nargs="+", type=int, default=[8, 16, 32, 64])
    curve.add_argument("--draws", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """The benchmark that was asked for."""
    given = options()
    with tempfile.TemporaryDirectory() as folder:
        {"bccd": bccd, "speed": speed, "learning_curve": learning_curve}[given.what](given, Path(folder))


if __name__ == "__main__":
    main()
