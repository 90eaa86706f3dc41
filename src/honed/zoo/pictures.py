"""A base for pictures from a folder: configuration and safetensors weights, whichever library it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from honed.errors import ZooError
from honed.zoo.base import Base
from honed.zoo.local import base_of, converted, count_parameters, found_folder, json_of, weights_of


def picture_base(
    folder: Path, *, name: str = "", revision: str = "", how: Literal["embedded", "local", "hub"] = "local"
) -> Base:
    """Check a folder and describe the model in it, without loading its weights.

    Raises
    ------
    ZooError [Z010, Z011, Z012, Z014, Z015]
        No folder, no configuration, no safetensors, damaged, a part missing, or a model that sees nothing.
    """
    return _described(folder, name, revision, how, objects=False)


def object_base(
    folder: Path, *, name: str = "", revision: str = "", how: Literal["embedded", "local", "hub"] = "local"
) -> Base:
    """The same for a model that finds objects. Raises ZooError as :func:`picture_base`, [Z014] where it finds none."""
    return _described(folder, name, revision, how, objects=True)


def _described(
    folder: Path, name: str, revision: str, how: Literal["embedded", "local", "hub"], *, objects: bool
) -> Base:
    folder, name, revision = found_folder(folder, name, revision)
    from honed.networks.detection.families.loading import family_of
    from honed.networks.pictures.backbones import architecture_of, can_see

    config = json_of(folder / "config.json")
    told = architecture_of(config) or (str(config.get("family", "")) if objects else "")
    if not told:
        seen = f"The folder {folder} holds no model in hub format: config.json is missing or names no architecture."
        raise ZooError("Z011", seen, "Pass the folder that holds config.json and the weights.")
    if objects:
        family_of(config)
    elif not can_see(config):
        own = "brings its own code, which Honed never runs" if config.get("auto_map") else "reads no pictures"
        seen = f'The model in {folder} ("{architecture_of(config)}") {own}.'
        raise ZooError("Z014", seen, "Choose a backbone such as ResNet, ConvNeXt or ViT.")
    weights = weights_of(folder) or [converted(folder)]
    n_parameters = sum(count_parameters(path) for path in weights)
    return base_of(folder, weights, n_parameters, name, revision, how, told)
