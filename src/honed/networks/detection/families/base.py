"""What the finders of all families share: names of classes, and weights that are saved and read back whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from honed.errors import ZooError
from honed.files import write_json
from honed.networks.detection.found import Found
from honed.networks.detection.recipe import Alone
from honed.networks.detection.truth import Truth
from honed.networks.detectron.mask_head import paste_masks
from honed.networks.gap import plain_gap
from honed.networks.pictures.preprocessing import IMAGENET_MEAN, IMAGENET_STD

Weights = dict[str, torch.Tensor]


class FamilyFinder(nn.Module):
    """A network of some library with the names of its classes.

    Parameters
    ----------
    network : Module
        As its library builds it.
    labels : sequence of str
        Names of its classes, row by row.
    known : sequence of str, optional
        Classes it was pre-trained to find; by default those it has.
    """

    family: str
    multiple: int = 32
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    has_masks: bool = False

    def __init__(self, network: nn.Module, labels: Sequence[str], known: Sequence[str] | None = None) -> None:
        super().__init__()
        self.network: Any = network
        self.labels = tuple(labels)
        self.known = self.labels if known is None else tuple(known)

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """A canvas from 0 to 1 as the network reads it."""
        return (pixels - as_colour(self.mean, pixels)) / as_colour(self.std, pixels)

    def parts(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """All that the network says of a canvas before anything is chosen among it, tensors (n, ...) of fixed shapes."""
        raise NotImplementedError

    def from_parts(
        self, parts: Sequence[torch.Tensor], size: tuple[int, int], *, least_score: float, most: int
    ) -> list[Found]:
        """Objects of each picture of this height and width, chosen among what :meth:`parts` says in single precision."""
        raise NotImplementedError

    @torch.no_grad()
    def find(self, pixels: torch.Tensor, *, least_score: float, most: int) -> list[Found]:
        """Objects of each picture, the surest first."""
        size = (pixels.shape[-2], pixels.shape[-1])
        parts = [part.float() for part in self.parts(pixels)]
        return self.from_parts(parts, size, least_score=least_score, most=most)

    def dense(self, pixels: torch.Tensor) -> torch.Tensor:
        """:meth:`parts` in one row of numbers for each picture, (n, l): what another engine can compute."""
        return torch.cat([part.float().flatten(1) for part in self.parts(pixels)], dim=1)

    @torch.no_grad()
    def from_dense(self, rows: torch.Tensor, size: tuple[int, int], *, least_score: float, most: int) -> list[Found]:
        """Objects from such rows, for pictures of this height and width."""
        return self.from_parts(self.parted(rows, size), size, least_score=least_score, most=most)

    def parted(self, rows: torch.Tensor, size: tuple[int, int]) -> list[torch.Tensor]:
        """Such rows as :meth:`parts` again."""
        shapes = self.shapes(size)
        parts = rows.split([shape.numel() for shape in shapes], dim=1)
        return [part.reshape(len(rows), *shape) for part, shape in zip(parts, shapes, strict=True)]

    def gap(self, found: torch.Tensor, wanted: torch.Tensor, size: tuple[int, int]) -> float:
        """How far two such rows lie apart for pictures of this height and width, as a share of the largest number."""
        return plain_gap(found, wanted)

    def alone(self, size: tuple[int, int]) -> Alone | None:
        """How objects are chosen without Honed on a canvas of this size; None where only a library can."""
        return None

    def shapes(self, size: tuple[int, int]) -> list[torch.Size]:
        """Shapes of the parts, without the first dimension; found by looking once at an empty canvas of this size."""
        known: dict[tuple[int, ...], list[torch.Size]] = self.__dict__.setdefault("_shapes", {})
        key = (*size, len(self.labels))
        if key not in known:
            empty = torch.zeros(1, 3, *size, device=next(self.network.parameters()).device)
            with torch.no_grad():
                known[key] = [part.shape[1:] for part in self.parts(empty)]
        return known[key]

    def named(self) -> dict[str, Any]:
        """What every configuration begins with."""
        return {"family": self.family, "labels": list(self.labels), "known": list(self.known)}

    def config(self) -> dict[str, Any]:
        """Plain JSON types that build the same architecture again."""
        return self.named()

    def without_masks(self) -> None:
        """Leave out what only outlines need; nothing, where there are none."""

    def save(self, folder: Path) -> None:
        """``config.json`` and ``model.safetensors``."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", self.config())
        weights = {name: value.detach().cpu().contiguous() for name, value in unshared(self.network).items()}
        save_file(weights, folder / "model.safetensors")


def as_colour(values: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    """Three numbers as (3, 1, 1), to be broadcast over a canvas."""
    return like.new_tensor(values)[:, None, None]


def unshared(network: nn.Module) -> Weights:
    """All that is to be saved of a network, a tensor that has several names under its first alone."""
    saved = set(network.state_dict())
    every = [*network.named_parameters(), *network.named_buffers()]
    return {name: value for name, value in every if name in saved}


def fill(network: nn.Module, weights: Weights, source: Path) -> None:
    """Put weights into a network, all of them and no others.

    Raises
    ------
    ZooError [Z016]
        They do not fit; nothing is ever silently initialised anew.
    """
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    wrong = {name for name, value in weights.items() if name in shapes and value.shape != shapes[name]}
    fitting = {name: value for name, value in weights.items() if name not in wrong}
    told = network.load_state_dict(fitting, strict=False)
    absent = {name for name in told.missing_keys if name in unshared(network)}
    wrong |= absent | set(told.unexpected_keys)
    if wrong:
        some = sorted(wrong)[0]
        seen = f"The weights in {source} do not fit their configuration ({len(wrong)} tensors, such as {some})."
        raise ZooError("Z016", seen, "Fetch the model again, all of its files.")


def read_weights(folder: Path) -> Weights:
    """All tensors of a folder, in single precision.

    Raises
    ------
    ZooError [Z011, Z015]
        There are none, or one of several files is missing.
    """
    from honed.zoo.local import weights_of

    whole = folder / "model.safetensors"  # a bundle keeps other tensors beside it
    paths = [whole] if whole.is_file() else weights_of(folder)
    if not paths:
        raise ZooError("Z011", f"There are no weights (*.safetensors) in {folder}.", "Pass the folder that holds them.")
    found = {name: value for path in paths for name, value in load_file(path).items()}
    return {name: value.float() if value.is_floating_point() else value for name, value in found.items()}


def kept_rows(old: Sequence[str], labels: Sequence[str]) -> list[tuple[int, int]]:
    """Row of each label that was there before, and which row it was."""
    return [(row, list(old).index(label)) for row, label in enumerate(labels) if label in old]


def with_rows(
    old: torch.Tensor, fresh: torch.Tensor, before: Sequence[str], after: Sequence[str], *, blocks: int = 1,
    first: int = 0, each: int = 1,
) -> torch.Tensor:  # fmt: skip
    """A layer's weight or bias for other classes: rows of classes that stay by name, and rows of no class, are kept.

    Parameters
    ----------
    old, fresh : Tensor (rows, ...)
        For the labels ``before`` and ``after``.
    blocks : int
        The rows of all classes come this many times one after another (anchors).
    first : int
        Rows of a block that lie before those of the first class (background); what lies behind the last is kept too.
    each : int
        Rows of each class.
    """
    was, now = (x.clone().unflatten(0, (blocks, -1, each)) for x in (old, fresh))
    now[:, :first], now[:, first + len(after) :] = was[:, :first], was[:, first + len(before) :]
    for row, source in kept_rows(before, after):
        now[:, first + row] = was[:, first + source]
    return now.flatten(0, 2)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers of a seed within the block; those outside go on as if it had not been."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def within(found: Found, size: Sequence[int]) -> Found:
    """The same objects cut at the borders of a canvas (height, width), without those of which nothing is left."""
    boxes = found.boxes.clamp(min=0)
    boxes = torch.minimum(boxes, boxes.new_tensor([size[1], size[0]] * 2))
    stay = ((boxes[:, 2:] - boxes[:, :2]) > 1e-3).all(dim=1)
    masks = None if found.masks is None else found.masks[stay]
    return Found(boxes[stay], found.scores[stay], found.labels[stay], masks)


class Objects(NamedTuple):
    """Objects of one picture of a batch, as libraries want them.

    Parameters
    ----------
    boxes : Tensor (k, 4)
        In pixels of the canvas.
    labels : Tensor (k,), int
    masks : Tensor (k, height, width), bool, or None
    """

    boxes: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor | None


def objects_of(truth: Truth, size: Sequence[int], device: torch.device, masks: bool) -> list[Objects]:
    """Each picture's objects on a canvas (height, width), those without area left out.

    Where masks are wanted and none are known, boxes stand for them; the caller leaves out what is learnt of those.
    """
    truth, found = truth.to(device), []
    for i, real in enumerate(truth.real & ((truth.boxes[..., 2:] - truth.boxes[..., :2]) > 0).all(dim=-1)):
        boxes, whole = truth.boxes[i, real], None
        if masks:
            parts = boxes.new_ones(len(boxes), 1, 1) if truth.masks is None else truth.masks[i, real].float() / 255
            whole = paste_masks(parts, boxes, (int(size[0]), int(size[1])))
        found.append(Objects(boxes, truth.labels[i, real], whole))
    return found


def without_crowds(pixels: torch.Tensor, truth: Truth, mean: Sequence[float]) -> tuple[torch.Tensor, Truth]:
    """A canvas whose crowds are covered with the mean colour, objects on them excepted, and the truth without them.

    What cannot be seen teaches nothing, whatever a library does with places that belong to no object.
    """
    if truth.crowd is None or not bool(truth.crowd.any()):
        return pixels, truth._replace(crowd=None)
    real = truth.real & ~truth.crowd
    hidden = _covered(pixels, truth.boxes, truth.crowd & truth.real) & ~_covered(pixels, truth.boxes, real)
    covered = torch.where(hidden[:, None], as_colour(mean, pixels), pixels)
    return covered, truth._replace(real=real, crowd=None)


def _covered(pixels: torch.Tensor, boxes: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """Pixels (n, h, w) that lie in one of the chosen boxes."""
    y, x = (torch.arange(length, device=pixels.device) + 0.5 for length in pixels.shape[-2:])
    across = (x >= boxes[..., :1]) & (x < boxes[..., 2:3]) & which[..., None]
    down = (y >= boxes[..., 1:2]) & (y < boxes[..., 3:])
    return (across[:, :, None, :] & down[:, :, :, None]).any(dim=1)
