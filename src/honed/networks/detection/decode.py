"""From what the small detector says of every place to a list of objects."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torchvision.ops import batched_nms

from honed.networks.detection.small_detector import Seen

MOST, CANDIDATES = 300, 1000


class Found(NamedTuple):
    """Objects of one picture, the surest first: boxes (k, 4) in pixels, scores (k,) 0 to 1, labels (k,) int."""

    boxes: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor


@torch.no_grad()
def found_objects(
    seen: Seen, sizes: list[tuple[int, int]], *, least_score: float = 0.02, most_overlap: float = 0.6,
    by_class: bool = True, most: int = MOST,
) -> list[Found]:  # fmt: skip
    """Objects of every picture.

    Parameters
    ----------
    seen : Seen
    sizes : list of (height, width)
        Of the pictures before padding; boxes are cut there.
    least_score : float
        Below this score nothing is told.
    most_overlap : float
        Of two boxes of one class that overlap more (intersection over union), the surer stays.
    by_class : bool
        False: boxes hide each other whatever their class, and the score is the objectness alone.
    most : int
        Objects a picture.
    """
    surest, labels = seen.classes.sigmoid().max(dim=-1)
    scores = seen.objectness.sigmoid()
    if by_class and seen.classes.shape[-1] > 1:
        scores = scores * surest
    return [
        _of_picture(seen.boxes[i], scores[i], labels[i], size, least_score, most_overlap, by_class, most)
        for i, size in enumerate(sizes)
    ]


def _of_picture(
    boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor, size: tuple[int, int], least_score: float,
    most_overlap: float, by_class: bool, most: int,
) -> Found:  # fmt: skip
    scores, places = scores.topk(min(CANDIDATES, len(scores)))
    boxes = boxes[places]
    limits = boxes.new_tensor([size[1], size[0], size[1], size[0]])
    boxes = torch.minimum(boxes.clamp(min=0), limits)
    wide_enough = ((boxes[:, 2:] - boxes[:, :2]) > 1e-3).all(dim=1)
    stay = (scores >= least_score) & wide_enough
    boxes, scores, labels = boxes[stay], scores[stay], labels[places][stay]
    groups = labels if by_class else torch.zeros_like(labels)
    kept = batched_nms(boxes, scores, groups, most_overlap)[:most]
    return Found(boxes[kept], scores[kept], labels[kept])
