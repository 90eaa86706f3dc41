"""torchvision's detectors cut in two: what convolutions say of a canvas, and what is chosen among it.

The library's own modules do both; here they are only called apart, so that an engine can compute the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers

from honed.networks.detection.families.heads_alone import two_stages_alone
from honed.networks.detection.recipe import Alone

Levels = dict[str, tuple[int, int, int]]
"""Channels, height and width of each map of the backbone, by its name."""
SAID = ("cls_logits", "bbox_regression", "bbox_ctrness")
"""What the library calls what heads of one stage say; the last only FCOS has."""
KINDS = {"RetinaNet": "retinanet", "FCOS": "fcos", "SSD": "ssd"}
"""Networks of one stage, by the names of their classes."""


def parts_of(network: Any, pixels: torch.Tensor) -> list[torch.Tensor]:
    """What is said of a normalised canvas (n, 3, H, W).

    Of networks of one stage all that the head says, in the order of :data:`SAID`; of those of two the maps, then
    objectness and then deltas of every anchor, level by level.
    """
    maps = maps_of(network, pixels)
    if not hasattr(network, "rpn"):
        told = network.head(list(maps.values()))
        return [told[name] for name in SAID if name in told]
    objectness, deltas = network.rpn.head(list(maps.values()))
    return [*maps.values(), *objectness, *deltas]


def maps_of(network: Any, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
    """The backbone's maps by name; SSD, whose anchors know but one size, sees the canvas brought to it."""
    fixed = network.transform.fixed_size
    if fixed is not None:
        pixels = interpolate(pixels, size=(fixed[1], fixed[0]), mode="bilinear", align_corners=False)
    found = network.backbone(pixels)
    return {"0": found} if isinstance(found, torch.Tensor) else dict(found)


def levels_of(network: Any, pixels: torch.Tensor) -> Levels:
    """Sizes of the maps of such a canvas."""
    return {name: tuple(x.shape[1:]) for name, x in maps_of(network, pixels).items()}  # type: ignore[misc]


def chosen(
    network: Any, parts: Sequence[torch.Tensor], levels: Levels, size: tuple[int, int]
) -> list[dict[str, torch.Tensor]]:
    """Objects of each picture of this height and width as the library tells them, boxes in pixels of the canvas."""
    n, fixed = len(parts[0]), network.transform.fixed_size
    seen = size if fixed is None else (fixed[1], fixed[0])
    if hasattr(network, "rpn"):
        return _of_two_stages(network, parts, levels, [seen] * n)
    pictures, maps = _stand_ins(parts[0], levels, seen)
    anchors = network.anchor_generator(pictures, maps)
    told = dict(zip(SAID, parts, strict=False))
    if fixed is not None:
        answers = network.postprocess_detections(told, anchors, [seen] * n)
        for one in answers:
            one["boxes"] = one["boxes"] * one["boxes"].new_tensor([size[1] / seen[1], size[0] / seen[0]] * 2)
        return list(answers)
    counts = _anchors_a_level(parts[0].shape[1], levels)
    split = {name: list(x.split(counts, dim=1)) for name, x in told.items()}
    return list(network.postprocess_detections(split, [list(x.split(counts)) for x in anchors], [seen] * n))


def alone_of(network: Any, levels: Levels, size: tuple[int, int]) -> Alone | None:
    """How objects are chosen without the library; None for networks of two stages whose heads are more than plain layers."""
    if hasattr(network, "rpn"):
        return _two_stages_alone(network, levels, size)
    kind = KINDS[type(network).__name__]
    fixed = network.transform.fixed_size
    seen = size if fixed is None else (fixed[1], fixed[0])
    anchors = network.anchor_generator(*_stand_ins(torch.zeros(1), levels, seen))[0]
    facts = {
        "kind": kind, "candidates": network.topk_candidates, "most_overlap": network.nms_thresh, "seen": list(seen),
        "levels": _anchors_a_level(len(anchors), levels), "weights": getattr(network.box_coder, "weights", None),
    }  # fmt: skip
    return Alone(facts, {"anchors": anchors.numpy()})


def _two_stages_alone(network: Any, levels: Levels, size: tuple[int, int]) -> Alone | None:
    heads, rpn = network.roi_heads, network.rpn
    masks = heads.mask_head if heads.has_mask() else None
    parts = [part for part in (heads.box_head, masks) if part is not None]
    if not hasattr(heads.box_head, "fc6") or any(hasattr(x, "running_var") for part in parts for x in part.modules()):
        return None
    anchors = rpn.anchor_generator(*_stand_ins(torch.zeros(1), levels, size))[0]
    pool, n = heads.box_roi_pool, len(heads.box_predictor.cls_score.bias) - 1
    facts = {
        "labels": n, "background_first": True, "most_overlap": heads.nms_thresh, "seen": list(size),
        "weights": heads.box_coder.weights, "least_side": 1e-2, "levels": _anchors_a_level(len(anchors), levels),
        "strides": [_stride(levels[name], size) for name in levels if name in pool.featmap_names],
        "samples": pool.sampling_ratio, "aligned": False, "candidates": rpn.pre_nms_top_n(), "regions": rpn.post_nms_top_n(),
        "region_overlap": rpn.nms_thresh, "least_region_side": rpn.min_size, "least_region_score": rpn.score_thresh,
    }  # fmt: skip
    boxes = (heads.box_head.fc6, heads.box_head.fc7, heads.box_predictor.cls_score, heads.box_predictor.bbox_pred)
    if masks is None:
        return two_stages_alone(facts, anchors, boxes, None)
    told = heads.mask_predictor
    convolutions = [part for part in masks.modules() if isinstance(part, nn.Conv2d)]
    return two_stages_alone(facts, anchors, boxes, (convolutions, told.conv5_mask, told.mask_fcn_logits))


def _stride(level: tuple[int, int, int], size: tuple[int, int]) -> int:
    """Pixels between places of a map, as the library guesses it."""
    return 2 ** round(math.log2(size[0] / level[1]))


def _of_two_stages(
    network: Any, parts: Sequence[torch.Tensor], levels: Levels, sizes: list[tuple[int, int]]
) -> list[dict[str, torch.Tensor]]:
    n = len(levels)
    maps, objectness, deltas = dict(zip(levels, parts[:n], strict=True)), list(parts[n : 2 * n]), list(parts[2 * n :])
    pictures, _ = _stand_ins(parts[0], levels, sizes[0])
    anchors = network.rpn.anchor_generator(pictures, list(maps.values()))
    counts = [x[0].numel() for x in objectness]
    scores, shifts = concat_box_prediction_layers(objectness, deltas)
    boxes = network.rpn.box_coder.decode(shifts, anchors).view(len(sizes), -1, 4)
    regions, _ = network.rpn.filter_proposals(boxes, scores, sizes, counts)
    answers, _ = network.roi_heads(maps, regions, sizes, None)
    return list(answers)


def _stand_ins(like: torch.Tensor, levels: Levels, size: tuple[int, int]) -> tuple[ImageList, list[torch.Tensor]]:
    """Pictures and maps of the right sizes with nothing in them: anchors ask no more."""
    pictures = ImageList(like.new_zeros(len(like), 0, *size), [size] * len(like))
    return pictures, [like.new_zeros(len(like), 0, height, width) for _, height, width in levels.values()]


def _anchors_a_level(n: int, levels: Levels) -> list[int]:
    places = [height * width for _, height, width in levels.values()]
    return [count * n // sum(places) for count in places]
