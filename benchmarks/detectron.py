"""Detectors of the zoo's own sizes against Detectron2 itself: the same made-up weights, the same picture, file to objects.

    python benchmarks/detectron.py --python PEER [--case NAME]

PEER is the interpreter of an environment in which Detectron2 is installed. Each case is written by Detectron2 as a checkpoint
of 80 classes, converted by Honed through the pickle gate, and asked about a picture of 640 by 480 pixels, read at 1067 by 800.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ROOT, record

SCRATCH = tempfile.TemporaryDirectory(prefix="honed-detectron-")
os.environ["HONED_HOME"] = SCRATCH.name

from honed.networks.detectron.detector import ReadyDetector, build_detector, load_detector  # noqa: E402
from honed.networks.detectron.found import Found, Target  # noqa: E402
from honed.networks.detectron.pictures import padded  # noqa: E402
from honed.networks.detectron.settings import DetectronSettings  # noqa: E402
from honed.zoo.legacy import converted_checkpoint  # noqa: E402

HEIGHT, WIDTH = 480, 640


def peer(python: str, name: str, out: Path) -> dict[str, Any]:
    """Detectron2's checkpoint and answers for one case."""
    script = ROOT / "peers" / "detectron2_outputs.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT.parent), os.environ.get("PEER_PATH", "")])}
    command = [python, str(script), str(out), "--full", "--case", name]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return dict(json.loads((out / "answers.json").read_text())[name])


def ours(out: Path, row: dict[str, Any]) -> tuple[ReadyDetector, float]:
    """The converted checkpoint, told what no checkpoint tells, and the seconds of the conversion."""
    begin = time.monotonic()
    detector = load_detector(converted_checkpoint(out / row["file"]))
    seconds = time.monotonic() - begin
    network = build_detector(DetectronSettings.from_dict({**detector.settings.as_dict(), **row["case"]}))
    network.load_state_dict(detector.network.state_dict())
    return ReadyDetector(network, detector.labels), seconds


def mask_difference(found: Found, row: dict[str, Any]) -> str:
    """Pixels that differ, of all pixels that belong to an object."""
    if found.masks is None:
        return ""
    bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(row["masks"])), np.uint8))
    masks = bits[: found.masks.numel()].reshape(found.masks.shape).astype(bool)
    return f"{int((masks != found.masks.numpy()).sum())} of {int(masks.sum())}"


def loss_difference(detector: ReadyDetector, row: dict[str, Any], image: Any, target: Target) -> float:
    """The largest difference of a part of the loss, relative to it, with the same random samples."""
    settings = detector.settings
    pixels = torch.from_numpy(np.ascontiguousarray((image[..., ::-1] if settings.bgr else image).transpose(2, 0, 1)))
    mean, std = (torch.tensor(values)[:, None, None] for values in (settings.mean, settings.std))
    detector.network.train()
    torch.manual_seed(0)
    with torch.no_grad():
        batch = padded([(pixels.float() - mean) / std], settings.multiple)
        found = detector.network.losses(batch, [image.shape[:2]], [target])
    return max(abs(float(found[name]) - value) / abs(value) for name, value in row["losses"].items())


def compare(python: str, name: str, picture: Any, objects: Any) -> None:
    """One row of results."""
    with tempfile.TemporaryDirectory(prefix="honed-detectron-") as folder:
        row = peer(python, name, Path(folder))
        detector, seconds = ours(Path(folder), row)
    image, times = picture(HEIGHT, WIDTH), []
    for _ in range(3):
        begin = time.monotonic()
        found = detector.find([image])[0]
        times.append(time.monotonic() - begin)
    boxes, labels, masks = (torch.from_numpy(part) for part in objects(HEIGHT, WIDTH, 80))
    same = len(found.scores) == len(row["scores"])
    record(
        "detectron",
        {
            "case": name,
            "objects": len(row["scores"]),
            "found": len(found.scores),
            "labels_equal": same and found.labels.tolist() == row["labels"],
            "largest_box_difference_px": f"{np.abs(found.boxes.numpy() - row['boxes']).max():.1e}" if same else "",
            "largest_score_difference": f"{np.abs(found.scores.numpy() - row['scores']).max():.1e}" if same else "",
            "mask_pixels_that_differ": mask_difference(found, row) if same else "",
            "largest_loss_difference_relative": f"{loss_difference(detector, row, image, Target(boxes, labels, masks)):.1e}",
            "conversion_s": round(seconds, 1),
            "honed_s": round(min(times), 2),
            "detectron2_s": round(row["seconds"], 2),
        },
    )


def main() -> None:
    """All cases, or one."""
    import sys

    sys.path.insert(0, str(ROOT.parent))
    from tests.detectron_cases import CASES, objects, picture

    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True)
    parser.add_argument("--case", default="")
    chosen = parser.parse_args()
    for name in CASES:
        if chosen.case in ("", name):
            compare(chosen.python, name, picture, objects)


if __name__ == "__main__":
    main()
