"""SqueezeNet as Deep Compression stores it: few weights, each a place and one of 256 shared values.

The file is plain numbers, no pickle: for each of the 26 layers how many weights are not nought (uint32), then, layer by layer,
256 values (float32), the biases (float32), one byte a weight that names its value, and half a byte a weight that tells how
many noughts lie before it.

References
----------
Han, Mao and Dally, *Deep compression*, 2016; Iandola et al., *SqueezeNet*, 2016.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from honed.zoo.pickle_scan import unreadable

SUFFIX = ".net"
VALUES = 256
_FIRES = ((3, 96, 16, 64), (4, 128, 16, 64), (5, 128, 32, 128), (7, 256, 32, 128), (8, 256, 48, 192), (9, 384, 48, 192),
          (10, 384, 64, 256), (12, 512, 64, 256))  # fmt: skip
"""Number of the module in torchvision's SqueezeNet 1.0, and its channels: in, squeezed, each of the two expansions."""
Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, int, int, int]


def layers() -> dict[str, Shape]:
    """The 26 layers in the order of the file, by torchvision's names, with the shapes of their weights."""
    found: dict[str, Shape] = {"features.0": (96, 3, 7, 7)}
    for number, n_in, squeezed, expanded in _FIRES:
        found[f"features.{number}.squeeze"] = (squeezed, n_in, 1, 1)
        found[f"features.{number}.expand1x1"] = (expanded, squeezed, 1, 1)
        found[f"features.{number}.expand3x3"] = (expanded, squeezed, 3, 3)
    return {**found, "classifier.1": (1000, 512, 1, 1)}


class _Reader:
    """Numbers one after the other; asking for more than there are is an error."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.at = path, path.read_bytes(), 0

    def take(self, kind: str, n: int) -> Array:
        """The next ``n`` numbers of a numpy type."""
        length = n * np.dtype(kind).itemsize
        if self.at + length > len(self.data):
            raise unreadable(self.path, "it is cut short")
        self.at += length
        return np.frombuffer(self.data[self.at - length : self.at], kind)


def read_deep_compressed(path: Path) -> dict[str, Any]:
    """Named tensors of a deep-compressed SqueezeNet 1.0, named as torchvision's.

    Raises
    ------
    ZooError [Z031]
        The file is cut short, too long, or its numbers lead outside a layer.
    """
    import torch

    reader, shapes = _Reader(path), layers()
    counts = reader.take("<u4", len(shapes))
    found = {}
    for (name, shape), count in zip(shapes.items(), counts.tolist(), strict=True):
        if count > np.prod(shape):
            raise unreadable(path, "it tells more weights than a layer has")
        values, bias = reader.take("<f4", VALUES), reader.take("<f4", shape[0])
        weight = values[_codes(reader, int(np.prod(shape)), count)].reshape(shape)
        found[f"{name}.weight"], found[f"{name}.bias"] = torch.from_numpy(weight), torch.from_numpy(bias.copy())
    if reader.at != len(reader.data):
        raise unreadable(path, "it is longer than its layers")
    return found


def _codes(reader: _Reader, size: int, count: int) -> Array:
    """Which value each of ``size`` weights has; the noughts between the told ones have value 0."""
    told, halves = reader.take("u1", count), reader.take("u1", -(-count // 2))
    gaps = np.stack([halves & 15, halves >> 4], axis=1).reshape(-1)[:count].astype(np.int64)
    places = np.cumsum(gaps + 1) - 1
    if count and places[-1] >= size:
        raise unreadable(reader.path, "its weights lead outside a layer")
    codes = np.zeros(size, np.uint8)
    codes[places] = told
    return codes


def configuration() -> dict[str, Any]:
    """The ``config.json`` of the network: blue first, colours 0 to 255 less their means, 1,000 classes of ImageNet."""
    from torchvision.models import SqueezeNet1_0_Weights

    return {
        "model_type": "torchvision", "architecture": "squeezenet1_0",
        "labels": list(SqueezeNet1_0_Weights.IMAGENET1K_V1.meta["categories"]),
        "preprocessing": {
            "size": 227, "crop_share": 227 / 256, "mean": [104.0, 117.0, 123.0], "std": [1.0, 1.0, 1.0], "scale": 255.0,
            "bgr": True, "interpolation": "bilinear", "any_size": True,
        },
    }  # fmt: skip
