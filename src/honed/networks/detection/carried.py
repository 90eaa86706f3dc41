"""The small detector in hub format: read from a folder, and made ready for a user's own classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from honed.errors import ZooError
from honed.networks.detection.decode import found_objects
from honed.networks.detection.found import Found
from honed.networks.detection.small_detector import SmallDetector, padded
from honed.networks.pictures.small_backbone import SmallBackbone

KIND = "honed-small-detector"


@dataclass
class ReadyDetector:
    """A detector in hand.

    Parameters
    ----------
    network : SmallDetector
        In evaluation mode, single precision.
    labels : tuple of str
        Names of its classes.
    config : dict
        What builds the same architecture again.
    """

    network: SmallDetector
    labels: tuple[str, ...]
    config: dict[str, Any]

    def tensor(self, picture: np.ndarray[Any, Any]) -> torch.Tensor:
        """A picture (h, w, 3) uint8 as the network reads it, (3, h, w) float."""
        how = self.config["preprocessing"]
        pixels = torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1) / 255
        return (pixels - torch.tensor(how["mean"])[:, None, None]) / torch.tensor(how["std"])[:, None, None]

    @torch.inference_mode()
    def find(self, pictures: Sequence[np.ndarray[Any, Any]], **options: Any) -> list[Found]:
        """Objects of pictures (h, w, 3) uint8 of any sizes; options as of ``decode.found_objects``."""
        self.network.eval()
        seen = self.network(padded([self.tensor(picture) for picture in pictures]))
        return found_objects(seen, [picture.shape[:2] for picture in pictures], masks=self.network.masks, **options)

    def for_labels(self, labels: Sequence[str]) -> ReadyDetector:
        """The same for other classes: rows of classes it knows are kept by name, the others start at zero."""
        old = self.network.classes
        self.network.with_classes(len(labels))
        with torch.no_grad():
            for row, label in enumerate(labels):
                if label in self.labels:
                    self.network.classes.weight[row] = old.weight[self.labels.index(label)]
                    self.network.classes.bias[row] = old.bias[self.labels.index(label)]  # type: ignore[index]
        return ReadyDetector(self.network, tuple(labels), {**self.config, "labels": list(labels)})


def build_small_detector(config: dict[str, Any]) -> SmallDetector:
    """The architecture of a configuration with random weights."""
    backbone = SmallBackbone(tuple(config["backbone"]["widths"]), tuple(config["backbone"]["depths"]))
    masks = bool(config.get("masks", False))
    return SmallDetector(len(config["labels"]), backbone, int(config["width"]), int(config["depth"]), masks)


def load_small_detector(folder: Path) -> ReadyDetector:
    """The detector of a folder with ``config.json`` and ``model.safetensors``.

    Raises
    ------
    ZooError [Z016]
        The weights do not fit the configuration; nothing is ever silently initialised anew.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    network = build_small_detector(config)
    found = load_file(folder / "model.safetensors")
    weights = {name: value.float() if value.is_floating_point() else value for name, value in found.items()}
    wrong = sorted(_wrong(network.state_dict(), weights))
    if wrong:
        seen = f"The weights in {folder} do not fit their configuration ({len(wrong)} tensors, such as {wrong[0]})."
        raise ZooError("Z016", seen, "Fetch the model again, all of its files.")
    network.load_state_dict(weights)
    return ReadyDetector(network.eval(), tuple(config["labels"]), config)


def _wrong(wanted: dict[str, torch.Tensor], given: dict[str, torch.Tensor]) -> set[str]:
    odd = set(wanted) ^ set(given)
    return odd | {name for name in set(wanted) & set(given) if wanted[name].shape != given[name].shape}
