"""Pre-trains the small detector on drawn scenes of 26 kinds, from the pre-trained backbone.

    python tools/pretrain_seeing/detector.py --work /tmp/work [--rounds 60] [--until 22:00]

Goes on from its checkpoint; stops at the end of the round in which the time of day (UTC) is reached. Written is a
running mean of the weights. The figure that judges it: AP at IoU 0.5, class-agnostic, on scenes of kinds that the
pre-training does not draw.
"""

from __future__ import annotations

import argparse
import copy
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from judge import Judge
from shared import MEAN, STD, export, keep, normalised, parameter_groups, rate_at, read_weights, record, resume
from torch import nn
from torch.nn.functional import interpolate

from honed.networks.detection.losses import detector_loss
from honed.networks.detection.small_detector import STRIDES, SmallDetector
from honed.networks.pictures.small_backbone import SmallBackbone
from honed.scenes import TRAINED, render_scene

NAMES = tuple(TRAINED)
SIZES, ZOOMED = ((192, 192), (256, 256), (192, 256), (256, 192)), (128, 192, 256, 320)
FRESH_BATCHES, BATCH, PASSES, RATE, DECAY, MEAN_OVER, CLIP = 64, 16, 2, 1.5e-3, 0.03, 400, 10.0
Targets = list[tuple[torch.Tensor, torch.Tensor]]
Batch = tuple[torch.Tensor, Targets]


def scenes(rng: np.random.Generator, n: int, size: tuple[int, int]) -> Batch:
    """Pictures (n, 3, h, w) uint8 with boxes and labels."""
    pictures, targets = [], []
    for _ in range(n):
        picture, objects = render_scene(rng, size)
        pictures.append(torch.from_numpy(picture).permute(2, 0, 1))
        boxes = torch.tensor([item.box_xyxy for item in objects]).reshape(-1, 4)
        targets.append((boxes, torch.tensor([NAMES.index(item.label) for item in objects], dtype=torch.long)))
    return torch.stack(pictures), targets


def changed(batch: Batch, rng: np.random.Generator) -> Batch:
    """Mirrored, and brought to another scale, anew each time it is seen."""
    pixels, targets = batch
    for axis, (low, high) in ((3, (0, 2)), (2, (1, 3))):
        if rng.random() < 0.5:
            length = pixels.shape[axis]
            pixels, targets = (
                pixels.flip(axis),
                [(_mirrored(boxes, low, high, length), labels) for boxes, labels in targets],
            )
    wide = int(rng.choice(ZOOMED))
    high_side = max(1, round(wide * pixels.shape[2] / pixels.shape[3] / 64)) * 64
    zoom = torch.tensor([wide / pixels.shape[3], high_side / pixels.shape[2]]).repeat(2)
    pixels = interpolate(pixels.float(), size=(high_side, wide), mode="bilinear", align_corners=False, antialias=True)
    return pixels, [_large_enough(boxes * zoom, labels) for boxes, labels in targets]


def _mirrored(boxes: torch.Tensor, low: int, high: int, length: int) -> torch.Tensor:
    found = boxes.clone()
    found[:, low], found[:, high] = length - boxes[:, high], length - boxes[:, low]
    return found


def _large_enough(boxes: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    stay = ((boxes[:, 2:] - boxes[:, :2]).amax(dim=1) >= 4) if len(boxes) else torch.zeros(0, dtype=torch.bool)
    return boxes[stay], labels[stay]


class RunningMean:
    """A copy of the network whose weights are a running mean."""

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).eval()
        self.steps = 0

    def add(self, network: nn.Module) -> None:
        """Draw the mean towards the network."""
        self.steps += 1
        share = 1 / min(self.steps + 1, MEAN_OVER)
        with torch.no_grad():
            for mean, now in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(now, share)
                else:
                    mean.copy_(now)


def one_step(network: SmallDetector, optimizer: torch.optim.Optimizer, batch: Batch) -> dict[str, float]:
    """One step of the optimizer; the parts of the loss."""
    pixels, targets = batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen = network(normalised(pixels))
    parts = detector_loss(seen, targets)
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimizer.step()
    return {name: float(value.detach()) for name, value in parts.items()}


def one_round(
    network: SmallDetector, mean: RunningMean, optimizer: torch.optim.Optimizer, number: int, total: int
) -> dict[str, float]:
    """Fresh scenes, each seen twice, the second time a few batches later; the mean losses."""
    rng, waiting, losses = np.random.default_rng((21, number)), [], []
    for i in range(FRESH_BATCHES):
        waiting += [scenes(rng, BATCH, SIZES[i % len(SIZES)])] * PASSES
        order = rng.permutation(len(waiting)) if len(waiting) > 8 or i == FRESH_BATCHES - 1 else []
        take = set(order[: PASSES if i < FRESH_BATCHES - 1 else len(waiting)])
        for place in sorted(take):
            for group in optimizer.param_groups:
                group["lr"] = rate_at((number - 1) * FRESH_BATCHES * PASSES + len(losses), total, RATE)
            losses.append(one_step(network, optimizer, changed(waiting[place], rng)))
            mean.add(network)
        waiting = [batch for place, batch in enumerate(waiting) if place not in take]
    return {name: round(float(np.mean([part[name] for part in losses])), 4) for name in losses[0]}


def config(network: SmallDetector) -> dict[str, object]:
    """What builds the same architecture again, and how it reads pictures."""
    return {
        "model_type": "honed-small-detector",
        "labels": list(NAMES),
        "width": network.width,
        "depth": network.depth,
        "strides": list(STRIDES),
        "backbone": {"widths": list(network.backbone.widths), "depths": list(network.backbone.depths)},
        "preprocessing": {"mean": [MEAN] * 3, "std": [STD] * 3, "scale": 1.0, "bgr": False, "multiple": 64},
    }


def started(work: Path) -> SmallDetector:
    """A detector on the pre-trained backbone."""
    backbone = SmallBackbone()
    backbone.load_state_dict(read_weights(work / "exports" / "honed-small-backbone"))
    return SmallDetector(len(NAMES), backbone).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def main() -> None:
    """Draw, train, judge, write; again."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--until", default="")
    chosen = parser.parse_args()
    torch.manual_seed(0)
    network = started(chosen.work)
    mean = RunningMean(network)
    both = nn.ModuleList([network, mean.network])
    optimizer = torch.optim.AdamW(parameter_groups(network, DECAY), lr=RATE)
    checkpoint, log = chosen.work / "detector.pt", chosen.work / "detector.csv"
    start, judge, begin = resume(checkpoint, both, optimizer), Judge.draw(), time.monotonic()
    steps = FRESH_BATCHES * PASSES
    mean.steps = start * steps
    for number in range(start + 1, chosen.rounds + 1):
        network.train()
        losses = one_round(network, mean, optimizer, number, chosen.rounds * steps)
        figures = judge.figures(mean.network)
        record(log, {"round": number, **losses, **figures, "seconds": round(time.monotonic() - begin)})
        keep(checkpoint, both, optimizer, number)
        export(chosen.work / "exports" / "honed-small-detector", mean.network.state_dict(), config(network), log)
        if chosen.until and chosen.until <= datetime.now(UTC).strftime("%H:%M"):
            break


if __name__ == "__main__":
    main()
