"""Bases that this project made itself, from generated pictures; they lie in the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from honed.errors import ZooError
from honed.files import read_json, sha256

OWN_BACKBONE, OWN_DETECTOR = "honed-eye-small", "honed-detector-small"
FOLDER = Path(__file__).parent / "own_weights"


@cache
def own_folder(name: str) -> Path:
    """The folder of a base of our own, the digest of its weights verified once in a process.

    Raises
    ------
    ZooError [Z002]
        The installation is damaged.
    """
    folder = FOLDER / name
    weights = folder / "model.safetensors"
    if not weights.is_file() or sha256(weights) != read_json(folder / "digest.json")["sha256"]:
        raise ZooError("Z002", f"{weights} is not the file that comes with Honed.", "Install Honed again.")
    return folder
