"""The state of a training under way, on disk: enough to go on exactly where it stopped; no pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from honed.files import read_json, whole_folder
from honed.networks.devices import random_state, set_random_state
from honed.training.average import Average

STATE, TENSORS = "state.json", "tensors.safetensors"


def save_checkpoint(
    folder: Path, network: Any, optimizer: Any, state: dict[str, Any], average: Average | None = None
) -> None:
    """Weights that learn, their moving average, optimizer moments, random state and ``state`` (plain JSON), whole or not at all."""
    tensors = {f"w.{name}": value for name, value in learning_state(network).items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors.update({f"o.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()})
    if average:
        tensors.update({f"a.{name}": value for name, value in average.kept.items()})
        tensors["averaged"] = torch.tensor(average.n)
    tensors |= random_state()
    with whole_folder(folder) as temporary:
        save_file(
            {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, temporary / TENSORS
        )
        (temporary / STATE).write_text(json.dumps(state), encoding="utf-8")


def has_checkpoint(folder: Path) -> bool:
    """Whether a training was saved here."""
    return (folder / STATE).exists()


def load_checkpoint(
    folder: Path, network: Any, optimizer: Any, average: Average | None = None
) -> dict[str, Any] | None:
    """Bring network, average, optimizer and random state back; returns ``state``, or None where there is no checkpoint."""
    if not has_checkpoint(folder):
        return None
    tensors = load_file(folder / TENSORS)
    restore(network, {name[2:]: value for name, value in tensors.items() if name.startswith("w.")})
    if average and "averaged" in tensors:
        average.n = int(tensors["averaged"])
        for name, kept in average.kept.items():
            kept.copy_(tensors[f"a.{name}"])
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("o."):
            _, index, key = name.split(".", 2)
            moments.setdefault(int(index), {})[key] = value
    _lay_out(moments, optimizer)
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    set_random_state(tensors)
    state: dict[str, Any] = read_json(folder / STATE)
    return state


def _lay_out(moments: dict[int, dict[str, torch.Tensor]], optimizer: Any) -> None:
    """Moments in memory as their parameters are: other layouts are added up in another order."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, found in moments.items():
        for key, value in found.items():
            if value.shape == parameters[index].shape and value.ndim > 1:
                found[key] = torch.empty_like(parameters[index], dtype=value.dtype).copy_(value)


def learning_state(network: Any) -> dict[str, torch.Tensor]:
    """What training can change: all that a network saves but frozen weights, which are much where adapters train."""
    kept = network.state_dict(keep_vars=True)
    frozen = {name for name, value in kept.items() if isinstance(value, torch.nn.Parameter) and not value.requires_grad}
    return {name: value.detach() for name, value in kept.items() if name not in frozen}


def snapshot(network: Any) -> dict[str, torch.Tensor]:
    """A copy in memory of what training can change."""
    return {name: value.clone() for name, value in learning_state(network).items()}


def restore(network: Any, kept: dict[str, torch.Tensor]) -> None:
    """Put what :func:`snapshot` copied back; frozen weights stay as they are."""
    network.load_state_dict(kept, strict=False)
