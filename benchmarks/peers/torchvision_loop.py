"""The peer: the recipe of torchvision's reference scripts for detectors, on our small detector from the same weights.

    python benchmarks/peers/torchvision_loop.py --seconds 480 [--from-nothing] [--long-side 448]

As its ``references/detection`` describes it: SGD, momentum 0.9, weight decay 1e-4, 0.02 for 16 pictures scaled with the
batch, linear warm-up over at most 1,000 steps of the first epoch, a tenth of the rate after 2/3 and again after 8/9 of the
epochs, statistics of pre-trained normalisations kept, pictures mirrored by chance and nothing else, incomplete batches left
out, the last epoch kept. What favours the peer: its rate is chosen among three on the validation pictures, they are held in
memory, all layers learn (its own default keeps the first two stages), and its epochs are planned by the seconds of those
before, so that its schedule ends with its time. The tuning counts as part of ``--seconds``.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import data_folder, detector_folder, record, with_intervals

from honed.data.picture_sets import read_picture_set
from honed.metrics.detection import ApIntervals, ap_intervals, gather_detections, gather_truths, match
from honed.networks.detection.decode import found_objects
from honed.networks.detection.found import Found
from honed.networks.detection.losses import detector_loss
from honed.networks.detection.small_detector import SmallDetector, padded
from honed.networks.detection.truth import Objects, Truth
from honed.networks.pictures.small_backbone import SmallBackbone

BATCH, WARM_STEPS, STEPS_DOWN = 8, 1000, (2 / 3, 8 / 9)
RATES = {"pre-trained": (0.0025, 0.005, 0.01), "nothing": (0.005, 0.01, 0.02)}
"""Below, at and above what is best in three epochs; 0.02 for 16 pictures is 0.01 here."""
TUNING_SHARE, SPARE, MOST_EPOCHS = 0.25, 0.9, 1000
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Pictures:
    """Pictures (h, w, 3) uint8 as the network reads them, their objects there and as annotated, and the scale of each."""

    pixels: list[Array]
    objects: list[Objects]
    scales: list[float]
    annotated: list[list[dict[str, Any]]]


def read_parts(source: Path, long_side: int) -> tuple[dict[str, Pictures], list[str]]:
    """The pictures of each part, and all labels; ``long_side`` 0 leaves pictures as large as they are."""
    table = read_picture_set(source)
    assert table is not None
    labels = sorted({item["label"] for row in table.column("objects") for item in row})
    parts = {part: Pictures([], [], [], []) for part in ("train", "validation", "test")}
    for path, row, part in zip(*(table.column(name) for name in ("image", "objects", "part")), strict=True):
        picture = Image.open(path).convert("RGB")
        scale = long_side / max(picture.size) if long_side else 1.0
        if scale != 1.0:
            width, height = (round(side * scale) for side in picture.size)
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        real = [item for item in row if not item["crowd"]]
        boxes = torch.tensor([item["box_xyxy"] for item in real], dtype=torch.float32).reshape(-1, 4) * scale
        kinds = torch.tensor([labels.index(item["label"]) for item in real], dtype=torch.long)
        place = parts[part]
        place.pixels.append(np.asarray(picture))
        place.objects.append(Objects(boxes, kinds))
        place.scales.append(scale)
        place.annotated.append(row)
    return parts, labels


@dataclass
class Detector:
    """The network in hand, and how it reads pixels."""

    network: SmallDetector
    mean: torch.Tensor
    std: torch.Tensor
    start: str

    def learn(self) -> None:
        """Training mode; the statistics of pre-trained normalisations stay (as ``FrozenBatchNorm2d`` does)."""
        self.network.train()
        for module in self.network.modules():
            if isinstance(module, torch.nn.BatchNorm2d) and self.start == "pre-trained":
                module.eval()

    def tensor(self, picture: Array) -> torch.Tensor:
        """A picture (h, w, 3) uint8 as (3, h, w) float."""
        pixels = torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1) / 255
        return (pixels - self.mean) / self.std

    @torch.inference_mode()
    def find(self, pictures: Sequence[Array], least_score: float = 0.001, most: int = 100) -> list[Found]:
        """Objects of pictures, boxes in their pixels."""
        self.network.eval()
        seen = self.network(padded([self.tensor(picture) for picture in pictures]))
        return found_objects(seen, [some.shape[:2] for some in pictures], least_score=least_score, most=most)


def fresh(base: Path, n_labels: int, start: str) -> Detector:
    """The detector before training, with new rows for the labels; the boxes alone are compared, so masks are left out."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    torch.manual_seed(0)
    backbone = SmallBackbone(tuple(config["backbone"]["widths"]), tuple(config["backbone"]["depths"]))
    n_known = n_labels if start == "nothing" else len(config["labels"])
    network = SmallDetector(n_known, backbone, int(config["width"]), int(config["depth"]))
    if start == "pre-trained":
        weights = load_file(base / "model.safetensors")
        network.load_state_dict({name: value.float() for name, value in weights.items() if "masks." not in name})
        network.with_classes(n_labels)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    how = config["preprocessing"]
    mean, std = (torch.tensor(how[name])[:, None, None] for name in ("mean", "std"))
    return Detector(network, mean, std, start)


def rate_at(done: float, planned: int, steps: int, rate: float) -> float:
    """After so many of the planned epochs of so many steps: warm-up in the first epoch, then steps down by ten."""
    warm = min(WARM_STEPS, steps - 1)
    rise = min(1.0, 0.001 + 0.999 * done * steps / warm) if warm > 0 else 1.0
    return rate * rise * 0.1 ** sum(done >= round(share * planned) for share in STEPS_DOWN)


def batch_of(ready: Detector, pictures: Pictures, rows: Sequence[int], rng: np.random.Generator) -> Any:
    """Normalised pixels (n, 3, H, W) and the truth, each picture mirrored by chance."""
    pixels, objects = [], []
    for row in rows:
        picture, (boxes, kinds, *_) = pictures.pixels[row], pictures.objects[row]
        if rng.random() < 0.5:
            picture, width = picture[:, ::-1], picture.shape[1]
            boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)
        pixels.append(ready.tensor(picture))
        objects.append(Objects(boxes, kinds))
    return padded(pixels), Truth.of(objects)


def train(ready: Detector, pictures: Pictures, rate: float, *, epochs: int = 0, until: float = 0.0) -> int:
    """The whole schedule over so many epochs, or as many as end before a time, by the seconds of those so far.

    Returns
    -------
    int
        Epochs; 0 where the loss was no longer a number, with which the reference scripts stop.
    """
    optimizer = torch.optim.SGD(ready.network.parameters(), lr=rate, momentum=0.9, weight_decay=1e-4)
    rng, begin, done, planned = np.random.default_rng(0), time.monotonic(), 0, epochs or MOST_EPOCHS
    ready.learn()
    while done < planned:
        order = rng.permutation(len(pictures.pixels))
        steps = max(1, len(order) // BATCH)
        for step in range(steps):
            pixels, truth = batch_of(ready, pictures, order[step * BATCH : (step + 1) * BATCH].tolist(), rng)
            optimizer.param_groups[0]["lr"] = rate_at(done + step / steps, planned, steps, rate)
            loss = torch.stack(list(detector_loss(ready.network(pixels), truth).values())).sum()
            if not torch.isfinite(loss):
                return 0
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        done += 1
        now = time.monotonic()
        planned = epochs or done + max(0, int((until - now) * done / (now - begin)))
    return done


def judge(ready: Detector, pictures: Pictures, labels: Sequence[str]) -> ApIntervals:
    """Average precision on the pictures as annotated."""
    found = []
    for start in range(0, len(pictures.pixels), BATCH):
        found += ready.find(pictures.pixels[start : start + BATCH])
    boxes = [some.boxes.numpy() / scale for some, scale in zip(found, pictures.scales, strict=True)]
    told = gather_detections(boxes, [s.labels.numpy() for s in found], [s.scores.numpy() for s in found])
    rows = pictures.annotated
    truth = gather_truths(
        [[item["box_xyxy"] for item in row] for row in rows],
        [[labels.index(item["label"]) for item in row] for row in rows],
        labels,
        crowd=[[item["crowd"] for item in row] for row in rows],
    )
    return ap_intervals(match(truth, told))


def chosen_rate(given: argparse.Namespace, parts: dict[str, Pictures], labels: list[str]) -> tuple[float, str]:
    """The best of three rates by AP on the validation pictures, after as many epochs each, and what was seen."""
    if given.rate:
        return given.rate, "given"
    rates, epochs, seen = RATES[given.start], 0, dict[float, float]()
    until = time.monotonic() + given.seconds * TUNING_SHARE / len(rates) * SPARE
    for rate in rates:
        ready = fresh(given.base, len(labels), given.start)
        done = train(ready, parts["train"], rate, epochs=epochs, until=until)
        epochs = epochs or done
        seen[rate] = judge(ready, parts["validation"], labels).ap.value if done else -1.0
        print(f"rate {rate}: AP {seen[rate]:.4f} on validation after {done} epochs", flush=True)
    told = " ".join(f"{rate:g}={ap:.4f}" for rate, ap in seen.items())
    return max(seen, key=lambda rate: seen[rate]), f"{epochs} epochs each: {told}"


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=480.0, help="budget, the tuning included")
    parser.add_argument("--data", type=Path, help="a set with train, validation and test; BCCD if left out")
    parser.add_argument("--base", type=Path, help="folder of the weights; the detector that Honed carries if left out")
    parser.add_argument(
        "--from-nothing",
        dest="start",
        action="store_const",
        const="nothing",
        default="pre-trained",
        help="random weights instead of the pre-trained ones",
    )
    parser.add_argument("--rate", type=float, default=0.0, help="no tuning, this rate")
    parser.add_argument("--long-side", type=int, default=448, help="pixels; 0 for pictures at full size")
    parser.add_argument("--on", default="test", choices=("test", "validation"), help="what is scored at the end")
    return parser.parse_args()


def main() -> None:
    """Tune, train for the time that is left, score once."""
    given, begin = options(), time.monotonic()
    given.base = given.base or detector_folder()
    parts, labels = read_parts(given.data or data_folder() / "object_detection" / "bccd", given.long_side)
    rate, tuning = chosen_rate(given, parts, labels)
    tuning_s = time.monotonic() - begin
    ready = fresh(given.base, len(labels), given.start)
    epochs = train(ready, parts["train"], rate, until=begin + given.seconds)
    seconds, cpu_s = time.monotonic() - begin, time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = judge(ready, parts[given.on], labels)
    record(
        "detection_bccd" if given.data is None else f"detection_{given.data.name}",
        {
            "system": "torchvision's recipe", "start": given.start, "on": given.on,
            **with_intervals(ap=found.ap, ap50=found.ap50), "seconds": round(seconds), "tuning_s": round(tuning_s),
            "cpu_s": round(cpu_s), "peak_mib": round(peak), "threads": torch.get_num_threads(),
            "long_side": given.long_side,
            "how": f"{epochs} epochs, rate {rate:g}, {tuning}" if epochs else f"rate {rate:g}: loss not a number",
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
