"""The cheap baseline for pictures: a linear model of tiny thumbnails and histograms of colours. No pickle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from honed.data.pictures import in_threads, open_picture
from honed.files import read_json, write_json
from honed.tasks.contract import Array, Input, Problem

SIDE, BINS = 8, 8
MOST_ROWS = 20_000
CHUNK = 4096


def features_of(row: Input) -> Array:
    """A thumbnail of 8 by 8 pixels and a histogram of each colour, (216,) float32."""
    picture = open_picture(row[0], at_least=(4 * SIDE, 4 * SIDE))
    small = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32) / 255
    counts = [np.bincount(picture[..., c].ravel() >> 5, minlength=BINS) for c in range(3)]
    shares = np.concatenate(counts).astype(np.float32) / max(1, picture.shape[0] * picture.shape[1])
    return np.concatenate([small.ravel() - 0.5, np.sqrt(shares)])


class ColourLinear:
    """Logistic regression (ridge regression for numbers) on colours and coarse shapes."""

    kind = "colours-linear"

    def __init__(self, weight: Array, bias: Array) -> None:
        self.weight, self.bias = np.asarray(weight, dtype=np.float32), np.asarray(bias, dtype=np.float32)

    @classmethod
    def fit(cls, inputs: Sequence[Input], targets: Array, problem: Problem, seed: int) -> ColourLinear:
        """Learn the weights; deterministic for a seed."""
        from honed.tasks.classification.heads import fit_linear_head

        rows = np.arange(len(inputs))
        if len(rows) > MOST_ROWS:
            rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))
        features = np.stack(in_threads(features_of, [inputs[int(row)] for row in rows]))
        head = fit_linear_head(features, targets[rows], problem, seed)
        return cls(head["weight"], head["bias"])

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """Logits (n, labels), or numbers (n, 1)."""
        found = [np.empty((0, len(self.bias)), dtype=np.float32)]
        for start in range(0, len(inputs), CHUNK):
            features = np.stack(in_threads(features_of, inputs[start : start + CHUNK]))
            found.append((features @ self.weight.T + self.bias).astype(np.float32))
            if advance:
                advance(len(features))
        return np.concatenate(found)

    def save(self, folder: Path) -> None:
        """``model.safetensors``, and a word on what it is."""
        from safetensors.numpy import save_file

        save_file({"weight": self.weight, "bias": self.bias}, folder / "model.safetensors")
        write_json(folder / "colours.json", {"thumbnail": SIDE, "bins": BINS})

    @classmethod
    def load(cls, folder: Path, problem: Problem) -> ColourLinear:
        """Read back what :meth:`save` wrote."""
        from safetensors.numpy import load_file

        assert read_json(folder / "colours.json") == {"thumbnail": SIDE, "bins": BINS}
        tensors: dict[str, Any] = load_file(folder / "model.safetensors")
        return cls(tensors["weight"], tensors["bias"])
