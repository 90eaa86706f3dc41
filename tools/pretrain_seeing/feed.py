"""Pictures for the pre-training, drawn without end by worker processes: scenes of many objects, and single objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from honed.networks.detection.mask_cells import MASK_SIDE, mask_in_box
from honed.networks.detection.truth import Objects, Truth
from honed.scenes import TRAINED, render_scene, render_single
from honed.scenes.textures import KINDS

NAMES = tuple(TRAINED)
FRACTALS, SIDE = 96, 64
N_KINDS, N_TEXTURES = len(NAMES) + FRACTALS, len(KINDS)
SIZES = ((192, 192), (192, 192), (256, 256), (192, 256), (256, 192), (160, 160), (320, 320))
Chunk = dict[str, Any]


def scenes(rng: np.random.Generator, n: int) -> Chunk:
    """``pixels`` (n, 3, h, w) uint8, and of all objects in one row ``boxes``, ``labels``, ``masks`` and ``picture``."""
    size = SIZES[int(rng.integers(len(SIZES)))]
    pictures, boxes, labels, masks, rows = [], [], [], [], []
    for row in range(n):
        picture, objects = render_scene(rng, size)
        pictures.append(picture.transpose(2, 0, 1))
        boxes += [item.box_xyxy for item in objects]
        labels += [NAMES.index(item.label) for item in objects]
        masks += [mask_in_box(item.mask, item.box_xyxy) for item in objects]
        rows += [row] * len(objects)
    return {
        "pixels": torch.from_numpy(np.stack(pictures)), "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.long), "picture": torch.tensor(rows, dtype=torch.long),
        "masks": torch.from_numpy(np.stack(masks) if masks else np.zeros((0, MASK_SIDE, MASK_SIDE), np.uint8)),
    }  # fmt: skip


def singles(rng: np.random.Generator, n: int) -> Chunk:
    """``pixels`` (n, 3, SIDE, SIDE) uint8 with ``labels`` (n, 2): kind or fractal, and texture."""
    labels = np.stack([rng.integers(0, N_KINDS, n), rng.integers(0, N_TEXTURES, n)], axis=1)
    labels[rng.random(n) < 0.4, 0] %= len(NAMES)
    pictures = np.empty((n, 3, SIDE, SIDE), dtype=np.uint8)
    for row, (kind, surface) in enumerate(labels.tolist()):
        what = NAMES[kind] if kind < len(NAMES) else kind - len(NAMES)
        pictures[row] = render_single(rng, what, KINDS[surface], SIDE).transpose(2, 0, 1)
    return {"pixels": torch.from_numpy(pictures), "labels": torch.from_numpy(labels)}


class Drawn(IterableDataset[Chunk]):
    """Chunks of scenes and of single objects in turn, other ones in each worker."""

    def __init__(self, seed: int, n_scenes: int, n_singles: int) -> None:
        self.seed, self.n_scenes, self.n_singles = seed, n_scenes, n_singles

    def __iter__(self) -> Iterator[Chunk]:
        torch.set_num_threads(1)
        info = get_worker_info()
        rng = np.random.default_rng((self.seed, info.id if info else 0))
        while True:
            yield scenes(rng, self.n_scenes)
            yield singles(rng, self.n_singles)


def loader(workers: int, seed: int, n_scenes: int, n_singles: int) -> DataLoader[Chunk]:
    """The chunks as they come."""
    drawn = Drawn(seed, n_scenes, n_singles)
    ahead = {"prefetch_factor": 4, "persistent_workers": True} if workers else {}
    return DataLoader(drawn, batch_size=None, num_workers=workers, pin_memory=torch.cuda.is_available(), **ahead)  # type: ignore[arg-type]


def truth_of(chunk: Chunk, n: int) -> Truth:
    """The objects of a chunk, padded picture by picture, on the device where they lie."""
    rows, device = chunk["picture"], chunk["boxes"].device
    counts = torch.bincount(rows, minlength=n)
    most = max(1, int(counts.max()))
    column = torch.arange(len(rows), device=device) - (counts.cumsum(0) - counts)[rows]
    boxes = torch.zeros(n, most, 4, device=device)
    labels = torch.zeros(n, most, dtype=torch.long, device=device)
    masks = torch.zeros(n, most, MASK_SIDE, MASK_SIDE, dtype=torch.uint8, device=device)
    boxes[rows, column], labels[rows, column], masks[rows, column] = chunk["boxes"], chunk["labels"], chunk["masks"]
    return Truth(boxes, labels, torch.arange(most, device=device)[None] < counts[:, None], masks)


def objects_of(rng: np.random.Generator, size: tuple[int, int], kinds: tuple[str, ...]) -> tuple[np.ndarray, Objects]:  # type: ignore[type-arg]
    """One scene with its objects, labels by place in ``kinds``."""
    picture, found = render_scene(rng, size, kinds)
    boxes = torch.tensor([item.box_xyxy for item in found]).reshape(-1, 4)
    return picture, Objects(boxes, torch.tensor([kinds.index(item.label) for item in found], dtype=torch.long))
