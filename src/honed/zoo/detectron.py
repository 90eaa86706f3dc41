"""Checkpoints of the Detectron zoos recognised by their tensors: what was trained, and the same tensors under our names.

What tensors cannot tell (where a stage shrinks, the mean of the colours) follows the zoo's own rules: Caffe's way for plain
residual networks, the other way for ResNeXt. A ``config.yaml`` beside the checkpoint, as training writes it, says it exactly.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from honed.networks.detectron.detector import KIND, build_detector, misfits
from honed.networks.detectron.resnet import EPSILON
from honed.networks.detectron.settings import DetectronSettings
from honed.zoo.caffe2_names import is_caffe2, renamed
from honed.zoo.coco_labels import COCO, PASCAL

Tensors = dict[str, Any]
IMAGENET_STD = (57.375, 57.12, 58.395)
"""Of blue, green and red, as the zoo's ResNeXt reads them."""
_LEFT_OUT = re.compile(r"pixel_(mean|std)$|cell_anchors|num_batches_tracked$")


def as_detector(tensors: Tensors, path: Path) -> tuple[dict[str, Any], Tensors] | None:
    """The configuration and the tensors of a detector of the family; None where these are another network's."""
    caffe = is_caffe2(tensors)
    try:
        found = _named(tensors, caffe)
        settings = _settings(found, caffe)
    except (KeyError, IndexError, ZeroDivisionError, RuntimeError):
        return None
    if settings is None or not _fits(settings, found):
        return None
    settings = DetectronSettings.from_dict({**settings.as_dict(), **_written(path.parent / "config.yaml")})
    return {"model_type": KIND, **settings.as_dict(), "labels": list(_labels(settings.n_classes))}, found


def _named(tensors: Tensors, caffe: bool) -> Tensors:
    """The tensors under Detectron2's names, without those that are no weights."""
    if not caffe:
        return {name: value for name, value in tensors.items() if not _LEFT_OUT.search(name)}
    found = renamed(tensors)
    return {**_identities(found), **found}


def _fits(settings: DetectronSettings, tensors: Tensors) -> bool:
    """True where the architecture has exactly these tensors; it takes no memory, whatever sizes a file tells."""
    import torch

    with torch.device("meta"):
        return not misfits(build_detector(settings), tensors)


def _settings(tensors: Tensors, caffe: bool) -> DetectronSettings | None:
    """What the tensors tell; None where the parts of a detector are missing."""
    trunk = _trunk(tensors)
    if trunk is None:
        return None
    kind, prefix = trunk
    single = "head.cls_score.weight" in tensors
    if not single and "roi_heads.box_predictor.cls_score.weight" not in tensors:
        return None
    middle = tensors[f"{prefix}res2.0.conv2.weight"]
    groups = middle.shape[0] // middle.shape[1]
    return DetectronSettings(
        kind="retinanet" if single else "rcnn", trunk=kind, n_classes=_n_classes(tensors, single),
        masks="roi_heads.mask_head.predictor.weight" in tensors,
        blocks=tuple(_blocks(tensors, prefix, number) for number in (2, 3, 4, 5)), groups=groups,
        group_width=middle.shape[1], stem_width=len(tensors[f"{prefix}stem.conv1.weight"]),
        res2_width=len(tensors[f"{prefix}res2.0.conv3.weight"]), stride_first=groups == 1,
        **_colours(groups, caffe), **_widths(tensors),
    )  # fmt: skip


def _trunk(tensors: Tensors) -> tuple[Any, str] | None:
    """The kind of trunk, and what the names of its tensors begin with."""
    if "backbone.bottom_up.res5.0.conv2.weight" in tensors:
        return "fpn", "backbone.bottom_up."
    if "backbone.res4.0.conv2.weight" not in tensors:
        return None
    return ("c4" if "roi_heads.res5.0.conv2.weight" in tensors else "dc5"), "backbone."


def _n_classes(tensors: Tensors, single: bool) -> int:
    if single:
        return len(tensors["head.cls_score.bias"]) // (len(tensors["head.bbox_pred.bias"]) // 4)
    return len(tensors["roi_heads.box_predictor.cls_score.bias"]) - 1


def _blocks(tensors: Tensors, prefix: str, number: int) -> int:
    pattern = re.compile(rf"(?:{re.escape(prefix)}|roi_heads\.)res{number}\.\d+\.conv1\.weight$")
    return sum(1 for name in tensors if pattern.match(name))


def _colours(groups: int, caffe: bool) -> dict[str, Any]:
    if caffe:
        return {"mean": (102.9801, 115.9465, 122.7717)}
    return {} if groups == 1 else {"std": IMAGENET_STD}


def _widths(tensors: Tensors) -> dict[str, Any]:
    """Channels of pyramid, box head and mask head, of those that are there."""
    layers = {
        "width": ("backbone.fpn_output5.weight", 0), "hidden": ("roi_heads.box_head.fc1.weight", 0),
        "mask_width": ("roi_heads.mask_head.deconv.weight", 1),
    }  # fmt: skip
    return {name: tensors[layer].shape[axis] for name, (layer, axis) in layers.items() if layer in tensors}


def _written(path: Path) -> dict[str, Any]:
    """What a configuration of Detectron2 beside the checkpoint says of pictures and trunk; nothing where there is none."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        model, pictures, heads = found["MODEL"], found["INPUT"], found["MODEL"]["ROI_HEADS"]
        single = model["META_ARCHITECTURE"] == "RetinaNet"
        heads = model["RETINANET"] if single else heads
        return {
            "stride_first": bool(model["RESNETS"]["STRIDE_IN_1X1"]), "bgr": pictures["FORMAT"] == "BGR",
            "mean": tuple(map(float, model["PIXEL_MEAN"])), "std": tuple(map(float, model["PIXEL_STD"])),
            "short": int(pictures["MIN_SIZE_TEST"]), "longest": int(pictures["MAX_SIZE_TEST"]),
            "least_score": float(heads["SCORE_THRESH_TEST"]), "most_overlap": float(heads["NMS_THRESH_TEST"]),
            "most": int(found["TEST"]["DETECTIONS_PER_IMAGE"]),
        }  # fmt: skip
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}


def _identities(tensors: Tensors) -> Tensors:
    """Means and variances that change nothing, for a checkpoint that has folded them into weight and bias."""
    norms = {name.removesuffix("weight"): value for name, value in tensors.items() if name.endswith(".norm.weight")}
    means = {f"{name}running_mean": value * 0 for name, value in norms.items()}
    return {**means, **{f"{name}running_var": value * 0 + (1 - EPSILON) for name, value in norms.items()}}


def _labels(n: int) -> tuple[str, ...]:
    known = {len(COCO): COCO, len(PASCAL): PASCAL}
    return known.get(n) or tuple(f"class {i + 1}" for i in range(n))
