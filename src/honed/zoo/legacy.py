"""Single checkpoint files of known architectures: through the gate once, then a folder in hub format for ever."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from honed.errors import ZooError
from honed.files import sha256, whole_folder, write_json
from honed.zoo import deep_compression
from honed.zoo.catalogue import catalogue

SUFFIXES = (".th", ".pth", ".pt", ".tar", ".pkl", ".net")
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
    folder = cache_folder() / "converted" / f"{path.stem}-{_key(path)}"
    if (folder / "config.json").is_file():
        return folder
    given = _tensors(path)
    known = _recognised(given, path)
    if known is None:
        some = f"{len(given)} tensors, such as {', '.join(sorted(given)[:3])}"
        seen = f"No architecture that Honed knows has the weights of {path.name} ({some})."
        raise ZooError("Z032", seen, "Pass a folder in hub format (config.json and model.safetensors) instead.")
    config, tensors = known
    from safetensors.torch import save_file

    with whole_folder(folder) as place:
        save_file({name: value.contiguous() for name, value in tensors.items()}, place / "model.safetensors")
        write_json(place / "config.json", config)
        _tell_licence(path, place)
    return folder


def _tell_licence(path: Path, place: Path) -> None:
    """The licence that lies beside a checkpoint; else that of the zoo's entry with the same file name."""
    beside = [found for name in ("LICENSE", "LICENCE") if (found := path.parent / name).is_file()]
    entry = next((entry for entry in catalogue() if entry.file.rpartition("/")[2] == path.name), None)
    if beside:
        (place / "LICENSE").write_bytes(beside[0].read_bytes())
    elif entry is not None:
        card = f"---\nlicense: {entry.licence}\n---\n{entry.id}, converted from {entry.file}.\n"
        (place / "README.md").write_text(card, encoding="utf-8")


def _key(path: Path) -> str:
    """What tells two checkpoints apart: their contents, and the configuration that lies beside them."""
    beside = path.parent / "config.yaml"
    return sha256(path)[:16] + (f"-{sha256(beside)[:8]}" if beside.is_file() else "")


def _tensors(path: Path) -> dict[str, Any]:
    """Named tensors of a checkpoint, whichever of the known layouts it has."""
    from honed.zoo.pickle_arrays import array_tensors, is_array_pickle
    from honed.zoo.pickle_gate import read_checkpoint

    if path.suffix.lower() == deep_compression.SUFFIX:
        return deep_compression.read_deep_compressed(path)
    found = array_tensors(path) if is_array_pickle(path) else read_checkpoint(path)
    return {name.removeprefix("module."): value for name, value in found.items()}


def _recognised(tensors: dict[str, Any], path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The configuration of the architecture that has these weights, and them under its names; None for none known."""
    small = _small_resnet(tensors)
    if small is not None:
        return small, tensors
    if set(tensors) == {f"{layer}.{part}" for layer in deep_compression.layers() for part in ("weight", "bias")}:
        return deep_compression.configuration(), tensors
    from honed.networks.detection.families.torchvision_files import as_torchvision
    from honed.zoo.detectron import as_detector

    return as_detector(tensors, path) or as_torchvision(tensors)


def _small_resnet(tensors: dict[str, Any]) -> dict[str, Any] | None:
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
