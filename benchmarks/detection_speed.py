"""Pictures a second of detectors on every engine, beside plain eager torch with the same weights, by turns in one run.

    taskset -c 0 python benchmarks/detection_speed.py --bundle runs/bccd/model [--pictures FOLDER] [--most 32]
    taskset -c 0 python benchmarks/detection_speed.py --architecture fasterrcnn_mobilenet_v3_large_fpn
    python benchmarks/detection_speed.py --bundle runs/bccd/model --threads 2

All read JPEG files. The peer is what one would write by hand: PIL, a canvas of the same size, torchvision's own network
(or, for a bundle of Honed's small detector, that network) under ``inference_mode``, one by one and in batches of 8; the
better of the two counts. With ``--architecture`` weights are random, normalisations have the statistics of the pictures,
and the last layers are made larger, so that there is something to choose among. On one thread what is compared is processor
time, which a busy machine disturbs least; pin the process to one core. On more it is the clock, for then pictures are
read side by side and the network is computed on all of them; the peer gets as many threads. There each round times an engine and
the peer one right after the other, and the ratio is that of such pairs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import data_folder, record

NEAR, MOST, LEAST_SCORE, HALF = 0.5, 100, 0.02, 0.02
"""Pixels that two equal boxes may lie apart; objects a picture; score from which there are any; and, for engines of half
precision, how far boxes may lie apart as a share of their longer side."""
ENGINES = ("torch-fp32", "torch-joined", "torch-bf16", "onnx-fp32", "openvino-fp32", "openvino-bf16")
Found = list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]]


class Plain:
    """A network in eager torch, as one would write it by hand."""

    def __init__(self, network: Any) -> None:
        self.finder, self.canvas = network.finder.eval(), (network.canvas.width, network.canvas.height)
        self.colour = tuple(round(255 * share) for share in network.finder.mean)
        self.library = self.finder.family == "torchvision"
        if self.library:
            told = getattr(self.finder.network, "roi_heads", self.finder.network)
            told.score_thresh, told.detections_per_img = LEAST_SCORE, MOST

    def answers(self, paths: Sequence[str], batch: int) -> Found:
        """Boxes, scores and labels of every picture."""
        found: Found = []
        for start in range(0, len(paths), batch):
            found += self._batch(paths[start : start + batch])
        return found

    def _batch(self, paths: Sequence[str]) -> Found:
        import torch

        canvases, scales, sizes = zip(*(self._laid(path) for path in paths), strict=True)
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(canvases)).permute(0, 3, 1, 2).float() / 255
            if self.library:
                told = [tuple(one.values())[:3] for one in self._ordered(self.finder.network(list(pixels)))]
            else:
                told = [tuple(one)[:3] for one in self.finder.find(pixels, least_score=LEAST_SCORE, most=MOST)]
        parts = ((boxes.numpy() / scale, scores.numpy(), labels.numpy())
                 for (boxes, scores, labels), scale in zip(told, scales, strict=True))  # fmt: skip
        return [(np.clip(boxes, 0, [*size, *size]), *rest) for (boxes, *rest), size in zip(parts, sizes, strict=True)]  # type: ignore[misc]

    def _ordered(self, answers: Any) -> Any:
        from honed.networks.detection.families.torchvision import background_rows

        first = background_rows(self.finder.facts["architecture"])
        return [{"boxes": one["boxes"], "scores": one["scores"], "labels": one["labels"] - first} for one in answers]

    def _laid(self, path: str) -> tuple[Any, float, tuple[int, int]]:
        from PIL import Image

        picture = Image.open(path).convert("RGB")
        scale = min(self.canvas[0] / picture.width, self.canvas[1] / picture.height)
        canvas = Image.new("RGB", self.canvas, self.colour)
        wanted = (round(picture.width * scale), round(picture.height * scale))
        canvas.paste(picture.resize(wanted, Image.Resampling.BILINEAR), (0, 0))
        return np.asarray(canvas), scale, picture.size


def of_rows(rows: Any) -> Found:
    """Packed rows as boxes, scores and labels."""
    from honed.networks.detection.packing import unpack

    packed = unpack(rows)
    columns = zip(packed.boxes, packed.scores, packed.labels, packed.there, strict=True)
    return [(boxes[at], scores[at], labels[at]) for boxes, scores, labels, at in columns]


def equal(told: Found, plain: Found) -> dict[str, Any]:
    """Objects told; those that the peer found with that label within half a pixel, and within two per cent of their side."""
    there = near = total = 0
    for (boxes, _, labels), (others, _, names) in zip(told, plain, strict=True):
        for box, label in zip(boxes, labels, strict=True):
            apart = np.abs(others[names == label] - box).max(axis=1, initial=0.0).min(initial=np.inf)
            there += apart <= NEAR
            near += apart <= max(NEAR, HALF * float((box[2:] - box[:2]).max()))
            total += 1
    return {"objects": total, "equal": int(there), "equal_within_2_per_cent": int(near)}


def random_model(architecture: str, paths: Sequence[str], size: tuple[int, int]) -> Any:
    """A model around torchvision's architecture with random weights."""
    import torch
    from torch import nn

    from honed.data.table import Roles
    from honed.model import Model
    from honed.networks.detection.canvas import Canvas
    from honed.networks.detection.families.loading import rebuilt
    from honed.networks.detection.picture_finder import PictureFinder
    from honed.networks.engine import NetworkPredictor
    from honed.tasks.contract import Decision, Problem
    from honed.tasks.registry import get_task

    torch.manual_seed(0)
    labels = ("red", "white", "platelet")
    finder: Any = rebuilt({"family": "torchvision", "architecture": architecture, "labels": list(labels)})
    network = PictureFinder(finder, Canvas(*size), False).eval()
    norms = [part for part in finder.modules() if isinstance(part, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = None
            norm.train()
        finder.parts(network.collate(network.encode([(path,) for path in paths[:4]]))["pixels"].float() / 255)
        for layer in finder.head.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight *= 20
    network.eval()
    problem = Problem("object-detection", "objects", ("image",), "objects", labels, "ap", {"canvas": list(size)})
    predictor = NetworkPredictor(network)
    return Model(get_task("object-detection"), problem, predictor, Decision(), {}, Roles(target="objects"))


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--architecture", help="one of torchvision's, with random weights")
    parser.add_argument("--size", type=int, nargs=2, default=(384, 512), help="canvas of --architecture")
    parser.add_argument("--pictures", type=Path, help="folder of pictures, BCCD if left out")
    parser.add_argument("--most", type=int, default=32, help="pictures that are taken of it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="more than one: by the clock instead of processor time")
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    return parser.parse_args()


def seconds(way: Callable[[], Found], clock: Callable[[], float]) -> float:
    """How long one way takes for all pictures."""
    begin = clock()
    way()
    return clock() - begin


def pair(
    way: Callable[[], Found], peer: Callable[[], Found], clock: Callable[[], float], turn: int
) -> tuple[float, float]:
    """Seconds of a way and of the peer right beside it; who comes first alternates."""
    if turn % 2:
        other = seconds(peer, clock)
        return seconds(way, clock), other
    return seconds(way, clock), seconds(peer, clock)


def main() -> None:
    """Every engine that can run here, and the peer."""
    import torch

    import honed
    from honed.engines.prepare import available

    given = options()
    torch.set_num_threads(given.threads)
    folder = given.pictures or data_folder() / "object_detection" / "bccd" / "JPEGImages"
    paths = [str(path) for path in sorted(folder.iterdir())][: given.most]
    model = honed.Model.load(given.bundle) if given.bundle else None
    model = model or random_model(given.architecture, paths, tuple(given.size))
    plain = Plain(model.predictor.network)
    engines = {name: engine for name, engine in available(model, given.engines).items() if not isinstance(engine, str)}
    rows = [(path,) for path in paths]
    ways: dict[str, Callable[[], Found]] = {
        "torch, one by one": lambda: plain.answers(paths, 1), "torch, batches of 8": lambda: plain.answers(paths, 8),
        **{f"honed {name}": lambda engine=engine: of_rows(engine.outputs(rows)) for name, engine in engines.items()},
    }  # fmt: skip
    told = {name: way() for name, way in ways.items()}
    clock = time.process_time if given.threads == 1 else time.perf_counter
    peers = [name for name in ways if name.startswith("torch")]
    first = {name: min(seconds(ways[name], clock) for _ in range(2)) for name in peers}
    peer = min(peers, key=lambda name: first[name])
    pairs = {name: [pair(ways[name], ways[peer], clock, turn) for turn in range(given.rounds)] for name in ways}
    for name in ways:
        ratios = [other / own for own, other in pairs[name]]
        record(
            "detection_speed",
            {
                "network": given.architecture or "honed-detector-small", "system": name,
                "pictures": len(paths), "canvas": f"{plain.canvas[1]} x {plain.canvas[0]}", "rounds": given.rounds,
                "clock": "processor" if given.threads == 1 else "wall", "threads": given.threads,
                "pictures_per_s": round(len(paths) / statistics.median(own for own, _ in pairs[name]), 2),
                "times_the_peer": round(statistics.median(ratios), 2), "least": round(min(ratios), 2),
                "most": round(max(ratios), 2), **equal(told[name], told[peer]),
            },
        )  # fmt: skip


if __name__ == "__main__":
    main()
