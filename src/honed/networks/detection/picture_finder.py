"""A finder with its canvas, as the contract of a network asks for it: pictures in, packed objects out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from honed.data.pictures import in_threads, open_image
from honed.networks.detection.canvas import Canvas
from honed.networks.detection.finder import Finder
from honed.networks.detection.found import Found
from honed.networks.detection.packing import MOST, pack, width_of
from honed.networks.detection.recipe import LEAST_SCORE, finder_recipe
from honed.networks.detection.truth import Objects, Truth
from honed.networks.detection.variation import ObjectVariation, resized, varied
from honed.tasks.contract import Array, Batch, Encoded, Input, Recipe

FACTS = "honed_objects.json"
PATCH = 28 * 28
"""Pixels that count as one unit of length, so that batches of pictures are as large as those of texts."""
ACTIVATION_BYTES = 4 * 250
"""Bytes kept for the backward pass for each pixel of the canvas, measured on the small detector."""
PASSES, LEAST_EPOCHS, MOST_EPOCHS = 7_000, 8, 60


class PictureFinder(nn.Module):
    """Pictures to packed objects (n, width); see :mod:`honed.networks.detection.packing`.

    Parameters
    ----------
    finder : Finder
    canvas : Canvas
    with_masks : bool
        Outlines are told.
    variation : ObjectVariation, optional
        How pictures are changed in training.
    ways : mapping of variations, optional
        Other ways that may help, by name, the one in use among them.
    """

    usual_batch = 8
    tokens_in_fp32 = 256
    """Units of length that torch computes at once in full precision: one picture of 384 x 512. Its maps then stay in the
    caches; in batches of eight a processor finds a quarter fewer pictures a second."""
    natural_rate, natural_head_rate = 1e-3, 3e-3
    usual_average = 0.1

    def __init__(
        self, finder: Finder, canvas: Canvas, with_masks: bool, variation: ObjectVariation | None = None,
        ways: Mapping[str, ObjectVariation] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.finder: Any = finder
        self.canvas, self.with_masks, self.variation = canvas, with_masks, variation
        self.ways = dict(ways or {})
        self.norms_learn = False
        if not hasattr(finder.backbone, "config"):
            finder.backbone.config = SimpleNamespace(num_hidden_layers=1, hidden_size=1)  # type: ignore[assignment]

    @property
    def n_outputs(self) -> int:
        """Numbers for each picture."""
        return width_of(self.with_masks)

    @property
    def head(self) -> Any:
        """The layer with the rows of the classes."""
        return self.finder.head

    @property
    def backbone(self) -> Any:
        """The part that only sees."""
        return self.finder.backbone

    def train(self, mode: bool = True) -> PictureFinder:
        """As torch has it, but statistics of batches stay as they are unless ``norms_learn``."""
        super().train(mode)
        if mode and not self.norms_learn:
            for module in self.finder.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def encode(self, inputs: Sequence[Input]) -> list[Encoded]:
        """Pictures decoded and scaled to fit: ``pixels`` (h, w, 3) uint8 and ``size`` as they came."""
        least = (2 * self.canvas.height, 2 * self.canvas.width)

        def one(row: Input) -> Encoded:
            source = row[0] if isinstance(row, tuple | list) else row
            picture, size = _opened(source, least)
            fitted = self.canvas.fitted(picture)
            return {"pixels": fitted, "size": size, "length": max(1, self.canvas.height * self.canvas.width // PATCH)}

        return in_threads(one, inputs) if len(inputs) > 1 else [one(row) for row in inputs]

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        """``pixels`` (n, 3, H, W) uint8 and ``size`` (n, 2), height and width of the pictures as they came."""
        pixels = np.stack([self.canvas.laid(row["pixels"], self.finder.mean) for row in encoded])
        return {"pixels": torch.from_numpy(pixels), "size": torch.tensor([row["size"] for row in encoded])}

    def collate_varied(
        self, encoded: Sequence[Encoded], targets: Array, rng: np.random.Generator
    ) -> tuple[Batch, Array]:
        """The same for training: the objects travel in the batch, changed together with their pictures."""
        objects = [self.on_canvas(target, row["size"]) for target, row in zip(targets, encoded, strict=True)]
        batch = self.collate(encoded)
        pixels = batch["pixels"].float() / 255
        if self.variation is not None:
            extents = [row["pixels"].shape[:2] for row in encoded]
            pixels, objects = varied(pixels, objects, extents, self.variation, self.finder.mean, rng)
            if len(self.variation.sizes) > 1:
                pixels, objects = resized(pixels, objects, self._size(float(rng.choice(self.variation.sizes))))
        truth = Truth.of(objects)
        batch = {
            "pixels": pixels,
            "size": batch["size"],
            "boxes": truth.boxes,
            "labels": truth.labels,
            "real": truth.real,
        }
        if truth.crowd is not None:
            batch["crowd"] = truth.crowd
        return (batch if truth.masks is None else {**batch, "masks": truth.masks}), targets

    def take_way(self, name: str) -> None:
        """Change pictures in another of the ways there are."""
        self.variation = self.ways[name]

    def _size(self, factor: float) -> tuple[int, int]:
        canvas = Canvas(round(self.canvas.height * factor), round(self.canvas.width * factor))
        canvas = canvas.in_multiples(self.finder.multiple)
        return canvas.height, canvas.width

    def on_canvas(self, target: Any, size: tuple[int, int]) -> Objects:
        """A target (``Shapes``) as objects on the canvas."""
        scale = self.canvas.scale_of(size)
        boxes = torch.as_tensor(target.boxes, dtype=torch.float32).reshape(-1, 4) * scale
        masks = torch.from_numpy(target.cells()) if self.with_masks else None
        crowd = torch.as_tensor(target.crowd, dtype=torch.bool)
        return Objects(boxes, torch.as_tensor(target.labels, dtype=torch.long), masks, crowd)

    def features(self, batch: Batch) -> torch.Tensor:
        """What the backbone makes of each picture, (n, d) float32."""
        found: torch.Tensor = self.finder.seen(_shares(batch["pixels"]))
        return found.float()

    def forward(self, batch: Batch) -> Any:
        """Packed objects; in training, with objects in the batch, the parts of the loss."""
        pixels = _shares(batch["pixels"])
        if self.training:
            truth = Truth(batch["boxes"], batch["labels"], batch["real"], batch.get("masks"), batch.get("crowd"))
            return self.finder.losses(pixels, truth)
        return self._all_packed(self.finder.find(pixels, least_score=LEAST_SCORE, most=MOST), batch)

    @property
    def for_engines(self) -> nn.Module:
        """The part that other engines compute: everything up to the choice among overlapping boxes."""
        return _Dense(self.finder, (self.canvas.height, self.canvas.width))

    def recipe(self) -> Recipe:
        """How the network is used without Honed; see :class:`honed.tasks.contract.Recipe`."""
        return finder_recipe(self)

    def settle(self, rows: Any, batch: Batch) -> Any:
        """Packed objects from what :attr:`for_engines` gives; an array for an array."""
        size = (self.canvas.height, self.canvas.width)
        told = torch.as_tensor(rows)
        found = self._all_packed(self.finder.from_dense(told, size, least_score=LEAST_SCORE, most=MOST), batch)
        return found if isinstance(rows, torch.Tensor) else found.numpy()

    def _all_packed(self, found: list[Found], batch: Batch) -> torch.Tensor:
        rows = [self._packed(some, tuple(size)) for some, size in zip(found, batch["size"].tolist(), strict=True)]
        return torch.from_numpy(np.stack(rows) if rows else np.zeros((0, width_of(self.with_masks)), np.float32))

    def _packed(self, found: Found, size: tuple[int, int]) -> Array:
        scale = self.canvas.scale_of(size)
        limits = np.array([size[1], size[0], size[1], size[0]], dtype=np.float32)
        boxes = np.clip(found.boxes.float().cpu().numpy() / scale, 0, limits)
        stay = ((boxes[:, 2:] - boxes[:, :2]) > 0.5).all(axis=1)
        masks = None if found.masks is None else found.masks.float().cpu().numpy()[stay] >= 0.5
        scores, labels = found.scores.float().cpu().numpy()[stay], found.labels.cpu().numpy()[stay]
        return pack(size, boxes[stay], scores, labels, masks, self.with_masks)

    def usual_epochs(self, n: int) -> int:
        """Passes over n pictures: about 7,000 pictures are seen."""
        return int(np.clip(round(PASSES / max(1, n)), LEAST_EPOCHS, MOST_EPOCHS))

    def activation_bytes(self, length: int) -> int:
        """Memory that one picture of this length needs in training, beside the weights."""
        largest = 1.0 if self.variation is None else max(self.variation.sizes)
        return round(length * PATCH * ACTIVATION_BYTES * largest**2)

    def save(self, folder: Path) -> None:
        """``config.json`` and ``model.safetensors`` of the finder, and how pictures are read."""
        self.finder.save(folder)
        facts = {"canvas": [self.canvas.height, self.canvas.width], "masks": self.with_masks}
        (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


class _Dense(nn.Module):
    """A finder as an engine computes it."""

    inputs = ("pixels",)

    def __init__(self, finder: Any, size: tuple[int, int]) -> None:
        super().__init__()
        self.finder, self.size = finder, size

    def forward(self, batch: Batch) -> torch.Tensor:
        """One row of numbers for each picture."""
        found: torch.Tensor = self.finder.dense(_shares(batch["pixels"]))
        return found

    def gap(self, found: torch.Tensor, wanted: torch.Tensor) -> float:
        """How far two such rows lie apart; see :func:`honed.networks.gap.gap_between`."""
        return float(self.finder.gap(found, wanted, self.size))


def _shares(pixels: torch.Tensor) -> torch.Tensor:
    """Pixels as shares of 1, whichever way they come."""
    found = pixels if pixels.is_floating_point() else pixels.float() / 255
    return found.contiguous(memory_format=torch.channels_last)


def _opened(source: Any, least: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    """A picture, perhaps decoded at a half or a quarter where that is enough, and its true height and width."""
    from honed.data.pictures import picture_facts

    facts = picture_facts(source)
    return open_image(source, at_least=least), (facts.height, facts.width)


def load_picture_finder(folder: Path) -> PictureFinder:
    """Read back what :meth:`PictureFinder.save` wrote."""
    from honed.networks.detection.families.loading import load_finder

    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    finder: Any = load_finder(folder)
    return PictureFinder(finder, Canvas(*facts["canvas"]), bool(facts["masks"])).eval()
