"""Detectors of transformers as finders: the DETR family for boxes, Mask2Former for outlines.

Losses are the library's own. Which rows belong to classes is read off the architecture itself, built once more with one
class more; whatever grows by one has rows for classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForObjectDetection, AutoModelForUniversalSegmentation
from transformers.backbone_utils import BackboneMixin
from transformers.models.auto.modeling_auto import MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES

from honed.errors import ZooError
from honed.files import read_json, write_json
from honed.networks.detection.families.base import (
    FamilyFinder,
    Objects,
    as_colour,
    objects_of,
    seeded,
    with_rows,
    without_crowds,
)
from honed.networks.detection.families.queries import found_boxes, found_masks, gap_of_queries
from honed.networks.detection.found import Found
from honed.networks.detection.packing import MOST
from honed.networks.detection.recipe import Alone
from honed.networks.detection.truth import Truth
from honed.networks.gap import plain_gap
from honed.networks.pictures.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from honed.networks.quiet import quiet

FAMILY = "transformers"
OUTLINES = ("mask2former",)
UNNORMALISED = ("rt_detr", "rt_detr_v2", "d_fine", "deimv2")
"""Architectures whose pictures are read as they are, from 0 to 1."""

UNNAMED = ("N/A", "no-object", "__background__")
"""Rows that are of no class."""


def can_find(config: dict[str, Any]) -> bool:
    """True for a configuration of transformers that builds a finder; those that read pages of text are left out."""
    kind = config.get("model_type")
    boxes = kind in MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES and not str(kind).startswith("pp_")
    return not config.get("auto_map") and (kind in OUTLINES or boxes)


class TransformersFinder(FamilyFinder):
    """A detector of transformers.

    Parameters
    ----------
    network : PreTrainedModel
        Its configuration names the classes. All of it can learn, also what the library would hold still.
    known : sequence of str, optional
        See :class:`FamilyFinder`.
    colours : dict, optional
        ``mean`` and ``std`` that pictures are normalised with; by default those of the architecture.
    """

    family = FAMILY

    def __init__(self, network: Any, known: Sequence[str] | None = None, colours: dict[str, Any] | None = None) -> None:
        names = _names(network.config)
        known = [name for name in names if name not in UNNAMED] if known is None else known
        super().__init__(network.requires_grad_(True), names, known)
        kind = network.config.model_type
        self.has_masks, self.multiple = kind in OUTLINES, _multiple(network.config)
        self.colours = colours or _usual_colours(kind)
        if any(self.colours["mean"]):
            self.mean = tuple(self.colours["mean"])

    @property
    def head(self) -> nn.Module:
        """All layers with rows for classes."""
        owners = {name.rpartition(".")[0] for name in self.class_tensors}
        return nn.ModuleList(part for name, part in self.network.named_modules() if name in owners)

    @property
    def backbone(self) -> nn.Module:
        """What makes maps of pictures; of an architecture without such a part, all but its head."""
        parts = list(self.network.modules())
        found: list[Any] = [part for part in parts if isinstance(part, BackboneMixin)]
        inner = [part.model for part in parts if type(part).__name__.endswith("ConvEncoder") and hasattr(part, "model")]
        return [*found, *inner, self.network.base_model][0]

    @cached_property
    def class_tensors(self) -> tuple[str, ...]:
        """Names of tensors with rows for classes."""
        with torch.device("meta"):
            other = _build(_with_labels(self.network.config, [*self.labels, ""])).state_dict()
        return tuple(name for name, value in self.network.state_dict().items() if value.shape != other[name].shape)

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """With the colours of the architecture."""
        return (pixels - as_colour(self.colours["mean"], pixels)) / as_colour(self.colours["std"], pixels)

    def config(self) -> dict[str, Any]:
        """The library's own configuration, with what it does not know."""
        return {**_plain(self.network.config.to_dict()), **self.named(), "colours": self.colours}

    def save(self, folder: Path) -> None:
        """As the library saves it, so that the library reads it too."""
        folder.mkdir(parents=True, exist_ok=True)
        with quiet():
            self.network.save_pretrained(folder)
        write_json(folder / "config.json", self.config())

    def for_labels(self, labels: Sequence[str], seed: int) -> TransformersFinder:
        """In place; fresh rows are as the library begins them, rows of no class ("no object") stay."""
        with seeded(seed), quiet():
            fresh = _build(_with_labels(self.network.config, labels))
        old, new = self.network.state_dict(), fresh.state_dict()
        for name, value in old.items():
            kept = with_rows(value, new[name].to(value), self.labels, labels) if name in self.class_tensors else value
            new[name] = kept
        fresh.load_state_dict(new)
        device = next(self.network.parameters()).device
        self.network, self.labels = fresh.to(device).requires_grad_(True).train(self.training), tuple(labels)
        return self

    def losses(self, pixels: torch.Tensor, truth: Truth) -> dict[str, torch.Tensor]:
        """The library's sum, for it alone knows how to weigh the parts."""
        pixels, truth = without_crowds(pixels, truth.to(pixels.device), self.mean)
        size = (pixels.shape[-2], pixels.shape[-1])
        if self.has_masks and truth.masks is None:
            seen = "This network learns outlines, and the data have none."
            raise ZooError("Z014", seen, "Choose a detector of boxes.")
        objects = objects_of(truth, size, pixels.device, self.has_masks)
        given = _as_masks(objects) if self.has_masks else _as_boxes(objects, size)
        return {"total": self.network(pixel_values=self.normalised(pixels), **given).loss}

    def parts(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Logits and boxes (or masks) of every query."""
        told = self.network(pixel_values=self.normalised(pixels))
        if self.has_masks:
            return [told.class_queries_logits, told.masks_queries_logits]
        return [told.logits, told.pred_boxes]

    @torch.no_grad()
    def from_parts(
        self, parts: Sequence[torch.Tensor], size: tuple[int, int], *, least_score: float, most: int
    ) -> list[Found]:
        """The surest queries."""
        pairs = zip(*parts, strict=True)
        if self.has_masks:
            return [found_masks(logits, masks, size, least_score, most) for logits, masks in pairs]
        return [found_boxes(logits, boxes, len(self.labels), size, least_score, most) for logits, boxes in pairs]

    def gap(self, found: torch.Tensor, wanted: torch.Tensor, size: tuple[int, int]) -> float:
        """In whichever order queries come; where they tell outlines, they come in the order they were learnt."""
        if self.has_masks:
            return plain_gap(found, wanted)
        return gap_of_queries(self.parted(found, size), self.parted(wanted, size))

    def alone(self, size: tuple[int, int]) -> Alone | None:
        """As :func:`honed.networks.detection.families.queries.found_boxes` chooses; nothing for outlines."""
        if self.has_masks:
            return None
        facts = {"kind": "queries", "labels": len(self.labels), "candidates": MOST, "most_overlap": None}
        return Alone({**facts, "seen": list(size)}, {})

    def seen(self, pixels: torch.Tensor) -> torch.Tensor:
        """The mean of the backbone's last map, or of all that a network of tokens makes of the picture."""
        found = self.backbone(self.normalised(pixels))
        maps = found if isinstance(found, list | tuple) else getattr(found, "feature_maps", None)
        return found.last_hidden_state.mean(dim=1) if maps is None else maps[-1].mean(dim=(2, 3))


def _as_boxes(objects: Sequence[Objects], size: tuple[int, int]) -> dict[str, Any]:
    """Middles and sides as shares of the canvas."""
    found = []
    for boxes, labels, _ in objects:
        shares = boxes / boxes.new_tensor([size[1], size[0]] * 2)
        centred = torch.cat([(shares[:, :2] + shares[:, 2:]) / 2, shares[:, 2:] - shares[:, :2]], dim=1)
        found.append({"class_labels": labels, "boxes": centred})
    return {"labels": found}


def _as_masks(objects: Sequence[Objects]) -> dict[str, Any]:
    """Whole masks and their classes."""
    masks = [some.masks.float() for some in objects if some.masks is not None]
    return {"mask_labels": masks, "class_labels": [some.labels for some in objects]}


def _names(config: Any) -> tuple[str, ...]:
    return tuple(str(config.id2label.get(row, f"class {row + 1}")) for row in range(config.num_labels))


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    """Without what tells of one machine: where files lay, and how exactly numbers were kept there."""
    return {
        key: _plain(value) if isinstance(value, dict) else value
        for key, value in config.items() if key not in ("_name_or_path", "dtype")
    }  # fmt: skip


def _multiple(config: Any) -> int:
    """Sides of the canvas: of transformers that look through windows, a whole number of those."""
    trunk: Any = getattr(config, "backbone_config", None)
    windows = getattr(trunk, "num_windows_side", None) or getattr(trunk, "num_windows", None)
    return int(trunk.patch_size * windows) if windows else 32


def _usual_colours(kind: str) -> dict[str, Any]:
    if kind in UNNORMALISED:
        return {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    return {"mean": list(IMAGENET_MEAN), "std": list(IMAGENET_STD)}


def _with_labels(config: Any, labels: Sequence[str]) -> Any:
    """A copy of a configuration for other classes."""
    given = {key: value for key, value in config.to_dict().items() if key not in ("id2label", "label2id", "num_labels")}
    return _prepared({**given, "id2label": dict(enumerate(labels)), "label2id": {n: i for i, n in enumerate(labels)}})


def _prepared(config: dict[str, Any]) -> Any:
    """The library's configuration: any size of canvas, nothing fetched."""
    given = {key: value for key, value in config.items() if key not in ("family", "labels", "known", "colours")}
    made = AutoConfig.for_model(**given)
    for name in ("anchor_image_size", "eval_size"):
        if hasattr(made, name):
            setattr(made, name, None)
    return made


def _build(config: Any) -> Any:
    kind = AutoModelForUniversalSegmentation if config.model_type in OUTLINES else AutoModelForObjectDetection
    return kind.from_config(config)


def build_transformers(config: dict[str, Any]) -> TransformersFinder:
    """The architecture of a configuration with random weights."""
    with quiet():
        return TransformersFinder(_build(_prepared(config)), config.get("known"), config.get("colours"))


def load_transformers(folder: Path) -> TransformersFinder:
    """A folder that the library reads itself, for it renames weights of older versions; all must be there.

    Raises
    ------
    ZooError [Z016]
        Tensors are missing or of another shape.
    """
    config = read_json(folder / "config.json")
    kind = AutoModelForUniversalSegmentation if config["model_type"] in OUTLINES else AutoModelForObjectDetection
    with quiet():
        network, told = kind.from_pretrained(
            folder, config=_prepared(config), output_loading_info=True, local_files_only=True, use_safetensors=True,
            dtype=torch.float32, ignore_mismatched_sizes=True,
        )  # fmt: skip
    wrong = [*told["missing_keys"], *told["mismatched_keys"]]
    if wrong:
        seen = f"The weights in {folder} do not fit their configuration ({len(wrong)} tensors, such as {wrong[0]})."
        raise ZooError("Z016", seen, "Fetch the model again, all of its files.")
    return TransformersFinder(network, config.get("known"), config.get("colours") or _colours_beside(folder))


def _colours_beside(folder: Path) -> dict[str, Any] | None:
    """What ``preprocessor_config.json`` says of colours."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return None
    facts = read_json(path)
    if not facts.get("do_normalize", True):
        return {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    return {"mean": facts.get("image_mean", list(IMAGENET_MEAN)), "std": facts.get("image_std", list(IMAGENET_STD))}
