"""How a network that finds objects is used without Honed: a few small files beside it, and a few lines."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from honed.errors import BundleError
from honed.files import write_json
from honed.networks.detection.packing import MOST
from honed.tasks.contract import Array, Recipe

LEAST_SCORE = 0.02
"""Objects with smaller scores are not found at all, here as there."""
PACKAGE = "objects"
"""The folder that holds copies of the modules of ``alone``."""
_ENCODE = """
sys.path.insert(0, folder)
from objects.choose_objects import settle as chosen
from objects.read_pictures import encode as read

finder, arrays = json.load(open(f"{folder}/objects.json")), dict(np.load(f"{folder}/objects.npz"))

def encode(rows):  # each row holds a path, the bytes of a file, or a data URI
    return read(rows, finder)

def settle(numbers, batch):
    return chosen(numbers, batch["size"], finder, arrays)
"""


class Alone(NamedTuple):
    """What a family's objects are chosen by without Honed.

    Parameters
    ----------
    facts : mapping
        ``kind`` as ``alone/choose_objects.py`` knows it, ``candidates``, ``most_overlap``, ``seen`` (height and width of
        what boxes are said of), and what else the kind asks for.
    arrays : mapping of arrays
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, Array]


def finder_recipe(network: Any) -> Recipe:
    """The recipe of a :class:`honed.networks.detection.picture_finder.PictureFinder`.

    Raises
    ------
    BundleError [B034]
        Objects of this family are chosen by code that only its library has.
    """
    size = (network.canvas.height, network.canvas.width)
    alone = network.finder.alone(size)
    if alone is None:
        seen = "Nothing but Honed knows yet how to choose among what a detector of this kind says."
        raise BundleError("B034", seen, "Serve it with Honed (--engine auto), or export it with --deploy.")
    return Recipe(
        lambda folder: _write(network, size, alone, folder), ("import sys",), _ENCODE.strip(), ("pillow",),
        settles=True,
    )  # fmt: skip


def _write(network: Any, size: tuple[int, int], alone: Alone, folder: Path) -> None:
    seen = alone.facts["seen"]
    facts = {
        "canvas": list(size), "colour": list(network.finder.mean), "masks": network.with_masks,
        "shapes": [list(shape) for shape in network.finder.shapes(size)], "least_score": LEAST_SCORE,
        "zoom": [size[1] / seen[1], size[0] / seen[0]] * 2, "most": MOST, **alone.facts,
    }  # fmt: skip
    write_json(folder / "objects.json", facts)
    np.savez(folder / "objects.npz", **{name: np.asarray(value) for name, value in alone.arrays.items()})  # type: ignore[arg-type]
    (folder / PACKAGE).mkdir()
    for module in files("honed.networks.detection.alone").iterdir():
        if module.name.endswith(".py"):
            with as_file(module) as path:
                shutil.copyfile(path, folder / PACKAGE / module.name)
