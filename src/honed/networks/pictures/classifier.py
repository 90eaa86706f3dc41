"""A backbone for pictures with a linear head, as the contract of a network asks for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from honed.data.pictures import in_threads, open_picture
from honed.networks.learning import usual_epochs
from honed.networks.pictures.backbones import Backbone, load_backbone, rebuilt
from honed.networks.pictures.preprocessing import PicturePreprocessing
from honed.networks.pictures.variation import Variation, varied
from honed.tasks.contract import Array, Batch, Encoded, Input, Recipe

if TYPE_CHECKING:
    from honed.zoo.base import Base

FACTS = "honed_pictures.json"
PATCH = 28 * 28
"""Pixels that count as one unit of length, so that batches of pictures are as large as those of texts."""
ACTIVATION_BYTES = 4 * 160
"""Bytes kept for the backward pass for each pixel, measured on small convolutional networks; more than enough for others."""

FLOATS_PER_TOKEN_AND_WIDTH = 34
"""The same for each token and unit of width of a transformer's layer; see :mod:`honed.training.memory`."""
CONVOLUTION_RATE = 1e-3
"""Highest learning rate of networks with batch normalisation, for batches of 32."""


class PictureClassifier(nn.Module):
    """Pictures to raw outputs (n, outputs): ``head(features)``."""

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Linear,
        config: dict[str, Any],
        preprocessing: PicturePreprocessing,
        labels: Sequence[str] = (),
        variation: Variation | None = None,
    ) -> None:
        super().__init__()
        self.backbone: Any = backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head = head
        self.config, self.preprocessing, self.labels, self.variation = config, preprocessing, tuple(labels), variation
        self.norms_learn = False
        norms = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in backbone.modules())
        self.natural_rate = CONVOLUTION_RATE if norms else None
        self.own_head: tuple[torch.Tensor, torch.Tensor] | None = None
        self.own_labels: tuple[str, ...] = ()
        self.shift: torch.Tensor
        self.factor: torch.Tensor
        shift, factor = preprocessing.shift_and_factor
        self.register_buffer("shift", torch.tensor(shift).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("factor", torch.tensor(factor).view(1, 3, 1, 1), persistent=False)
        self.backbone.config = SimpleNamespace(num_hidden_layers=1, hidden_size=head.in_features)  # type: ignore[assignment]

    @classmethod
    def from_base(
        cls, base: Base, *, n_outputs: int, labels: Sequence[str], size: int, variation: Variation | None, seed: int
    ) -> PictureClassifier:
        """The backbone of a base with a fresh head; ``size`` 0 takes the size it was trained with."""
        found: Backbone = load_backbone(base.folder)
        preprocessing = found.preprocessing.at(size) if size and found.preprocessing.any_size else found.preprocessing
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = nn.Linear(found.n_features, n_outputs)
        nn.init.normal_(head.weight, std=0.01, generator=torch.Generator().manual_seed(seed))
        nn.init.zeros_(head.bias)
        network = cls(found.module, head, found.config, preprocessing, labels, variation)
        network.own_head, network.own_labels = found.head, found.labels
        return network

    def train(self, mode: bool = True) -> PictureClassifier:
        """As torch has it, but statistics of batches stay as they are unless ``norms_learn``."""
        super().train(mode)
        if mode and not self.norms_learn:
            for module in self.backbone.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def encode(self, inputs: Sequence[Input]) -> list[Encoded]:
        """Pictures decoded, resized and cut: ``pixels`` (size, size, 3) uint8."""
        size = self.preprocessing.size
        short = round(size / self.preprocessing.crop_share)

        def one(row: Input) -> Encoded:
            source = row[0] if isinstance(row, tuple | list) else row
            picture = open_picture(source, at_least=(2 * short, 2 * short))
            return {"pixels": self.preprocessing.fitted(picture), "length": max(1, size * size // PATCH)}

        return in_threads(one, inputs) if len(inputs) > 1 else [one(row) for row in inputs]

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        """``pixels`` (n, 3, size, size) uint8."""
        pixels = np.stack([row["pixels"] for row in encoded])
        if self.preprocessing.bgr:
            pixels = pixels[..., ::-1]
        return {"pixels": torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))}

    def collate_varied(
        self, encoded: Sequence[Encoded], targets: Array, rng: np.random.Generator
    ) -> tuple[Batch, Array]:
        """The same for training, each picture changed a little."""
        batch = self.collate(encoded)
        return batch if self.variation is None else {"pixels": varied(batch["pixels"], self.variation, rng)}, targets

    def features(self, batch: Batch) -> torch.Tensor:
        """What the head reads, (n, d) float32."""
        pixels = (batch["pixels"].float() - self.shift) * self.factor
        found: torch.Tensor = self.backbone(pixels.contiguous(memory_format=torch.channels_last))
        return found.float()

    def forward(self, batch: Batch) -> torch.Tensor:
        """Outputs (n, outputs); the head always computes in float32."""
        features = self.features(batch)
        with torch.autocast(features.device.type, enabled=False):
            found: torch.Tensor = self.head(features)
        return found

    def usual_epochs(self, n: int) -> int:
        """Passes over n pictures: more where each is seen changed every time."""
        return round(usual_epochs(n) * (2.0 if self.variation else 1.0))

    def activation_bytes(self, length: int) -> int:
        """Memory that one picture of this length needs in training, beside the weights."""
        return max(length * PATCH * ACTIVATION_BYTES, 4 * FLOATS_PER_TOKEN_AND_WIDTH * self._token_widths())

    def _token_widths(self) -> int:
        """Layers times tokens times width, where the backbone is a transformer of one width; else 0."""
        config, core = self.config, self.backbone
        if hasattr(core, "blocks") and hasattr(core, "embed_dim"):
            return int(len(core.blocks) * core.embed_dim * (getattr(core.patch_embed, "num_patches", 0) + 1))
        sizes = [config.get(name) for name in ("num_hidden_layers", "hidden_size", "patch_size")]
        layers, width, patch = (one if isinstance(one, int) else 0 for one in sizes)
        return layers * width * ((self.preprocessing.size // patch) ** 2 + 1) if patch else 0

    def save(self, folder: Path) -> None:
        """``model.safetensors``, ``config.json`` of the backbone, and how pictures are prepared."""
        from safetensors.torch import save_file

        kept = {name: value.detach().cpu().contiguous().clone() for name, value in self.state_dict().items()}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(self.config, indent=1) + "\n", encoding="utf-8")
        facts = {"preprocessing": self.preprocessing.as_dict(), "labels": list(self.labels)}
        (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    def recipe(self) -> Recipe:
        """How the network is used without Honed; see :class:`honed.tasks.contract.Recipe`."""
        from honed.networks.pictures.recipe import picture_recipe

        return picture_recipe(self.preprocessing)


def load_classifier(folder: Path) -> PictureClassifier:
    """Read back what :meth:`PictureClassifier.save` wrote. Raises BundleError [B020] where weights are missing."""
    from safetensors.torch import load_file

    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    own = {name.removeprefix("backbone."): value for name, value in weights.items() if name.startswith("backbone.")}
    backbone = rebuilt(folder, own, config)
    n_outputs, width = weights["head.weight"].shape
    head = nn.Linear(width, n_outputs)
    head.load_state_dict({"weight": weights["head.weight"], "bias": weights["head.bias"]})
    return PictureClassifier(
        backbone, head, config, PicturePreprocessing.from_dict(facts["preprocessing"]), facts["labels"]
    ).eval()
