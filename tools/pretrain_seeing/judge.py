"""Judges the networks on kinds that the pre-training does not draw: boxes of any kind, outlines, and a linear head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from feed import SIDE, objects_of
from shared import normalised

from honed.metrics.detection.averages import average_precision
from honed.metrics.detection.data import gather_detections, gather_truths
from honed.metrics.detection.matching import match
from honed.networks.detection.decode import found_objects
from honed.networks.detection.found import Found
from honed.networks.detection.small_detector import SmallDetector
from honed.networks.detection.truth import Objects
from honed.scenes import KEPT_BACK, PARTS, render_single

N, SIZE, N_SINGLE, N_TEACH = 128, (192, 192), 80, 40


@dataclass
class Judge:
    """Scenes (n, 3, h, w) uint8 with their objects; single objects with their kinds, and which teach the linear head."""

    pixels: torch.Tensor
    truth: list[Objects]
    singles: torch.Tensor
    kinds: np.ndarray  # type: ignore[type-arg]

    @classmethod
    def draw(cls) -> Judge:
        """The same pictures each time."""
        drawn = [objects_of(np.random.default_rng((31, i)), SIZE, tuple(KEPT_BACK)) for i in range(N)]
        pixels = torch.from_numpy(np.stack([picture for picture, _ in drawn])).permute(0, 3, 1, 2).contiguous()
        names, rng = [*KEPT_BACK, *PARTS], np.random.default_rng(12)
        kinds = np.arange(len(names) * N_SINGLE) % len(names)
        singles = np.stack([render_single(rng, names[kind], None, SIDE).transpose(2, 0, 1) for kind in kinds])
        return cls(pixels, [objects for _, objects in drawn], torch.from_numpy(singles), kinds)

    def figures(self, network: SmallDetector) -> dict[str, float]:
        """AP at IoU 0.5, AP over 0.5 to 0.95, and the accuracy of the linear head."""
        network.eval()
        device = next(network.parameters()).device
        found: list[Found] = []
        with torch.inference_mode():
            for part in self.pixels.split(32):
                some = found_objects(network(normalised(part.to(device))), [SIZE] * len(part), by_class=False)
                found += [Found(f.boxes.cpu(), f.scores.cpu(), f.labels.cpu()) for f in some]
        truth = gather_truths(
            [o.boxes.numpy() for o in self.truth], [np.zeros(len(o.boxes)) for o in self.truth], ("any",)
        )
        told = gather_detections(
            [f.boxes.numpy() for f in found], [np.zeros(len(f.boxes)) for f in found], [f.scores.numpy() for f in found]
        )
        table = average_precision(match(truth, told, most=300))[:, 0, 0]
        return {"ap50": round(float(table[0]), 4), "ap": round(float(table.mean()), 4)}

    def probe(self, network: SmallDetector) -> float:
        """Accuracy of a linear head on the backbone's frozen features of single objects."""
        from sklearn.linear_model import LogisticRegression

        device = next(network.parameters()).device
        with torch.inference_mode():
            parts = [network.backbone(normalised(part.to(device))).float().cpu() for part in self.singles.split(256)]
        features = torch.cat(parts).numpy()
        scaled = features / np.sqrt((features**2).sum(axis=1).mean())
        teaches = np.arange(len(self.kinds)) < N_TEACH * (self.kinds.max() + 1)
        head = LogisticRegression(C=30.0, max_iter=300).fit(scaled[teaches], self.kinds[teaches])
        return round(float(head.score(scaled[~teaches], self.kinds[~teaches])), 4)
