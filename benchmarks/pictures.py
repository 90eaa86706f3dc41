"""CIFAR-10 as lossy JPEG: the imported ResNet-20 and -32 as they are, and fine-tuning from ResNet-20 against from nothing.

    python benchmarks/pictures.py [imported] [few] [full] [--starts ResNet-20 nothing] [--time-limit 10m]
    python benchmarks/pictures.py parts [--time-limit 100s]

"Imported" are the networks with their own heads on the test pictures, through the checkpoint reader and the classifier of
Honed. "Few" takes 10 training pictures of each class, five draws; "full" all 50,000. Both run the default command from the
imported ResNet-20 and from the same architecture with random weights; the test pictures are scored once, at the end.
"Parts" are parts as the example draws them, 40 of each class and 100 others to be judged, from the small backbone that comes
with Honed and from the same with random weights.
"""

from __future__ import annotations

import argparse
import json
import random
import runpy
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, data_folder, record

DATA = data_folder()
WEIGHTS = DATA / "weights" / "resnet_cifar10"
FILES = {"ResNet-20": "resnet20-12fca82f.th", "ResNet-32": "resnet32-d509ac18.th"}
DEEPER = {"ResNet-44": "resnet44-014dd654.th", "ResNet-56": "resnet56-4bfd9763.th"}
SHOTS, DRAWS = 10, 5


def unpacked(scratch: Path) -> Path:
    """The pictures, folders by class, below ``train`` and ``test``."""
    for name in ("test.tar.gz", "train_50k.tar.gz"):
        with tarfile.open(DATA / "image_classification" / "cifar10_jpg" / name) as archive:
            archive.extractall(scratch, filter="data")
    return scratch


def imported(place: Path) -> None:
    """Accuracy of the checkpoints as they are on the 10,000 test pictures."""
    from honed.data.read import read_table
    from honed.networks.engine import NetworkPredictor
    from honed.networks.pictures.classifier import PictureClassifier
    from honed.training.recipe import with_head
    from honed.zoo.resolve import resolve

    table = read_table(place / "test")
    for name, file in (FILES | DEEPER).items():
        base = resolve(WEIGHTS / file, kind="image")
        network = PictureClassifier.from_base(base, n_outputs=10, labels=(), size=0, variation=None, seed=0)
        weight, bias = (part.numpy() for part in network.own_head or ())
        begin = time.monotonic()
        outputs = NetworkPredictor(with_head(network, {"weight": weight, "bias": bias})).outputs(
            [(p,) for p in table.column("image")]
        )
        seconds = time.monotonic() - begin
        labels = np.array(network.own_labels)[outputs.argmax(axis=1)]
        accuracy = float((labels == np.array(table.column("label"))).mean())
        record(
            "pictures_imported",
            {
                "network": name,
                "pictures": len(labels),
                "accuracy": round(accuracy, 4),
                "pictures_per_s": round(len(labels) / seconds),
            },
        )


def from_nothing(scratch: Path, base: Any) -> Path:
    """The same architecture as a base's with random weights, in hub format."""
    import torch
    from safetensors.torch import save_file

    from honed.networks.pictures.backbones import build

    folder = scratch / "random-weights"
    folder.mkdir()
    config = json.loads((base.folder / "config.json").read_text())
    torch.manual_seed(0)
    module, _ = build({**config, "labels": []})
    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**config, "labels": []}))
    return folder


def tuned(train: Any, test: Path, base: Path, scratch: Path, limit: str | None, **facts: Any) -> None:
    """The default command, and its accuracy on the test pictures."""
    import honed
    from honed.data.read import read_table

    begin = time.monotonic()
    result = honed.finetune(
        train,
        base=base,
        out=scratch / "runs",
        name=f"run{time.time_ns()}",
        settings={"data.test": 0.0},
        time_limit=limit,
    )
    seconds = time.monotonic() - begin
    table = read_table(test)
    accuracy = float((np.array(result.model.predict(table)) == np.array(table.column("label"))).mean())
    best = next(line.name for line in result.report.ladder if line.best)
    rungs = " ".join(f"{line.name}={line.score.value:.3f}" for line in result.report.ladder if line.score)
    record(
        "pictures_tuned",
        {**facts, "accuracy": round(accuracy, 4), "seconds": round(seconds), "best_rung": best, "held_out": rungs},
    )


def few(place: Path, scratch: Path, starts: dict[str, Path], limit: str | None) -> None:
    """Ten pictures of each class."""
    for draw in range(DRAWS):
        chooser = random.Random(draw)
        rows = [
            {"image": str(path), "label": folder.name}
            for folder in sorted((place / "train").iterdir())
            for path in chooser.sample(sorted(folder.iterdir()), SHOTS)
        ]
        for name, base in starts.items():
            tuned(rows, place / "test", base, scratch, limit, task=f"{SHOTS} a class", start=name, draw=draw)


def full(place: Path, scratch: Path, starts: dict[str, Path], limit: str | None) -> None:
    """All 50,000 pictures."""
    for name, base in starts.items():
        tuned(place / "train", place / "test", base, scratch, limit, task="50,000 pictures", start=name, draw=0)


def parts(scratch: Path, limit: str | None) -> None:
    """Parts as the example draws them, from our own backbone and from nothing."""
    from honed.zoo.resolve import resolve

    example = runpy.run_path(str(ROOT.parent / "examples" / "image-classification" / "make_parts.py"))
    for place, n, first in (("train", 40, 0), ("test", 100, 1000)):
        for kind in example["CLASSES"]:
            folder = scratch / "parts" / place / kind
            folder.mkdir(parents=True)
            for seed in range(first, first + n):
                example["part"](kind, seed).save(folder / f"{seed}.png")
    base = resolve(kind="image")
    for name, start in ((base.id, base.folder), ("nothing", from_nothing(scratch, base))):
        where = scratch / "parts" / "train", scratch / "parts" / "test"
        tuned(*where, start, scratch, limit, task="40 drawn parts a class", start=name, draw=0)


def options() -> argparse.Namespace:
    """What was asked for, else everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", help="imported, few, full; or parts")
    parser.add_argument("--starts", nargs="+", choices=["ResNet-20", "nothing"], default=["ResNet-20", "nothing"])
    parser.add_argument("--time-limit", help="of each run, as of honed finetune")
    return parser.parse_args()


def main() -> None:
    """One part after another."""
    from honed.zoo.resolve import resolve

    asked = options()
    chosen = asked.what or ["imported", "few", "full"]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if "parts" in chosen:
            parts(scratch, asked.time_limit)
        if not {"imported", "few", "full"} & set(chosen):
            return
        place = unpacked(scratch / "pictures")
        if "imported" in chosen:
            imported(place)
        resnet = WEIGHTS / FILES["ResNet-20"]
        made = {"ResNet-20": lambda: resnet, "nothing": lambda: from_nothing(scratch, resolve(resnet, kind="image"))}
        starts = {name: made[name]() for name in asked.starts if {"few", "full"} & set(chosen)}
        if "few" in chosen:
            few(place, scratch, starts, asked.time_limit)
        if "full" in chosen:
            full(place, scratch, starts, asked.time_limit)


if __name__ == "__main__":
    main()
