"""What networks of two stages choose regions and objects by, as plain arrays: see ``alone/two_stages.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from honed.networks.detection.recipe import Alone

BOX_SIDE = 7
Masks = tuple[Sequence[nn.Conv2d], nn.ConvTranspose2d, nn.Conv2d]
"""The convolutions of a head for outlines, the layer that doubles its maps, and the one that tells cells of every class."""


def two_stages_alone(
    facts: dict[str, Any], anchors: torch.Tensor, boxes: Sequence[nn.Linear], masks: Masks | None
) -> Alone:  # fmt: skip
    """Facts of the family with the weights of the heads.

    Parameters
    ----------
    boxes : four layers
        The two of the box head, then classes and shifts.
    """
    arrays = {"anchors": anchors.cpu().numpy()}
    for name, layer in zip(("box.0", "box.1", "classes", "shifts"), boxes, strict=True):
        weight = layer.weight
        if name == "box.0":  # regions lie channels last there
            weight = weight.unflatten(1, (-1, BOX_SIDE, BOX_SIDE)).permute(0, 2, 3, 1).flatten(1)
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = _array(weight), _array(layer.bias)
    if masks is not None:
        convolutions, doubled, cells = masks
        first = 1 if facts["background_first"] else 0
        named = {f"outline.{i}": (x.weight, x.bias) for i, x in enumerate(convolutions)}
        named["doubled"] = (doubled.weight, doubled.bias)
        named["cells"] = (cells.weight[first:, :, 0, 0], None if cells.bias is None else cells.bias[first:])
        for name, (weight, bias) in named.items():
            arrays[f"{name}.weight"], arrays[f"{name}.bias"] = _array(weight), _array(bias)
    return Alone({"kind": "regions", **facts}, arrays)


def _array(values: torch.Tensor | None) -> Any:
    assert values is not None, "these layers have biases"
    return values.detach().cpu().contiguous().numpy()
