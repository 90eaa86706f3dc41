"""A finder from a folder, or from the configuration that a bundle kept, whichever family it is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from honed.errors import ZooError
from honed.files import read_json
from honed.networks.detection.families import small
from honed.networks.detection.families.base import FamilyFinder, fill, read_weights


def load_finder(folder: Path) -> FamilyFinder:
    """The finder of a folder with ``config.json`` and ``model.safetensors``, in evaluation mode.

    Raises
    ------
    ZooError [Z011, Z016, Z032]
        There are no weights, they do not fit the configuration, or no family has such a one.
    """
    config = read_json(folder / "config.json")
    finder = rebuilt(config)
    fill(finder.network, read_weights(folder), folder)
    return finder.eval()


def rebuilt(config: dict[str, Any]) -> FamilyFinder:
    """The architecture of a configuration with random weights, for weights that a bundle kept."""
    family = config.get("family") or config.get("model_type")
    if family == small.FAMILY:
        return small.build_small(config)
    raise ZooError("Z032", f"No family of detectors is called {family!r}.", "Pass a folder with a detector.")
