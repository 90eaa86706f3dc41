"""Pre-trains the small backbone on single drawn objects: it tells 26 kinds and 96 fractals apart, and 8 textures.

    python tools/pretrain_seeing/backbone.py --work /tmp/work [--rounds 30]

Goes on from its checkpoint. The figure that judges it is the accuracy of a linear head on its frozen features, learnt
on 40 pictures for each of 14 kinds that the pre-training does not draw.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from shared import MEAN, STD, export, keep, normalised, parameter_groups, rate_at, record, resume
from torch import nn
from torch.nn.functional import cross_entropy

from honed.networks.pictures.small_backbone import SmallBackbone
from honed.scenes import KEPT_BACK, PARTS, TRAINED, render_single
from honed.scenes.textures import KINDS

SIDE, FRACTALS, FRESH, POOL, BATCH, RATE, DECAY = 64, 96, 8192, 24576, 128, 2e-3, 0.03
NAMES = tuple(TRAINED)
N_KINDS, OF_OBJECTS = len(NAMES) + FRACTALS, 0.5
Pictures = tuple[torch.Tensor, torch.Tensor]


def fresh(number: int, n: int = FRESH) -> Pictures:
    """The n new pictures (n, 3, SIDE, SIDE) uint8 of a round, with their kind and texture (n, 2)."""
    rng = np.random.default_rng((11, number))
    labels = np.stack([rng.integers(0, N_KINDS, n), rng.integers(0, len(KINDS), n)], axis=1)
    labels[rng.random(n) < OF_OBJECTS, 0] %= len(NAMES)
    pictures = np.empty((n, SIDE, SIDE, 3), dtype=np.uint8)
    for i, (kind, texture) in enumerate(labels.tolist()):
        what = NAMES[kind] if kind < len(NAMES) else kind - len(NAMES)
        pictures[i] = render_single(rng, what, KINDS[texture], SIDE)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)


def changed(pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Mirrored and shifted anew each time a picture is seen."""
    for axis in (2, 3):
        if rng.random() < 0.5:
            pixels = pixels.flip(axis)
    down, across = (int(v) for v in rng.integers(-6, 7, 2))
    return pixels.roll((down, across), (2, 3))


def judged() -> tuple[torch.Tensor, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Pictures of kinds that are not trained on, their classes, and which of them teach the linear head."""
    kinds = [*KEPT_BACK, *PARTS]
    rng = np.random.default_rng(12)
    labels = np.arange(len(kinds) * 100) % len(kinds)
    pictures = np.stack([render_single(rng, kinds[label], None, SIDE) for label in labels])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(), labels, np.arange(len(labels)) < 40 * len(kinds)


def probe(backbone: SmallBackbone, pixels: torch.Tensor, labels: np.ndarray, teaches: np.ndarray) -> float:  # type: ignore[type-arg]
    """Accuracy of a linear head on frozen features."""
    from sklearn.linear_model import LogisticRegression

    backbone.eval()
    with torch.inference_mode():
        features = torch.cat([backbone(normalised(part)) for part in pixels.split(256)]).numpy()
    backbone.train()
    scaled = features / np.sqrt((features**2).sum(axis=1).mean())
    head = LogisticRegression(C=30.0, max_iter=300).fit(scaled[teaches], labels[teaches])
    return float(head.score(scaled[~teaches], labels[~teaches]))


def one_round(both: nn.ModuleList, optimizer: torch.optim.Optimizer, pool: Pictures,
              rng: np.random.Generator, done: int, total: int) -> float:  # fmt: skip
    """As many pictures of the pool as two thirds of it; the mean loss."""
    losses, (pixels, labels) = [], pool
    for step, rows in enumerate(np.split(rng.permutation(len(labels))[: 2 * FRESH], 2 * FRESH // BATCH)):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(done + step, total, RATE)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features = both[0](normalised(changed(pixels[rows], rng)))
        kinds, textures = both[1](features.float()).split([N_KINDS, len(KINDS)], dim=1)
        wanted = labels[rows]
        loss = cross_entropy(kinds, wanted[:, 0], label_smoothing=0.05) + 0.5 * cross_entropy(textures, wanted[:, 1])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def config(backbone: SmallBackbone) -> dict[str, object]:
    """What builds the same architecture again, and how it reads pictures."""
    preprocessing = {
        "size": SIDE, "crop_share": 1.0, "mean": [MEAN] * 3, "std": [STD] * 3, "scale": 1.0, "bgr": False,
        "interpolation": "bilinear", "any_size": True,
    }  # fmt: skip
    return {
        "model_type": "honed-small-backbone",
        "widths": list(backbone.widths),
        "depths": list(backbone.depths),
        "preprocessing": preprocessing,
    }


def main() -> None:
    """Draw, train, judge, write; again."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=30)
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    backbone = SmallBackbone().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    both = nn.ModuleList([backbone, nn.Linear(backbone.n_features, N_KINDS + len(KINDS))])
    optimizer = torch.optim.AdamW(parameter_groups(both, DECAY), lr=RATE)
    checkpoint, log = chosen.work / "backbone.pt", chosen.work / "backbone.csv"
    start, judges, begin = resume(checkpoint, both, optimizer), judged(), time.monotonic()
    if start == 0:
        record(log, {"round": 0, "loss": "", "probe": f"{probe(backbone, *judges):.4f}", "seconds": 0})
    pool = fresh(max(0, start - 2))
    for number in range(max(1, start - 1), chosen.rounds + 1):
        pool = _joined(pool, fresh(number))
        if number <= start:
            continue
        steps = 2 * FRESH // BATCH
        loss = one_round(
            both, optimizer, pool, np.random.default_rng((13, number)), (number - 1) * steps, chosen.rounds * steps
        )
        score = probe(backbone, *judges)
        record(
            log,
            {
                "round": number,
                "loss": f"{loss:.4f}",
                "probe": f"{score:.4f}",
                "seconds": round(time.monotonic() - begin),
            },
        )
        keep(checkpoint, both, optimizer, number)
        export(chosen.work / "exports" / "honed-small-backbone", backbone.state_dict(), config(backbone), log)


def _joined(pool: Pictures, new: Pictures) -> Pictures:  # fmt: skip
    """New pictures before old ones; the oldest leave."""
    return torch.cat([new[0], pool[0]])[:POOL], torch.cat([new[1], pool[1]])[:POOL]


if __name__ == "__main__":
    main()
