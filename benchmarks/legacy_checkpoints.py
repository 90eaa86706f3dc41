"""The committed SqueezeNet of Deep Compression, through the reader of Honed, on COCO pictures whose largest object it knows.

    python benchmarks/legacy_checkpoints.py

ImageNet's own pictures are not here, so its published 57.5 % cannot be repeated; a decoding that is wrong anywhere gives
answers by chance (5 of 1,000). The accuracy of the CIFAR-10 networks is measured by ``pictures.py imported``.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

import numpy as np
import torch
from common import data_folder, record
from PIL import Image

SCRATCH = tempfile.TemporaryDirectory(prefix="honed-legacy-")
os.environ["HONED_HOME"] = SCRATCH.name

KNOWN = {
    "zebra": "zebra", "elephant": "elephant|tusker", "pizza": "pizza", "toilet": "toilet", "umbrella": "umbrella",
    "bicycle": "bike|bicycle|tricycle", "motorcycle": "scooter|moped", "bus": "bus", "train": "locomotive|passenger car|streetcar",
    "airplane": "airliner|warplane|wing", "boat": "boat|canoe|catamaran|trimaran|schooner", "traffic light": "traffic light",
    "bench": "park bench", "cat": "cat|tabby|lynx|tiger cat", "couch": "couch", "laptop": "laptop|notebook",
    "refrigerator": "refrigerator", "microwave": "microwave", "banana": "banana", "orange": "orange", "cow": "ox",
    "sheep": "ram|bighorn", "bear": "bear", "tv": "television|monitor|screen", "truck": "truck|van", "clock": "clock",
}  # fmt: skip
"""Classes of COCO, and what their names in ImageNet hold."""


def pictures() -> list[tuple[Any, str]]:
    """The pictures of both parts with their largest object, of those in ``KNOWN``."""
    root, found = data_folder() / "object_detection" / "tiny_coco", []
    for part in ("train2017", "val2017"):
        facts = json.loads((root / "annotations" / f"instances_{part}.json").read_text())
        names = {kind["id"]: kind["name"] for kind in facts["categories"]}
        for picture in facts["images"]:
            areas = [
                (a["area"], names[a["category_id"]]) for a in facts["annotations"] if a["image_id"] == picture["id"]
            ]
            path = root / part / picture["file_name"]
            if areas and max(areas)[1] in KNOWN and path.is_file():
                found.append((np.asarray(Image.open(path).convert("RGB")), max(areas)[1]))
    return found


def main() -> None:
    """One row of results."""
    from torchvision import models

    from honed.networks.pictures.backbones import load_backbone
    from honed.zoo.deep_compression import read_deep_compressed
    from honed.zoo.legacy import converted_checkpoint

    path = data_folder() / "weights" / "squeezenet_deepcompression_imagenet" / "compressed_SqueezeNet.net"
    backbone = load_backbone(converted_checkpoint(path))
    network = models.squeezenet1_0(weights=None).eval()
    network.load_state_dict(read_deep_compressed(path))
    network.classifier[1].padding = (1, 1)
    how, right = backbone.preprocessing, []
    shift = torch.tensor(how.shift_and_factor[0])[:, None, None]
    largest, rows = 0.0, pictures()
    for picture, name in rows:
        pixels = torch.from_numpy(how.fitted(picture)[..., ::-1].astype(np.float32).transpose(2, 0, 1).copy()) - shift
        with torch.inference_mode():
            maps, features = network.features(pixels[None]), backbone.module(pixels[None])
            largest = max(largest, float((maps.mean(dim=(2, 3)) - features).abs().max()))
            top = [backbone.labels[i] for i in network.classifier(maps).flatten().topk(5).indices]
        right.append(any(word in answer for answer in top for word in KNOWN[name].split("|")))
    record(
        "legacy_checkpoints",
        {
            "network": "SqueezeNet 1.0, deep-compressed", "pictures": len(rows), "named_in_top_5": round(float(np.mean(right)), 3),
            "largest_difference_from_torchvision": f"{largest:.1e}",
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
