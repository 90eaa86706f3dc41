"""A detector of the Detectron family in hand: read from a folder and asked for objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from honed.errors import ZooError
from honed.files import read_json
from honed.networks.detectron.found import Found
from honed.networks.detectron.one_stage import OneStage
from honed.networks.detectron.pictures import in_pixels_of, padded, padded_size, to_tensor
from honed.networks.detectron.settings import DetectronSettings
from honed.networks.detectron.two_stages import TwoStages

KIND = "honed-detectron"
Array = np.ndarray[Any, np.dtype[Any]]
Network = TwoStages | OneStage


@dataclass
class ReadyDetector:
    """A detector with the names of its classes.

    Parameters
    ----------
    network : TwoStages or OneStage
    labels : tuple of str
        Names of its classes, in the order of the outputs.
    """

    network: Network
    labels: tuple[str, ...]

    @property
    def settings(self) -> DetectronSettings:
        """What builds the same architecture again."""
        return self.network.settings

    @property
    def config(self) -> dict[str, Any]:
        """The contents of ``config.json``."""
        return {"model_type": KIND, **self.settings.as_dict(), "labels": list(self.labels)}

    def tensor(self, picture: Array) -> torch.Tensor:
        """A picture (h, w, 3) uint8, red first, as the network reads it: resized, normalised, (3, h', w')."""
        return to_tensor(picture, self.settings)

    @torch.inference_mode()
    def find(self, pictures: Sequence[Array]) -> list[Found]:
        """Objects of pictures (h, w, 3) uint8 of any sizes, in each picture's own pixels.

        Pictures share a batch only where that changes nothing: an answer does not depend on its neighbours.
        """
        self.network.eval()
        device = next(self.network.parameters()).device
        tensors = [self.tensor(picture) for picture in pictures]
        together: dict[tuple[int, int], list[int]] = {}
        for i, x in enumerate(tensors):
            together.setdefault(padded_size((x.shape[1], x.shape[2]), self.settings.multiple), []).append(i)
        answers: dict[int, Found] = {}
        for rows in together.values():
            sizes = [(tensors[i].shape[1], tensors[i].shape[2]) for i in rows]
            batch = padded([tensors[i] for i in rows], self.settings.multiple).to(device)
            for i, size, found in zip(rows, sizes, self.network(batch, sizes), strict=True):
                height, width = pictures[i].shape[:2]
                answers[i] = in_pixels_of(found, size, (height, width))
        return [answers[i] for i in range(len(pictures))]


def build_detector(settings: DetectronSettings) -> Network:
    """The architecture with fresh weights."""
    return OneStage(settings) if settings.kind == "retinanet" else TwoStages(settings)


def load_detector(folder: Path) -> ReadyDetector:
    """The detector of a folder with ``config.json`` and ``model.safetensors``.

    Raises
    ------
    ZooError [Z016]
        The weights do not fit the configuration; nothing is ever silently initialised anew.
    """
    from safetensors.torch import load_file

    config = read_json(folder / "config.json")
    network = build_detector(DetectronSettings.from_dict(config))
    weights = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    wrong = misfits(network, weights)
    if wrong:
        seen = f"The weights in {folder} do not fit their configuration ({len(wrong)} tensors, such as {wrong[0]})."
        raise ZooError("Z016", seen, "Fetch the model again, all of its files.")
    network.load_state_dict(weights)
    return ReadyDetector(network.eval(), tuple(config["labels"]))


def misfits(network: Network, weights: dict[str, torch.Tensor]) -> list[str]:
    """Names of tensors that are missing, too many, or of another shape."""
    wanted = network.state_dict()
    odd = set(wanted) ^ set(weights)
    return sorted(odd | {name for name in set(wanted) & set(weights) if wanted[name].shape != weights[name].shape})
