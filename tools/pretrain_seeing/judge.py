"""Judges a detector on drawn scenes of kinds that its pre-training does not draw: average precision at IoU 0.5 and 0.75."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from shared import normalised

from honed.networks.detection.assign import overlaps
from honed.networks.detection.decode import Found, found_objects
from honed.networks.detection.small_detector import SmallDetector
from honed.scenes import KEPT_BACK, render_scene

N, SIZE = 128, (192, 192)


def average_precision(found: list[Found], truth: list[torch.Tensor], least: float) -> float:
    """Area under the precision-recall curve (made falling), classes left aside."""
    scores, right = [], []
    for some, boxes in zip(found, truth, strict=True):
        free = torch.ones(len(boxes), dtype=torch.bool)
        fit = overlaps(some.boxes[:, None], boxes[None])
        for row in range(len(some.boxes)):
            open_fit = torch.where(free, fit[row], -1.0) if len(boxes) else fit.new_zeros(0)
            best = int(open_fit.argmax()) if len(boxes) else -1
            hit = best >= 0 and float(open_fit[best]) >= least
            if hit:
                free[best] = False
            scores.append(float(some.scores[row]))
            right.append(hit)
    order = np.argsort(-np.asarray(scores), kind="stable")
    hits = np.cumsum(np.asarray(right, dtype=float)[order])
    precision = hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = hits / max(1, sum(len(boxes) for boxes in truth))
    return float((np.diff(recall, prepend=0.0) * precision).sum())


@dataclass
class Judge:
    """Pictures (n, 3, h, w) uint8 and the boxes of each."""

    pixels: torch.Tensor
    truth: list[torch.Tensor]

    @classmethod
    def draw(cls) -> Judge:
        """The same scenes each time."""
        drawn = [render_scene(np.random.default_rng((31, i)), SIZE, tuple(KEPT_BACK)) for i in range(N)]
        pixels = torch.from_numpy(np.stack([picture for picture, _ in drawn])).permute(0, 3, 1, 2).contiguous()
        return cls(pixels, [torch.tensor([item.box_xyxy for item in objects]).reshape(-1, 4) for _, objects in drawn])

    def figures(self, network: SmallDetector) -> dict[str, float]:
        """AP50 and AP75."""
        network.eval()
        found = []
        with torch.inference_mode():
            for part in self.pixels.split(32):
                found += found_objects(network(normalised(part)), [SIZE] * len(part), by_class=False)
        return {
            f"ap{round(100 * least)}_kept_back": round(average_precision(found, self.truth, least), 4)
            for least in (0.5, 0.75)
        }
