"""The baseline of tasks that find objects: always the same objects, those that fit most training pictures best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from honed.data.pictures import picture_facts
from honed.networks.detection.packing import GRID, MOST, pack
from honed.tasks.contract import Array, Input, Problem


class UsualObjects:
    """Where objects of each label lie most often, as shares of the picture, whatever is on it."""

    kind = "usual-objects"

    def __init__(self, boxes: Array, scores: Array, labels: Array, masks: bool) -> None:
        self.boxes, self.scores, self.labels, self.masks = boxes, scores, labels, masks

    @classmethod
    def fit(cls, inputs: Sequence[Input], targets: Array, problem: Problem, seed: int) -> UsualObjects:
        """Clusters of the boxes of each label; the score is the share of pictures that have one there."""
        from sklearn.cluster import KMeans

        boxes, scores, labels = [], [], []
        for k in range(len(problem.labels)):
            parts = [target.boxes[target.labels == k] / _frame(target.size) for target in targets]
            every = np.concatenate(parts) if parts else np.zeros((0, 4))
            n = min(20, len(np.unique(every, axis=0)))
            if not n:
                continue
            found = KMeans(n, n_init=2, random_state=seed).fit(every)
            boxes.append(found.cluster_centers_)
            scores.append(np.bincount(found.labels_, minlength=n) / len(targets))
            labels.append(np.full(n, k))
        where, sure, which = (np.concatenate(part) for part in (boxes, scores, labels))
        return cls(where, sure, which, bool(problem.extra.get("masks")))

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """The same objects on every picture, scaled to it."""
        order = np.argsort(-self.scores, kind="stable")[:MOST]
        whole = np.ones((len(order), GRID, GRID), dtype=bool)
        rows = []
        for row in inputs:
            facts = picture_facts(row[0])
            size = (facts.height, facts.width)
            scores = np.clip(self.scores[order], 0.001, 0.999)
            rows.append(pack(size, self.boxes[order] * _frame(size), scores, self.labels[order], whole, self.masks))
            if advance:
                advance(1)
        return np.stack(rows)

    def save(self, folder: Path) -> None:
        """One file of arrays."""
        from safetensors.numpy import save_file

        arrays = {
            "boxes": self.boxes,
            "scores": self.scores,
            "labels": self.labels,
            "masks": np.array([int(self.masks)]),
        }
        save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, folder / "usual.safetensors")

    @classmethod
    def load(cls, folder: Path, problem: Problem) -> UsualObjects:
        """Read back."""
        from safetensors.numpy import load_file

        found = load_file(folder / "usual.safetensors")
        return cls(found["boxes"], found["scores"], found["labels"], bool(found["masks"][0]))


def _frame(size: tuple[int, int]) -> Array:
    return np.array([size[1], size[0], size[1], size[0]], dtype=np.float64)
