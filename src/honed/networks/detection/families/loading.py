"""A finder from a folder or a checkpoint file, or from the configuration that a bundle kept, whichever family it is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from honed.errors import ZooError
from honed.files import read_json
from honed.networks.detection.families import detectron, small
from honed.networks.detection.families.base import FamilyFinder, fill, read_weights

KINDS = "Honed finds objects with detectors of its own, of torchvision, of transformers and of the Detectron zoo."


def load_finder(source: Path) -> FamilyFinder:
    """The finder of a folder with ``config.json`` and ``*.safetensors``, or of a lone checkpoint, in evaluation mode.

    Raises
    ------
    ZooError [Z011, Z014, Z016, Z030, Z031, Z032]
        There are no weights, they are no detector's, they do not fit their configuration, or the gate refuses the file.
    """
    folder = _hub_folder(source)
    config = _config(folder)
    if family_of(config) == "transformers":
        from honed.networks.detection.families.transformers import load_transformers

        return load_transformers(folder).eval()
    finder = rebuilt(config)
    fill(finder.network, read_weights(folder), folder)
    return finder.eval()


def rebuilt(config: dict[str, Any]) -> FamilyFinder:
    """The architecture of a configuration with random weights, for weights that a bundle kept.

    Raises
    ------
    ZooError [Z014]
        No family has such a one.
    """
    family = family_of(config)
    if family == small.FAMILY:
        return small.build_small(config)
    if family == detectron.FAMILY:
        return detectron.build_detectron(config)
    if family == "torchvision":
        from honed.networks.detection.families.torchvision import build_torchvision

        return build_torchvision(config)
    from honed.networks.detection.families.transformers import build_transformers

    return build_transformers(config)


def family_of(config: dict[str, Any]) -> str:
    """The name of the family that builds a configuration.

    Raises
    ------
    ZooError [Z014]
    """
    told = str(config.get("family") or config.get("model_type") or "")
    if told in (small.FAMILY, detectron.FAMILY) or (told == "torchvision" and _torchvision_has(config)):
        return told
    from honed.networks.detection.families.transformers import can_find

    if can_find(config):
        return "transformers"
    what = told or str((config.get("architectures") or [config.get("architecture")])[0])
    raise ZooError("Z014", f'The configuration tells of "{what}", which is no detector that Honed knows.', KINDS)


def can_load(config: dict[str, Any]) -> bool:
    """True for a configuration that builds a finder."""
    try:
        return bool(family_of(config))
    except ZooError:
        return False


def _torchvision_has(config: dict[str, Any]) -> bool:
    from torchvision import models

    return config.get("architecture") in models.list_models(module=models.detection)


def _hub_folder(source: Path) -> Path:
    """The folder itself, or the one that a checkpoint, alone or in a folder, is converted to."""
    from honed.zoo.legacy import converted_checkpoint, is_checkpoint

    if source.is_dir() and not (source / "config.json").is_file():
        found = [path for path in sorted(source.iterdir()) if is_checkpoint(path)]
        if len(found) != 1:
            seen = f"{source} has no config.json, and {len(found)} checkpoints."
            raise ZooError("Z011", seen, "Pass a folder in hub format, or the path of one checkpoint.")
        source = found[0]
    return source if source.is_dir() else converted_checkpoint(source)


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = read_json(folder / "config.json")
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ZooError(
            "Z016", f"{folder / 'config.json'} cannot be read: {error}.", "Fetch the model again."
        ) from error
    if not isinstance(found, dict):
        raise ZooError("Z016", f"{folder / 'config.json'} is no configuration.", "Fetch the model again.")
    return found
