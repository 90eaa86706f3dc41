"""Pre-trains the small backbone and the small detector together, on drawn pictures alone.

    python tools/pretrain_seeing/pretrain.py --work /tmp/work --seconds 1800 [--workers 2]

Each step learns the objects of a chunk of scenes (boxes, kinds, outlines) and, through the same backbone, kind, fractal and
texture of a chunk of single objects. Drawing goes on in worker processes all the while; what was drawn stays in a pool and
is seen again, changed. The rate of learning falls with the time. What is kept is a running mean of the weights. On a GPU it
runs there. Figures that judge it are those of ``judge.py``, on kinds that the pre-training does not draw.
"""

from __future__ import annotations

import argparse
import copy
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from changes import changed
from feed import N_KINDS, N_TEXTURES, NAMES, Chunk, loader, truth_of
from judge import Judge
from shared import export, export_configs, normalised, parameter_groups, rate_at, record
from torch import nn
from torch.nn.functional import cross_entropy

from honed.networks.detection.losses import detector_loss
from honed.networks.detection.small_detector import SmallDetector

SCENES, SINGLES, RATE, DECAY, MEAN_OVER, CLIP = 64, 128, 1.5e-3, 0.03, 800, 10.0
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class RunningMean:
    """A copy of a network whose weights are a running mean."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.steps = copy.deepcopy(network), 0
        self.pairs = [
            (mean, now)
            for mean, now in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True)
            if mean.is_floating_point()
        ]

    @torch.no_grad()
    def add(self) -> None:
        """Draw the mean towards the network."""
        self.steps += 1
        torch._foreach_lerp_([a for a, _ in self.pairs], [b for _, b in self.pairs], 1 / min(self.steps + 1, MEAN_OVER))

    @torch.no_grad()
    def settled(self, batches: list[torch.Tensor], backbone_only: bool) -> SmallDetector:
        """A copy whose normalisations are measured anew on normalised pictures."""
        network: SmallDetector = copy.deepcopy(self.network)  # type: ignore[assignment]
        part = network.backbone if backbone_only else network
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None
        part.train()
        for pixels in batches:
            part(pixels)
        return network.eval()


class Pool:
    """Chunks on the device: each is given once when it is new, then by chance; the oldest leave."""

    def __init__(self, most: int) -> None:
        self.most, self.n_added = most, 0
        self.chunks: list[Chunk] = []
        self.fresh: deque[Chunk] = deque(maxlen=8)

    def add(self, chunk: Chunk) -> None:
        """Move it to the device and keep it."""
        chunk = {name: part.to(DEVICE) for name, part in chunk.items()}
        if len(self.chunks) < self.most:
            self.chunks.append(chunk)
        else:
            self.chunks[self.n_added % self.most] = chunk
        self.n_added += 1
        self.fresh.append(chunk)

    def some(self, rng: np.random.Generator) -> Chunk:
        """A new one, else any."""
        return self.fresh.popleft() if self.fresh else self.chunks[int(rng.integers(len(self.chunks)))]


def losses(network: SmallDetector, head: nn.Linear, scenes: Chunk, singles: Chunk) -> dict[str, torch.Tensor]:
    """All parts of the loss."""
    seen = network(normalised(scenes["pixels"]))
    parts = detector_loss(seen, truth_of(scenes, len(scenes["pixels"])), network.masks)
    features = network.backbone(normalised(singles["pixels"]))
    kinds, textures = head(features).float().split([N_KINDS, N_TEXTURES], dim=1)
    parts["kinds"] = cross_entropy(kinds, singles["labels"][:, 0], label_smoothing=0.05)
    parts["textures"] = 0.5 * cross_entropy(textures, singles["labels"][:, 1])
    return parts


def rolled(chunk: Chunk, rng: np.random.Generator) -> Chunk:
    """Single objects mirrored and shifted."""
    pixels = chunk["pixels"]
    for axis in (2, 3):
        if rng.random() < 0.5:
            pixels = pixels.flip(axis)
    down, across = (int(v) for v in rng.integers(-6, 7, 2))
    return {**chunk, "pixels": pixels.roll((down, across), (2, 3)).float()}


def feed(pools: tuple[Pool, Pool], workers: int, ended: threading.Event) -> None:
    """Take what is drawn into the pools until ``ended``."""
    for chunk in loader(workers, 21, SCENES, SINGLES):
        pools[0 if "boxes" in chunk else 1].add(chunk)
        if ended.is_set():
            break


def save(
    work: Path, mean: RunningMean, pools: tuple[Pool, Pool], rng: np.random.Generator, judge: Judge, row: dict[str, Any]
) -> None:
    """Judge and write both networks."""
    views = [normalised(changed(pools[0].some(rng), rng)["pixels"]) for _ in range(60)]
    detector = mean.settled(views, backbone_only=False)
    singles = mean.settled([normalised(rolled(pools[1].some(rng), rng)["pixels"]) for _ in range(60)], True)
    log = work / "log.csv"
    record(log, row | judge.figures(detector) | {"probe": judge.probe(singles)})
    configs = export_configs(detector, NAMES)
    export(work / "honed-eye-small", singles.backbone.state_dict(), configs["backbone"], log)
    export(work / "honed-detector-small", detector.state_dict(), configs["detector"], log)


def main() -> None:
    """Draw and learn until the time is up; judge now and then."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--judge-every", type=float, default=150)
    parser.add_argument("--begin-at", type=int, default=24, help="chunks that are drawn before the first step")
    parser.add_argument("--pool", type=int, default=1200, help="chunks of scenes kept")
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = SmallDetector(len(NAMES), masks=True).to(DEVICE, memory_format=torch.channels_last)  # type: ignore[call-overload]
    head = nn.Linear(network.backbone.n_features, N_KINDS + N_TEXTURES).to(DEVICE)
    both = nn.ModuleList([network, head])
    optimizer = torch.optim.AdamW(parameter_groups(both, DECAY), lr=RATE, fused=DEVICE == "cuda")
    mean, rng, judge = RunningMean(network), np.random.default_rng(1), Judge.draw()
    pools = (Pool(chosen.pool), Pool(chosen.pool // 2))
    ended = threading.Event()
    feeding = threading.Thread(target=feed, args=(pools, chosen.workers, ended), daemon=True)
    feeding.start()
    while len(pools[0].chunks) < chosen.begin_at or not pools[1].chunks:
        time.sleep(0.1)
    begin, step, last = time.monotonic(), 0, 0.0
    told: list[dict[str, float]] = []
    while True:
        now = time.monotonic() - begin
        if now - last > chosen.judge_every or now > chosen.seconds:
            last = now
            row: dict[str, Any] = {"seconds": round(now), "steps": step, "scenes": pools[0].n_added * SCENES}
            row |= {name: round(float(np.mean([some[name] for some in told])), 4) for name in told[0]}
            save(chosen.work, mean, pools, rng, judge, row)
            told.clear()
            if now > chosen.seconds:
                ended.set()
                break
        rate = rate_at(int(1e6 * now / chosen.seconds), 1_000_000, RATE, warm=1) * min(1.0, (step + 1) / 200)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            parts = losses(network, head, changed(pools[0].some(rng), rng), rolled(pools[1].some(rng), rng))
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(both.parameters(), CLIP)
        optimizer.step()
        mean.add()
        step += 1
        if step % 20 == 0 or not told:
            told.append({name: float(part.detach()) for name, part in parts.items()})


if __name__ == "__main__":
    main()
