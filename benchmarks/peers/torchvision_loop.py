"""The peer: the recipe of torchvision's reference scripts for detectors, on our small detector from the same weights.

    python benchmarks/peers/torchvision_loop.py --seconds 480 [--from-nothing] [--long-side 448]

As its ``references/detection`` describes it: SGD, momentum 0.9, weight decay 1e-4, 0.02 for 16 pictures scaled with the
batch, linear warm-up over at most 1,000 steps of the first epoch, a tenth of the rate after 2/3 and again after 8/9 of the
epochs, statistics of pre-trained normalisations kept, pictures mirrored by chance and nothing else, incomplete batches left
out, the last epoch kept. What favours the peer: its rate is chosen among three on the validation pictures, they are held in
memory, all layers learn (its own default keeps the first two stages), and it is told how long an epoch takes, so that its
schedule ends with its time. The tuning counts as part of ``--seconds``.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
TUNING_SHARE, SPARE = 0.25, 0.97
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


def rate_at(step: int, n_steps: int, steps_in_epoch: int, rate: float) -> float:
    """Warm-up in the first epoch, then steps down by ten."""
    warm = min(WARM_STEPS, steps_in_epoch - 1)
    rise = min(1.0, 0.001 + 0.999 * step / warm) if warm > 0 else 1.0
    return rate * rise * 0.1 ** sum(step >= round(share * n_steps) for share in STEPS_DOWN)


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


def train(ready: Detector, pictures: Pictures, epochs: int, rate: float, most_steps: int = 0) -> bool:
    """The whole schedule; False where the loss is no longer a number, as the reference scripts then stop."""
    rng, n = np.random.default_rng(0), len(pictures.pixels)
    steps_in_epoch = max(1, n // BATCH)
    n_steps = epochs * steps_in_epoch
    optimizer = torch.optim.SGD(ready.network.parameters(), lr=rate, momentum=0.9, weight_decay=1e-4)
    ready.learn()
    for step in range(min(n_steps, most_steps or n_steps)):
        if step % steps_in_epoch == 0:
            order = rng.permutation(n)
        start = step % steps_in_epoch * BATCH
        pixels, truth = batch_of(ready, pictures, order[start : start + BATCH].tolist(), rng)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, n_steps, steps_in_epoch, rate)
        loss = torch.stack(list(detector_loss(ready.network(pixels), truth).values())).sum()
        if not torch.isfinite(loss):
            return False
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return True


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


def seconds_of_epoch(ready: Detector, pictures: Pictures) -> float:
    """Measured on a few steps of a copy."""
    twin = replace(ready, network=copy.deepcopy(ready.network))
    train(twin, pictures, 1, 1e-6, most_steps=2)
    begin, steps = time.monotonic(), 4
    train(twin, pictures, 1, 1e-6, most_steps=steps)
    return (time.monotonic() - begin) / steps * max(1, len(pictures.pixels) // BATCH)


def chosen_rate(given: argparse.Namespace, parts: dict[str, Pictures], labels: list[str]) -> tuple[float, float, str]:
    """The best of three rates by AP on the validation pictures, seconds of an epoch, and what was seen."""
    an_epoch = seconds_of_epoch(fresh(given.base, len(labels), given.start), parts["train"])
    if given.rate:
        return given.rate, an_epoch, "given"
    rates = RATES[given.start]
    each = given.seconds * TUNING_SHARE / len(rates)
    epochs = max(1, int(each * 0.9 / an_epoch))
    seen: dict[float, float] = {}
    for rate in rates:
        ready, begin = fresh(given.base, len(labels), given.start), time.monotonic()
        whole = train(ready, parts["train"], epochs, rate)
        an_epoch = (time.monotonic() - begin) / epochs if whole else an_epoch
        seen[rate] = judge(ready, parts["validation"], labels).ap.value if whole else -1.0
        print(f"rate {rate}: AP {seen[rate]:.4f} on validation after {epochs} epochs of {an_epoch:.1f} s", flush=True)
    told = " ".join(f"{rate:g}={ap:.4f}" for rate, ap in seen.items())
    return max(seen, key=lambda rate: seen[rate]), an_epoch, f"{epochs} epochs: {told}"


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
    rate, an_epoch, tuning = chosen_rate(given, parts, labels)
    tuning_s = time.monotonic() - begin
    epochs = max(1, int((given.seconds - tuning_s) * SPARE / an_epoch))
    ready = fresh(given.base, len(labels), given.start)
    whole = train(ready, parts["train"], epochs, rate)
    seconds, peak = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = judge(ready, parts[given.on], labels)
    record(
        "detection_bccd" if given.data is None else f"detection_{given.data.name}",
        {
            "system": "torchvision's recipe", "start": given.start, "on": given.on,
            **with_intervals(ap=found.ap, ap50=found.ap50), "seconds": round(seconds), "tuning_s": round(tuning_s),
            "peak_mib": round(peak), "threads": torch.get_num_threads(), "long_side": given.long_side,
            "how": f"{epochs} epochs, rate {rate:g}, {tuning}" + ("" if whole else ", loss not a number"),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
