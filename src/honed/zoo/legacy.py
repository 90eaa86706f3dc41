"""Single checkpoint files of known architectures: through the gate once, then a folder in hub format for ever."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from honed.errors import ZooError
from honed.files import sha256, whole_folder, write_json

SUFFIXES = (".th", ".pth", ".pt", ".tar", ".pkl")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""Classes in the order of the data set's own numbers."""


def is_checkpoint(path: Path) -> bool:
    """A file that may hold weights."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def cache_folder() -> Path:
    """Where converted checkpoints are kept."""
    home = os.environ.get("HONED_HOME")
    return Path(home) if home else Path.home() / ".cache" / "honed"


def converted_checkpoint(path: Path) -> Path:
    """A folder in hub format with the weights of a checkpoint; converted the first time it is seen.

    Raises
    ------
    ZooError [Z030, Z031, Z032]
        The gate refuses it, it cannot be read, or no architecture that Honed knows has such weights.
    """
    folder = cache_folder() / "converted" / f"{path.stem}-{sha256(path)[:16]}"
    if (folder / "config.json").is_file():
        return folder
    from honed.zoo.pickle_gate import read_checkpoint

    tensors = {name.removeprefix("module."): value for name, value in read_checkpoint(path).items()}
    config = _recognised(tensors)
    if config is None:
        some = ", ".join(sorted(tensors)[:3])
        seen = (
            f"No architecture that Honed knows has the weights of {path.name} ({len(tensors)} tensors, such as {some})."
        )
        raise ZooError("Z032", seen, "Pass a folder in hub format (config.json and model.safetensors) instead.")
    from safetensors.torch import save_file

    licence = next(
        (found for found in (path.parent / name for name in ("LICENSE", "LICENCE")) if found.is_file()), None
    )
    with whole_folder(folder) as place:
        save_file({name: value.contiguous() for name, value in tensors.items()}, place / "model.safetensors")
        write_json(place / "config.json", config)
        if licence is not None:
            (place / "LICENSE").write_bytes(licence.read_bytes())
    return folder


def _recognised(tensors: dict[str, Any]) -> dict[str, Any] | None:
    """The configuration of the architecture that has these weights, None for none that is known."""
    blocks = {int(found.group(1)) for name in tensors if (found := re.match(r"layer3\.(\d+)\.conv1\.weight$", name))}
    first = tensors.get("conv1.weight")
    if blocks and first is not None and tuple(first.shape) == (16, 3, 3, 3) and "layer4.0.conv1.weight" not in tensors:
        n_labels = len(tensors["linear.weight"]) if "linear.weight" in tensors else 0
        return {
            "model_type": "honed-cifar-resnet", "depth": 6 * len(blocks) + 2,
            "labels": list(CIFAR10) if n_labels == len(CIFAR10) else [],
            "preprocessing": {
                "size": 32, "crop_share": 1.0, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": 1.0,
                "bgr": False, "interpolation": "bicubic", "any_size": True,
            },
        }  # fmt: skip
    return None
