"""What the pre-training is worth: the detector learns parts on a conveyor from few pictures, pre-trained and from nothing.

    python tools/pretrain_seeing/transfer.py DETECTOR_FOLDER [--pictures 16] [--steps 80]

Prints AP at IoU 0.5 over classes on 60 other pictures, and the seconds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from judge import average_precision

from honed.networks.detection.carried import ReadyDetector, build_small_detector, load_small_detector
from honed.networks.detection.decode import Found
from honed.networks.detection.losses import detector_loss
from honed.networks.detection.small_detector import padded
from honed.scenes import PARTS, render_conveyor

BATCH, NAMES = 8, tuple(PARTS)
Example = tuple[np.ndarray, torch.Tensor, torch.Tensor]  # type: ignore[type-arg]


def drawn(seed: int, n: int) -> list[Example]:
    """Pictures with boxes and labels."""
    found = []
    for i in range(n):
        picture, objects = render_conveyor(np.random.default_rng((seed, i)))
        boxes = torch.tensor([item.box_xyxy for item in objects]).reshape(-1, 4)
        found.append((picture, boxes, torch.tensor([NAMES.index(item.label) for item in objects], dtype=torch.long)))
    return found


def learn(ready: ReadyDetector, examples: list[Example], steps: int, rate: float, frozen_norms: bool) -> None:
    """A plain fine-tuning: mirrored pictures, the new class rows ten times faster than the rest."""
    network, rng = ready.network, np.random.default_rng(0)
    rows = list(network.classes.parameters())
    others = [p for p in network.parameters() if not any(p is row for row in rows)]
    groups = [{"params": others, "lr": rate}, {"params": rows, "lr": rate * (10 if frozen_norms else 1)}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.02)
    first = [group["lr"] for group in optimizer.param_groups]
    network.train(not frozen_norms)
    for step in range(steps):
        for group, peak in zip(optimizer.param_groups, first, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 10) * (1 - step / steps)
        chosen = [_mirrored(examples[i], rng) for i in rng.integers(0, len(examples), BATCH)]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            seen = network(padded([ready.tensor(picture) for picture, _, _ in chosen]))
        loss = torch.stack(list(detector_loss(seen, [(boxes, labels) for _, boxes, labels in chosen]).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
    network.eval()


def _mirrored(example: Example, rng: np.random.Generator) -> Example:
    picture, boxes, labels = example
    for axis in (0, 1):
        if rng.random() < 0.5:
            low, length = 1 - axis, picture.shape[axis]
            picture, flipped = np.flip(picture, axis), boxes.clone()
            flipped[:, low], flipped[:, low + 2] = length - boxes[:, low + 2], length - boxes[:, low]
            boxes = flipped
    return picture, boxes, labels


def ap50(ready: ReadyDetector, examples: list[Example]) -> float:
    """Mean over the classes."""
    found = [ready.find([picture])[0] for picture, _, _ in examples]
    figures = []
    for number in range(len(NAMES)):
        some = [Found(f.boxes[f.labels == number], f.scores[f.labels == number], f.labels[f.labels == number]) for f in found]  # fmt: skip
        figures.append(average_precision(some, [boxes[labels == number] for _, boxes, labels in examples], 0.5))
    return float(np.mean(figures))


def main() -> None:
    """Both ways, beside each other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--steps", type=int, default=80)
    chosen = parser.parse_args()
    examples, others = drawn(0, chosen.pictures), drawn(1, 60)
    for way in ("pre-trained", "from nothing"):
        torch.manual_seed(0)
        ready = load_small_detector(chosen.folder)
        if way == "from nothing":
            ready = ReadyDetector(build_small_detector(ready.config), (), ready.config)
        ready = ready.for_labels(NAMES)
        begin = time.monotonic()
        learn(ready, examples, chosen.steps, 1e-3 if way == "pre-trained" else 2e-3, way == "pre-trained")
        seconds = time.monotonic() - begin
        print(
            f"{way}: AP50 {ap50(ready, others):.3f} after {chosen.steps} steps on {chosen.pictures} pictures, {seconds:.0f} s"
        )


if __name__ == "__main__":
    main()
