"""The network of the toy task: one hidden layer and a linear head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from honed.tasks.contract import Batch, Encoded, Input, Recipe


class ToyNetwork(torch.nn.Module):
    """Numbers (n, inputs) to outputs (n, outputs) through one hidden layer."""

    def __init__(self, n_inputs: int, width: int, n_outputs: int, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.backbone: Any = torch.nn.Sequential(torch.nn.Linear(n_inputs, width), torch.nn.Tanh())
            self.head = torch.nn.Linear(width, n_outputs)
        self.backbone.config = SimpleNamespace(num_hidden_layers=1, hidden_size=width)  # type: ignore[assignment]

    def encode(self, inputs: Sequence[Input]) -> list[Encoded]:
        return [{"numbers": list(row), "length": 1} for row in inputs]

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        return {"numbers": torch.tensor([row["numbers"] for row in encoded], dtype=torch.float32)}

    def features(self, batch: Batch) -> torch.Tensor:
        found: torch.Tensor = self.backbone(batch["numbers"])
        return found

    def forward(self, batch: Batch) -> torch.Tensor:
        found: torch.Tensor = self.head(self.features(batch))
        return found

    def recipe(self) -> Recipe:
        code = 'def encode(rows):\n    return {"numbers": np.array(rows, dtype=np.float32)}'
        return Recipe(lambda folder: None, (), code)

    def save(self, folder: Path) -> None:
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, folder / "model.safetensors")

    @classmethod
    def load(cls, folder: Path) -> ToyNetwork:
        weights = load_file(folder / "model.safetensors")
        width, n_inputs = weights["backbone.0.weight"].shape
        network = cls(n_inputs, width, weights["head.weight"].shape[0])
        network.load_state_dict(weights)
        return network.eval()
