"""A few dozen tiny pictures that a tiny random network learns in seconds."""

from __future__ import annotations

import base64
import io
import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from honed.data.table import Table
from honed.files import passing_folder
from honed.tasks.contract import Sample

SIDE = 32
KINDS = ("ring", "bar", "cross")
EXAMPLE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIBAMAAAA2IaO4AAAAMFBMVEW0w7y0lqVpw5ZploAtw3gAw2IellrDaZaWaY"
    "BpaWkeaUS0LXG0AFppHkQeLSYeAA96ouaKAAAAKUlEQVR42mP8/+/+B5b3//+/Z2JgYGBg2fP//X0o6++5Byzv3r2H"
    "SAAAo88Salf0Cp0AAAAASUVORK5CYII="
)
"""A picture of eight by eight pixels."""


def _picture(kind: str, rng: np.random.Generator) -> str:
    """A bright shape on dark noise as a data URI."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] - SIDE // 2 + rng.integers(-4, 5, 2)[:, None, None]
    masks = {
        "ring": np.abs(np.hypot(x, y) - 8) < 2.5,
        "bar": (np.abs(y) < 3) & (np.abs(x) < 11),
        "cross": (np.abs(y - x) < 3) | (np.abs(y + x) < 3),
    }
    grey = np.where(masks[kind], 200, 60)[..., None] + rng.normal(0, 20, (SIDE, SIDE, 3))
    stream = io.BytesIO()
    Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def sample() -> Sample:
    """96 pictures of three shapes, and a tiny residual network."""
    rng = np.random.default_rng(5)
    kinds = [kind for kind in KINDS for _ in range(32)]
    order = rng.permutation(len(kinds))
    arrow = pa.table({"image": [_picture(kinds[row], rng) for row in order], "shape": [kinds[row] for row in order]})
    return Sample(Table(arrow, "sample", "sample"), "shape", _tiny_base(), {"image_size": SIDE, "variation": "none"})


@cache
def _tiny_base() -> Path:
    import torch
    from safetensors.torch import save_file

    from honed.networks.pictures.backbones import build

    folder = passing_folder("honed-tiny-") / "tiny-resnet"
    folder.mkdir(parents=True)
    config = {
        "model_type": "honed-cifar-resnet", "depth": 8,
        "preprocessing": {
            "size": SIDE, "crop_share": 1.0, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "scale": 1.0, "bgr": False,
            "interpolation": "bilinear", "any_size": True,
        },
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, _ = build(config)
    save_file(dict(module.state_dict()), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
