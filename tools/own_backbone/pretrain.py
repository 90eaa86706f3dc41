"""Pre-trains Honed's own small backbone on pictures drawn by rule, and writes it in hub format.

    python tools/own_backbone/pretrain.py --out src/honed/zoo/own_weights/honed-eye-small [--minutes 30]

Resumes from its checkpoint; the log beside the weights has one line an epoch. The figure that chooses is the accuracy of a
linear head on frozen features for drawn classes that were left out of the training.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from draw import N_CLASSES, picture
from safetensors.torch import load_file, save_file
from torch import nn

from honed.files import sha256
from honed.networks.pictures.small_backbone import DEPTHS, WIDTHS, SmallBackbone
from honed.networks.pictures.variation import Variation, varied

PER_CLASS, BATCH, RATE, LEFT_OUT = 200, 128, 2e-3, 16
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
HOW = Variation(scale=0.3, shift=0.15, turn=0.5, light=0.3, cover=0.4)


def drawn(labels: list[int], first: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (n * labels, 3, 64, 64) uint8 of some classes, and the position of the class of each."""
    jobs = [(label, first, n) for label in labels]
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(_of_class, jobs, chunksize=4))
    pixels = torch.from_numpy(np.concatenate(found).transpose(0, 3, 1, 2).copy())
    return pixels, torch.arange(len(labels)).repeat_interleave(n)


def _of_class(job: tuple[int, int, int]) -> np.ndarray:
    label, first, n = job
    return np.stack([picture(label, first + i) for i in range(n)])


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """As the backbone reads them."""
    found = (pixels.float() / 255 - MEAN[0]) / STD[0]
    return found.contiguous(memory_format=torch.channels_last)


def probe(backbone: SmallBackbone, new: tuple[torch.Tensor, torch.Tensor]) -> float:
    """Accuracy of a linear head on frozen features, learnt from half of the pictures of classes that were left out."""
    from sklearn.linear_model import LogisticRegression

    backbone.eval()
    with torch.inference_mode():
        features = torch.cat([backbone(normalised(part)) for part in new[0].split(256)]).float().numpy()
    half = np.arange(len(features)) % 2 == 0
    scaled = features / np.sqrt((features**2).sum(axis=1).mean())
    model = LogisticRegression(C=30.0, max_iter=300).fit(scaled[half], new[1].numpy()[half])
    return float(model.score(scaled[~half], new[1].numpy()[~half]))


def main() -> None:
    """Draw, train until the time is up, keep the best."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--epochs", type=int, default=40)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    kept = [label for label in range(N_CLASSES) if label % (N_CLASSES // LEFT_OUT) != 5]
    new = drawn([label for label in range(N_CLASSES) if label not in set(kept)], 50_000, 60)
    pixels, labels = drawn(kept, 0, PER_CLASS)
    backbone = SmallBackbone(WIDTHS, DEPTHS).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    head = nn.Linear(backbone.n_features, len(kept))
    both = nn.ModuleList([backbone, head])
    optimizer = torch.optim.AdamW(both.parameters(), lr=RATE, weight_decay=0.02)
    checkpoint, log, start = chosen.out / "checkpoint.safetensors", chosen.out / "log.csv", 0
    if checkpoint.exists():
        both.load_state_dict(load_file(checkpoint))
        start = sum(1 for _ in log.open()) - 1
    begin, total = time.monotonic(), chosen.epochs * (len(labels) // BATCH)
    if start == 0:
        record(log, ["epoch", "loss", "probe_on_new_classes", "seconds"])
        record(log, [0, "", f"{probe(backbone, new):.4f}", 0])
    best = 0.0
    for epoch in range(max(1, start), chosen.epochs + 1):
        rng = np.random.default_rng((1, epoch))
        losses = []
        both.train()
        for step, rows in enumerate(np.array_split(rng.permutation(len(labels)), len(labels) // BATCH)):
            done = (epoch - 1) * (len(labels) // BATCH) + step
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, (done + 1) / 300) * 0.5 * (1 + np.cos(np.pi * min(1.0, done / total)))
            batch = normalised(varied(pixels[rows], HOW, rng))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                features = backbone(batch)
            loss = nn.functional.cross_entropy(head(features.float()), labels[rows], label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(float(loss.detach()))
        score = probe(backbone, new)
        record(log, [epoch, f"{np.mean(losses):.4f}", f"{score:.4f}", round(time.monotonic() - begin)])
        save_file({name: value.contiguous() for name, value in both.state_dict().items()}, checkpoint)
        if score >= best:
            best = score
            write(backbone, chosen.out)
        if time.monotonic() - begin > chosen.minutes * 60:
            break
    checkpoint.unlink(missing_ok=True)


def record(log: Path, row: list[object]) -> None:
    """One line of the log, also on the screen."""
    print(*row, flush=True)
    with log.open("a", newline="") as stream:
        csv.writer(stream).writerow(row)


def write(backbone: SmallBackbone, out: Path) -> None:
    """The backbone in hub format, half precision, with its digest."""
    weights = {
        name: value.half() if value.is_floating_point() else value for name, value in backbone.state_dict().items()
    }
    save_file(
        {name: value.contiguous() for name, value in weights.items()}, out / "model.safetensors", {"format": "pt"}
    )
    preprocessing = {
        "size": 64, "crop_share": 1.0, "mean": list(MEAN), "std": list(STD), "scale": 1.0, "bgr": False,
        "interpolation": "bilinear", "any_size": True,
    }  # fmt: skip
    config = {
        "model_type": "honed-small-backbone",
        "widths": list(WIDTHS),
        "depths": list(DEPTHS),
        "preprocessing": preprocessing,
    }
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (out / "digest.json").write_text(json.dumps({"sha256": sha256(out / "model.safetensors")}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
