"""Checkpoints of torchvision's detectors recognised by their tensors, for files that say no more than that."""

from __future__ import annotations

from typing import Any

from torchvision import models

from honed.networks.detection.families.torchvision import FAMILY, background_rows, network_of

Tensors = dict[str, Any]
EPS = 1e-5
NO_EPS = (
    "fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn", "retinanet_resnet50_fpn",
)  # fmt: skip
"""Architectures whose weights of COCO add nothing to the variances of their frozen normalisations."""

NO_CLASS = ("N/A", "__background__", "no person")
"""Rows of the library's own weights that are of no class."""


def as_torchvision(tensors: Tensors) -> tuple[dict[str, Any], Tensors] | None:
    """The configuration and the tensors of a detector of torchvision; None where these are another network's."""
    try:
        found = _architecture(tensors)
    except (KeyError, TypeError, ZeroDivisionError):
        return None
    if found is None:
        return None
    name, classes, anchors = found
    tensors = {key: value for key, value in tensors.items() if not key.startswith("roi_heads.keypoint_")}
    n_labels, eps = len(classes) // anchors - background_rows(name), EPS if _frozen(tensors) else None
    if n_labels < 1 or not _fits(name, eps, n_labels, tensors):
        return None
    labels, own = _labels(name, n_labels)
    if eps is not None and own and name in NO_EPS:
        eps = 0.0
    known = [label for label in labels if label not in NO_CLASS]
    config = {"family": FAMILY, "architecture": name, "labels": labels, "known": known, "norm_eps": eps}
    return config, tensors


def _fits(name: str, eps: float | None, n_labels: int, tensors: Tensors) -> bool:
    """True where the architecture has exactly these tensors; it takes no memory, whatever sizes a file tells."""
    import torch

    with torch.device("meta"):
        network = network_of(name, {}, eps, n_labels)
        shapes = {key: torch.empty(tuple(value.shape)) for key, value in tensors.items()}
        try:
            told = network.load_state_dict(shapes, strict=False)
        except RuntimeError:
            return False
    return not told.unexpected_keys and all(key.endswith("num_batches_tracked") for key in told.missing_keys)


def _architecture(tensors: Tensors) -> tuple[str, Any, int] | None:
    """Name, bias of the class layer, and its number of anchors."""
    trunk = "resnet50_fpn" if "backbone.body.layer4.0.conv1.weight" in tensors else "mobilenet_v3_large_fpn"
    if "roi_heads.box_predictor.cls_score.bias" in tensors:
        kinds = {"mask": "maskrcnn", "keypoint": "keypointrcnn"}
        kind = next(
            (kind for part, kind in kinds.items() if _any(tensors, f"roi_heads.{part}_predictor.")), "fasterrcnn"
        )
        second = "_v2" if _any(tensors, "roi_heads.box_head.0.") else ""
        return f"{kind}_{trunk}{second}", tensors["roi_heads.box_predictor.cls_score.bias"], 1
    head = "head.classification_head"
    if f"{head}.cls_logits.bias" in tensors:
        boxes = tensors["head.regression_head.bbox_reg.bias"]
        if "head.regression_head.bbox_ctrness.bias" in tensors:
            return "fcos_resnet50_fpn", tensors[f"{head}.cls_logits.bias"], 1
        second = "_v2" if f"{head}.conv.0.1.weight" in tensors else ""
        return f"retinanet_resnet50_fpn{second}", tensors[f"{head}.cls_logits.bias"], len(boxes) // 4
    for name, last in (("ssd300_vgg16", ""), ("ssdlite320_mobilenet_v3_large", ".1")):
        if f"{head}.module_list.0{last}.bias" in tensors:
            boxes = tensors[f"head.regression_head.module_list.0{last}.bias"]
            return name, tensors[f"{head}.module_list.0{last}.bias"], len(boxes) // 4
    return None


def _any(tensors: Tensors, beginning: str) -> bool:
    return any(name.startswith(beginning) for name in tensors)


def _frozen(tensors: Tensors) -> bool:
    """Normalisations that count no batches were frozen in training."""
    norms = any(name.endswith("running_mean") and name.startswith("backbone.body.") for name in tensors)
    return norms and not any(name.endswith("num_batches_tracked") for name in tensors)


def _labels(name: str, n: int) -> tuple[list[str], bool]:
    """Names of the classes where it has as many as the library's own weights, else numbers; and which of the two."""
    own = list(models.get_model_weights(name)["COCO_V1"].meta["categories"])[background_rows(name) :]
    return (own, True) if len(own) == n else ([f"class {i + 1}" for i in range(n)], False)
