"""The rows of a detector's last layers that belong to classes, carried over to other classes by name."""

from __future__ import annotations

from collections.abc import Sequence

import torch

PER_CLASS = {
    "roi_heads.box_predictor.cls_score": 1, "roi_heads.box_predictor.bbox_pred": 4, "roi_heads.mask_head.predictor": 1,
}  # fmt: skip
"""Layers whose rows go class by class, and how many rows each class has."""
DENSE = "head.cls_score"
"""The layer whose rows go anchor by anchor, and class by class within an anchor."""
Weights = dict[str, torch.Tensor]


def rows_for_labels(old: Weights, fresh: Weights, known: Sequence[str], labels: Sequence[str]) -> Weights:
    """Weights for ``labels``: those of the old classes ``known`` where a name is the same, else of ``fresh``."""
    pairs = [(row, list(known).index(label)) for row, label in enumerate(labels) if label in known]
    return {name: _carried(name, old[name], value, len(known), len(labels), pairs) for name, value in fresh.items()}


def _carried(
    name: str, old: torch.Tensor, fresh: torch.Tensor, n_known: int, n_labels: int, pairs: list[tuple[int, int]]
) -> torch.Tensor:
    layer = name.rpartition(".")[0]
    if layer == DENSE:
        return _by_anchor(old, fresh, n_known, n_labels, pairs)
    if layer not in PER_CLASS:
        return old.clone()
    each, found = PER_CLASS[layer], fresh.clone()
    for new, before in pairs:
        found[new * each : (new + 1) * each] = old[before * each : (before + 1) * each]
    if layer.endswith("cls_score"):
        found[-1] = old[-1]
    return found


def _by_anchor(
    old: torch.Tensor, fresh: torch.Tensor, n_known: int, n_labels: int, pairs: list[tuple[int, int]]
) -> torch.Tensor:
    found = fresh.clone().view(-1, n_labels, *fresh.shape[1:])
    before = old.view(-1, n_known, *old.shape[1:])
    for new, row in pairs:
        found[:, new] = before[:, row]
    return found.view(fresh.shape)
