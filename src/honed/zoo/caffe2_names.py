"""Tensors of the first Detectron (written with Caffe2) under the names of the second, rows of the background moved."""

from __future__ import annotations

import re
from typing import Any

Tensors = dict[str, Any]
_FIRST = (
    (r"^conv1_w$", "stem.conv1.weight"),
    (r"^res_conv1_bn_(s|b)$", r"stem.conv1.norm.\1"),
    (r"^(res\d)_(\d+)_branch1_w$", r"\1.\2.shortcut.weight"),
    (r"^(res\d)_(\d+)_branch1_bn_(s|b)$", r"\1.\2.shortcut.norm.\3"),
    (r"^(res\d)_(\d+)_branch2([abc])_w$", r"\1.\2.conv<\3>.weight"),
    (r"^(res\d)_(\d+)_branch2([abc])_bn_(s|b)$", r"\1.\2.conv<\3>.norm.\4"),
)
_REST = (
    (r"^fpn_inner_res(\d)_\d+_sum(?:_lateral)?_(w|b)$", r"backbone.fpn_lateral\1.\2"),
    (r"^fpn_res(\d)_\d+_sum_(w|b)$", r"backbone.fpn_output\1.\2"),
    (r"^conv_rpn(?:_fpn2)?_(w|b)$", r"proposal_generator.rpn_head.conv.\1"),
    (r"^rpn_cls_logits(?:_fpn2)?_(w|b)$", r"proposal_generator.rpn_head.objectness_logits.\1"),
    (r"^rpn_bbox_pred(?:_fpn2)?_(w|b)$", r"proposal_generator.rpn_head.anchor_deltas.\1"),
    (r"^fc6_(w|b)$", r"roi_heads.box_head.fc1.\1"),
    (r"^fc7_(w|b)$", r"roi_heads.box_head.fc2.\1"),
    (r"^cls_score_(w|b)$", r"roi_heads.box_predictor.cls_score.\1"),
    (r"^bbox_pred_(w|b)$", r"roi_heads.box_predictor.bbox_pred.\1"),
    (r"^_\[mask\]_fcn(\d)_(w|b)$", r"roi_heads.mask_head.mask_fcn\1.\2"),
    (r"^conv5_mask_(w|b)$", r"roi_heads.mask_head.deconv.\1"),
    (r"^mask_fcn_logits_(w|b)$", r"roi_heads.mask_head.predictor.\1"),
)
_ENDINGS = {"w": "weight", "s": "weight", "b": "bias"}


def is_caffe2(tensors: Tensors) -> bool:
    """True for tensors named as the first Detectron did."""
    return "res2_0_branch2a_w" in tensors


def renamed(tensors: Tensors) -> Tensors:
    """The same tensors, named and ordered as Detectron2's; what belongs to training alone is left out."""
    pyramid = any(name.startswith("fpn_") for name in tensors)
    found = {}
    for name, value in tensors.items():
        new = _name(name, pyramid)
        if new is not None:
            found[new] = _ordered(new, value)
    return found


def _name(name: str, pyramid: bool) -> str | None:
    for pattern, replacement in _FIRST:
        if re.match(pattern, name):
            inner = re.sub(pattern, replacement, name)
            inner = re.sub(r"<([abc])>", lambda found: str("abc".index(found[1]) + 1), inner)
            return _place(inner, pyramid) + _spelt(inner)
    for pattern, replacement in _REST:
        if re.match(pattern, name):
            return _spelt(re.sub(pattern, replacement, name))
    return None


def _place(inner: str, pyramid: bool) -> str:
    if pyramid:
        return "backbone.bottom_up."
    return "roi_heads." if inner.startswith("res5") else "backbone."


def _spelt(name: str) -> str:
    start, _, end = name.rpartition(".")
    return f"{start}.{_ENDINGS.get(end, end)}"


def _ordered(name: str, value: Any) -> Any:
    """The background is the first class there, and here the last (classes) or left out (boxes and masks)."""
    import torch

    layer = name.rpartition(".")[0]
    if layer == "roi_heads.box_predictor.cls_score":
        return torch.cat([value[1:], value[:1]])
    if layer == "roi_heads.box_predictor.bbox_pred":
        return value[4:]
    return value[1:] if layer == "roi_heads.mask_head.predictor" else value
