"""A backbone from a folder in hub format, whichever library it comes from: pictures in, features out.

What is kept of it is its configuration, which builds the same architecture anew, and its weights; no code of others runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from honed.errors import BundleError, ZooError
from honed.networks.pictures.preprocessing import IMAGENET_MEAN, IMAGENET_STD, PicturePreprocessing

CIFAR, SMALL, TORCHVISION = "honed-cifar-resnet", "honed-small-backbone", "torchvision"
OWN = (CIFAR, SMALL)
Head = tuple[torch.Tensor, torch.Tensor]


@dataclass
class Backbone:
    """A backbone in hand.

    Parameters
    ----------
    module : torch module
        Normalised pictures (n, 3, size, size) float to features (n, n_features).
    config : dict
        What builds the same architecture again.
    head : (weight, bias) or None
        The classifier it was trained with, and ``labels``, the names of its classes.
    """

    module: nn.Module
    n_features: int
    preprocessing: PicturePreprocessing
    config: dict[str, Any]
    head: tuple[torch.Tensor, torch.Tensor] | None = None
    labels: tuple[str, ...] = ()


def architecture_of(config: dict[str, Any]) -> str:
    """A word for the architecture: ``model_type`` of transformers, or the name timm or torchvision gives it."""
    return str(config.get("architecture") or config.get("model_type") or "")


def can_see(config: dict[str, Any]) -> bool:
    """True for a configuration that builds a backbone for pictures."""
    if config.get("auto_map"):
        return False
    if config.get("model_type") in (*OWN, TORCHVISION):
        return True
    if config.get("model_type"):
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as KNOWN

        return config["model_type"] in KNOWN
    import timm

    return bool(config.get("architecture")) and timm.is_model(config["architecture"])


def build(config: dict[str, Any]) -> tuple[nn.Module, int]:
    """The architecture with random weights, and how many features it gives."""
    kind = config.get("model_type")
    if kind == CIFAR:
        from honed.networks.pictures.cifar_resnet import CifarResNet

        return CifarResNet(int(config["depth"])), CifarResNet.n_features
    if kind == SMALL:
        from honed.networks.pictures.small_backbone import SmallBackbone

        small = SmallBackbone(tuple(config["widths"]), tuple(config["depths"]))
        return small, small.n_features
    if kind == TORCHVISION:
        return _torchvision(str(config["architecture"]))
    if kind:
        return _transformers(config)
    return _timm(config)


def _torchvision(name: str) -> tuple[nn.Module, int]:
    from torchvision import models

    module = models.get_model(name, weights=None)
    paths = [path for path, part in module.named_modules() if isinstance(part, nn.Linear)]
    if not paths:
        return _without_convolutional_head(module)
    last = module.get_submodule(paths[-1])
    owner, _, leaf = paths[-1].rpartition(".")
    setattr(module.get_submodule(owner), leaf, nn.Identity())
    return module, int(last.in_features)


def _without_convolutional_head(module: nn.Module) -> tuple[nn.Module, int]:
    """SqueezeNet: its classifier is a convolution; the features are the mean of the map before it."""
    last = [part for part in module.get_submodule("classifier").modules() if isinstance(part, nn.Conv2d)][-1]
    module.classifier = nn.AdaptiveAvgPool2d(1)
    return module, last.in_channels


def _timm(config: dict[str, Any]) -> tuple[nn.Module, int]:
    import timm

    module = timm.create_model(config["architecture"], pretrained=False, num_classes=0, **config.get("model_args", {}))
    width: Any = getattr(module, "head_hidden_size", None) or module.num_features
    return module, int(width)


class _Pooled(nn.Module):
    """A backbone of transformers with its pooled output: the pooler's, the first token's, or the mean."""

    def __init__(self, core: nn.Module) -> None:
        super().__init__()
        self.core = core

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features (n, d)."""
        found = self.core(pixel_values=pixels)
        pooled = getattr(found, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(1)
        hidden = found.last_hidden_state
        return hidden[:, 0] if hidden.ndim == 3 else hidden.mean(dim=(2, 3))


def _transformers(config: dict[str, Any]) -> tuple[nn.Module, int]:
    from transformers import AutoConfig, AutoModel

    made = AutoConfig.for_model(**config)
    core = AutoModel.from_config(made, **_no_pooler(made.model_type))
    return _Pooled(core), _width(made)


def _no_pooler(kind: str) -> dict[str, Any]:
    """Options that leave out a pooler that is trained for nothing but a pretext task, where the library has one."""
    return {"add_pooling_layer": False} if kind in ("vit", "deit", "beit", "data2vec-vision") else {}


def _width(made: Any) -> int:
    sizes = getattr(made, "hidden_sizes", None)
    return int(sizes[-1] if sizes else made.hidden_size)


def _from_transformers(folder: Path, config: dict[str, Any]) -> tuple[nn.Module, int, Head | None]:
    """A model that its library reads itself, for it renames weights of older versions; all must be there."""
    from transformers import AutoModel

    from honed.networks.quiet import quiet

    with quiet():
        core, told = AutoModel.from_pretrained(
            folder, output_loading_info=True, local_files_only=True, use_safetensors=True, dtype=torch.float32,
            **_no_pooler(config["model_type"]),
        )  # fmt: skip
    wrong = [*told["missing_keys"], *told["mismatched_keys"]]
    if wrong:
        seen = f"The weights in {folder} do not fit their configuration ({len(wrong)} tensors, such as {wrong[0]})."
        raise ZooError("Z016", seen, "Fetch the model again, all of its files.")
    left = {name: value for name, value in _weights(folder).items() if name in told["unexpected_keys"]}
    return _Pooled(core), _width(core.config), _head_in({k: v for k, v in left.items() if "pooler" not in k})


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder, in float32."""
    from safetensors.torch import load_file

    found: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= {
            name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()
        }
    return found


def load_backbone(folder: Path) -> Backbone:
    """The backbone of a checked folder.

    Raises
    ------
    ZooError [Z016]
        Its weights do not fit its configuration; nothing is ever silently initialised anew.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = config.get("model_type")
    if kind and kind not in (*OWN, TORCHVISION):
        module, n_features, head = _from_transformers(folder, config)
    else:
        module, n_features = build(config)
        head = _fill(folder, module, _weights(folder))
    labels = _labels(config)
    fits = head is not None and len(labels) == len(head[0])
    return Backbone(
        module.eval(), n_features, preprocessing_of(folder, config), config, head if fits else None, labels if fits else ()
    )  # fmt: skip


def _fill(folder: Path, module: nn.Module, weights: dict[str, torch.Tensor]) -> Head | None:
    """Put the weights into the module; what is left over may only be a classifier, which is returned."""
    wanted = module.state_dict()
    absent = [name for name in wanted if name not in weights and not _skipped(name)]
    wrong = [name for name in wanted if name in weights and weights[name].shape != wanted[name].shape]
    if absent or wrong:
        missing = (
            f"{len(absent)} tensors are missing, such as {absent[0]}" if absent else f"{wrong[0]} has another shape"
        )
        seen = f"The weights in {folder} do not fit their configuration ({missing})."
        raise ZooError("Z016", seen, "Fetch the model again, all of its files.")
    module.load_state_dict({name: weights.pop(name) for name in wanted if name in weights}, strict=False)
    return _head_in(weights)


def _head_in(weights: dict[str, torch.Tensor]) -> Head | None:
    """The one matrix (or 1 by 1 convolution) with a bias among the weights that are left over."""
    weights = {name: value.flatten(1) if value.shape[2:] == (1, 1) else value for name, value in weights.items()}
    matrices = [name for name, value in weights.items() if value.ndim == 2 and name.endswith("weight")]
    if len(matrices) != 1 or matrices[0].removesuffix("weight") + "bias" not in weights:
        return None
    return weights[matrices[0]], weights[matrices[0].removesuffix("weight") + "bias"]


def _skipped(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _labels(config: dict[str, Any]) -> tuple[str, ...]:
    named = config.get("labels") or config.get("label_names") or (config.get("pretrained_cfg") or {}).get("label_names")
    if named:
        return tuple(str(label) for label in named)
    by_id = config.get("id2label") or {}
    return tuple(str(by_id[key]) for key in sorted(by_id, key=int))


def preprocessing_of(folder: Path, config: dict[str, Any]) -> PicturePreprocessing:
    """Sizes and colours, from wherever the library of the backbone keeps them."""
    if "preprocessing" in config:
        return PicturePreprocessing.from_dict(config["preprocessing"])
    timms = config.get("pretrained_cfg")
    if timms:
        size = int(timms.get("input_size", (3, 224, 224))[-1])
        return PicturePreprocessing(
            size, float(timms.get("crop_pct", 0.875)), tuple(timms.get("mean", IMAGENET_MEAN)),
            tuple(timms.get("std", IMAGENET_STD)), interpolation=str(timms.get("interpolation", "bicubic")),
            any_size=not timms.get("fixed_input_size", False),
        )  # fmt: skip
    path = folder / "preprocessor_config.json"
    facts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    size = facts.get("crop_size") or facts.get("size") or config.get("image_size") or 224
    short = facts.get("size")
    side, resized = _side(size), _side(short) if short else _side(size)
    mean, std = (IMAGENET_MEAN, IMAGENET_STD)
    if facts.get("do_normalize", True) and "image_mean" in facts:
        mean, std = tuple(facts["image_mean"]), tuple(facts["image_std"])
    any_size = config.get("model_type") in (
        "resnet",
        "convnext",
        "convnextv2",
        "regnet",
        "mobilenet_v2",
        "efficientnet",
        TORCHVISION,
    )
    names = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
    return PicturePreprocessing(
        side, min(1.0, side / resized), mean, std, interpolation=names.get(facts.get("resample", 2), "bilinear"), any_size=any_size
    )  # fmt: skip


def _side(size: Any) -> int:
    if isinstance(size, dict):
        return int(size.get("shortest_edge") or size.get("height") or 224)
    return int(size[0] if isinstance(size, list | tuple) else size)


def rebuilt(folder: Path, weights: dict[str, torch.Tensor], config: dict[str, Any]) -> nn.Module:
    """The backbone in a bundle: every weight must be there.

    Raises
    ------
    BundleError [B020]
    """
    module, _ = build(config)
    told = module.load_state_dict(weights, strict=False)
    wrong = [*told.missing_keys, *told.unexpected_keys]
    if wrong:
        seen = f"The weights in {folder} do not match their configuration ({len(wrong)} tensors, such as {wrong[0]})."
        raise BundleError("B020", seen, "Take an undamaged copy of the bundle.")
    return module
