"""A few dozen tiny pictures with objects that a tiny random network learns in seconds."""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from honed.data.picture_sets.raw import OBJECT
from honed.data.picture_sets.rle import text_of_mask
from honed.data.table import Table
from honed.files import passing_folder
from honed.tasks.contract import Sample

SIDE, N = 64, 48
COLOURS = {"disc": (230, 80, 60), "square": (60, 120, 230)}


def sample(masks: bool) -> Sample:
    """48 pictures of discs and squares, and a tiny detector."""
    rng = np.random.default_rng(6)
    drawn = [_picture(rng) for _ in range(N)]
    objects = pa.array([found for _, found in drawn], pa.list_(OBJECT))
    arrow = pa.table({"image": [picture for picture, _ in drawn], "objects": objects})
    settings: dict[str, Any] = {"longest_side": SIDE, "variation": "none", "metric": "ap50"}
    return Sample(Table(arrow, "sample", "sample"), "objects", _tiny_base(), settings)


def _picture(rng: np.random.Generator) -> tuple[str, list[dict[str, Any]]]:
    """One shape, or two side by side, on dark noise, as a data URI."""
    pixels = rng.normal(40, 8, (SIDE, SIDE, 3))
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    objects = []
    for place in [(0.5,), (0.25, 0.75)][int(rng.integers(2))]:
        kind, radius = str(rng.choice(list(COLOURS))), int(rng.integers(8, 13))
        across, down = SIDE * place + rng.integers(-2, 3), SIDE / 2 + rng.integers(-14, 15)
        reach = np.hypot(x - across, y - down) if kind == "disc" else np.maximum(np.abs(x - across), np.abs(y - down))
        mask = reach <= radius
        pixels[mask] = COLOURS[kind]
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]
        objects.append({"label": kind, "box_xyxy": box, "crowd": False, "polygons": None, "rle": text_of_mask(mask)})
    stream = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode(), objects


@cache
def _tiny_base() -> Path:
    import torch

    from honed.networks.detection.families.small import SmallFinder
    from honed.networks.detection.small_detector import SmallDetector
    from honed.networks.pictures.small_backbone import SmallBackbone

    folder = passing_folder("honed-tiny-") / "tiny-detector"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SmallDetector(1, SmallBackbone((16, 16, 32, 32, 32), (0, 1, 1, 1, 1)), 32, 1, masks=True)
        torch.nn.init.zeros_(network.objectness.bias)  # type: ignore[arg-type]
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
        with torch.no_grad():
            network.train()(torch.rand(16, 3, SIDE, SIDE) * 4 - 2)
    SmallFinder(network, ["thing"]).save(folder)
    return folder
