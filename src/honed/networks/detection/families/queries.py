"""From what a network says of each of its queries to a list of objects."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import interpolate
from torchvision.ops import roi_align

from honed.networks.detection.families.base import within
from honed.networks.detection.found import Found
from honed.networks.detection.masks import GRID


def found_boxes(
    logits: torch.Tensor, boxes: torch.Tensor, n_labels: int, size: tuple[int, int], least_score: float, most: int
) -> Found:
    """Objects of one picture from what is said of each query, boxes as middles and sides in shares of the canvas.

    One logit more than there are classes means that classes exclude each other and "no object": then each query tells its
    likeliest class. Else a query may tell several.
    """
    if logits.shape[-1] > n_labels:
        scores, labels = logits.softmax(dim=-1)[:, :n_labels].max(dim=-1)
        query = torch.arange(len(scores), device=scores.device)
    else:
        scores = logits.sigmoid().flatten()
        query = torch.arange(len(scores), device=scores.device) // n_labels
        labels = torch.arange(len(scores), device=scores.device) % n_labels
    top = scores.topk(min(most, len(scores)))
    at = top.indices[top.values >= least_score]
    middle, side = boxes[query[at]].split(2, dim=1)
    corners = torch.cat([middle - side / 2, middle + side / 2], dim=1)
    return within(Found(corners * corners.new_tensor([size[1], size[0]] * 2), scores[at], labels[at]), size)


def gap_of_queries(found: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> float:
    """How far logits and boxes (n, queries, ...) lie apart, in whichever order the queries come.

    Networks that choose their queries among the places of a picture order them by their scores: of two that are equally
    good the last digit decides which comes first, and the objects are the same. Every query is compared with its nearest.
    """
    first, second = (torch.cat(tuple(parts), dim=2) for parts in (found, wanted))
    apart = torch.cdist(first, second, p=float("inf"))
    return float(torch.maximum(apart.amin(1).amax(), apart.amin(2).amax())) / max(1.0, float(second.abs().max()))


def found_masks(
    logits: torch.Tensor, masks: torch.Tensor, size: tuple[int, int], least_score: float, most: int
) -> Found:
    """Objects of one picture from what is said of each query: class, times how sure the mask is of its own pixels."""
    likely, labels = logits.softmax(dim=-1)[:, :-1].max(dim=-1)
    cells = masks.sigmoid()
    own = (cells > 0.5).float()
    scores = likely * (cells * own).sum(dim=(1, 2)) / own.sum(dim=(1, 2)).clamp(min=1)
    top = scores.topk(min(most, len(scores)))
    at = top.indices[(top.values >= least_score) & (own[top.indices].sum(dim=(1, 2)) > 0)]
    boxes = torch.stack([_extent(mask, size) for mask in masks[at]]) if len(at) else masks.new_zeros(0, 4)
    rows = torch.cat([torch.arange(len(at), device=boxes.device)[:, None].to(boxes), boxes], dim=1)
    cut = roi_align(cells[at][:, None], rows, GRID, masks.shape[-1] / size[1], sampling_ratio=2, aligned=True)[:, 0]
    return within(Found(boxes, scores[at], labels[at], cut), size)


def _extent(mask: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The smallest box (4,) around what a map of logits says belongs to the object, in pixels of the canvas."""
    whole = interpolate(mask[None, None], size=size, mode="bilinear", align_corners=False)[0, 0] > 0
    if not whole.any():
        return mask.new_zeros(4)
    y, x = (whole.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    return torch.stack([x[0], y[0], x[-1] + 1, y[-1] + 1]).to(mask)
