"""From what the small detector says of every place to a list of objects."""

from __future__ import annotations

import torch
from torchvision.ops import nms

from honed.networks.detection.found import Found
from honed.networks.detection.masks import MaskBranch
from honed.networks.detection.small_detector import Seen

MOST, CANDIDATES, MOST_OVERLAP = 300, 1000, 0.6
OFTEN_ENOUGH = 3
"""Among so many times the objects that are wanted there usually are as many that do not hide each other."""


@torch.no_grad()
def found_objects(
    seen: Seen, sizes: list[tuple[int, int]], *, least_score: float = 0.02, most_overlap: float = MOST_OVERLAP,
    by_class: bool = True, most: int = MOST, masks: MaskBranch | None = None,
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
    masks : MaskBranch, optional
        Says the outlines of what is found.
    """
    surest, labels = seen.classes.sigmoid().max(dim=-1)
    scores = seen.objectness.sigmoid()
    if by_class and seen.classes.shape[-1] > 1:
        scores = scores * surest
    answers = []
    for i, size in enumerate(sizes):
        groups = labels[i] if by_class else torch.zeros_like(labels[i])
        places = kept_places(seen.boxes[i], scores[i], groups, size, least_score, most_overlap, most)
        boxes, outlines = _cut(seen.boxes[i][places], size), None
        if masks is not None and seen.shared is not None:
            picture = torch.full_like(places, i)
            outlines = masks(seen.shared, seen.features[i][places], picture, boxes).sigmoid()
        answers.append(Found(boxes, scores[i][places], labels[i][places], outlines))
    return answers


def kept_places(
    boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, size: tuple[int, int],
    least_score: float, most_overlap: float, most: int,
) -> torch.Tensor:  # fmt: skip
    """The places whose boxes are told, the surest first, ``most`` at most."""
    found = scores.topk(min(CANDIDATES, len(scores)))
    cut = _cut(boxes[found.indices], size)
    stay = (found.values >= least_score) & ((cut[:, 2:] - cut[:, :2]) > 1e-3).all(dim=1)
    places, cut = found.indices[stay], cut[stay]
    if not len(places):
        return places
    apart = cut + (groups[places] * (cut.max() + 1))[:, None]  # boxes of other groups never touch
    some = min(OFTEN_ENOUGH * most, len(places))  # pairs are compared: thrice as many boxes take nine times as long
    kept = nms(apart[:some], scores[places[:some]], most_overlap)
    if len(kept) < most and some < len(places):
        kept = nms(apart, scores[places], most_overlap)
    return places[kept[:most]]


def _cut(boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor([size[1], size[0], size[1], size[0]]))
