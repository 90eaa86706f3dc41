"""What the pre-training needs beside its loop: the rate of learning, the log, weights in half precision."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from honed.files import sha256
from honed.networks.detection.small_detector import MULTIPLE, SmallDetector

MEAN, STD = 0.5, 0.25
LICENCE = """SPDX-License-Identifier: Apache-2.0

These weights were made by the Honed project with tools/pretrain_seeing from pictures that honed.scenes draws by rule.
No photograph, data set or weights of others went into them.
"""


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """Pictures (n, 3, h, w) uint8 as the networks read them."""
    found = (pixels.float() / 255 - MEAN) / STD
    return found.contiguous(memory_format=torch.channels_last)


def rate_at(step: int, total: int, peak: float, warm: int = 200) -> float:
    """Rate of learning: a ramp, then half a cosine down to a fiftieth."""
    share = min(1.0, step / total)
    return peak * min(1.0, (step + 1) / warm) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))


def parameter_groups(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights with decay; biases and normalisations without."""
    wide = [p for p in module.parameters() if p.ndim > 1]
    narrow = [p for p in module.parameters() if p.ndim <= 1]
    return [{"params": wide, "weight_decay": decay}, {"params": narrow, "weight_decay": 0.0}]


def record(log: Path, row: dict[str, Any]) -> None:
    """One line of the log, also on the screen."""
    print(*(f"{name}={value}" for name, value in row.items()), flush=True)
    new = not log.exists()
    with log.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if new:
            writer.writerow(row)
        writer.writerow(row.values())


def export_configs(network: SmallDetector, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What builds the architectures again, and how they read pictures."""
    reading = {"mean": [MEAN] * 3, "std": [STD] * 3, "scale": 1.0, "bgr": False}
    stages = {"widths": list(network.backbone.widths), "depths": list(network.backbone.depths)}
    small = {"size": 64, "crop_share": 1.0, "interpolation": "bilinear", "any_size": True}
    return {
        "backbone": {"model_type": "honed-small-backbone", **stages, "preprocessing": {**small, **reading}},
        "detector": {
            "model_type": "honed-small-detector", "labels": list(labels), "width": network.width, "depth": network.depth,
            "masks": network.masks is not None, "backbone": stages, "preprocessing": {**reading, "multiple": MULTIPLE},
        },
    }  # fmt: skip


def export(folder: Path, weights: dict[str, torch.Tensor], config: dict[str, Any], log: Path) -> None:
    """Weights in half precision, configuration, digest and log."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in weights.items()
    }
    save_file(halves, folder / "model.safetensors", {"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "digest.json").write_text(
        json.dumps({"sha256": sha256(folder / "model.safetensors")}) + "\n", encoding="utf-8"
    )
    (folder / "log.csv").write_text(log.read_text())
    (folder / "LICENCE").write_text(LICENCE)
