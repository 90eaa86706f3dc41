"""What both parts of the pre-training share: rounds, the rate of learning, checkpoints, the log, weights in half precision."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from honed.files import sha256

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


def keep(checkpoint: Path, module: nn.Module, optimizer: torch.optim.Optimizer, done: int) -> None:
    """All that is needed to go on after a stop, put in place in one step."""
    temporary = checkpoint.with_suffix(".new")
    torch.save({"module": module.state_dict(), "optimizer": optimizer.state_dict(), "done": done}, temporary)
    temporary.rename(checkpoint)


def resume(checkpoint: Path, module: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Rounds already done."""
    if not checkpoint.exists():
        return 0
    found = torch.load(checkpoint, weights_only=True)
    module.load_state_dict(found["module"])
    optimizer.load_state_dict(found["optimizer"])
    return int(found["done"])


def export(folder: Path, weights: dict[str, torch.Tensor], config: dict[str, Any], log: Path) -> None:
    """Weights in half precision, configuration, digest and log."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: (value.half() if value.is_floating_point() else value).contiguous() for name, value in weights.items()
    }
    save_file(halves, folder / "model.safetensors", {"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "digest.json").write_text(
        json.dumps({"sha256": sha256(folder / "model.safetensors")}) + "\n", encoding="utf-8"
    )
    (folder / "log.csv").write_text(log.read_text())
    (folder / "LICENCE").write_text(LICENCE)


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Weights in single precision."""
    found = load_file(folder / "model.safetensors")
    return {name: value.float() if value.is_floating_point() else value for name, value in found.items()}
