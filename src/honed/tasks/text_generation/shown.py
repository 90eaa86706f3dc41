"""Few-shot: rows with their texts are shown in the prompt, those most alike to the row at hand; nothing is learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from honed.files import read_json, write_json
from honed.networks.engine import outputs_of
from honed.tasks.contract import Array, Input, Problem
from honed.tasks.text_generation.baselines import NearestText

MOST_SHOTS = 8
FACTS = "shown.json"
CHUNK = 256


class ShownPredictor:
    """A network that writes, with rows to show it; the rows travel with the model.

    Parameters
    ----------
    network : Writer
    nearest : NearestText
        The rows and their texts.
    n : int
        How many are shown, fewer where they do not fit into half of the context.
    """

    kind = "few-shot"

    def __init__(self, network: Any, nearest: NearestText, n: int = MOST_SHOTS) -> None:
        self.network, self.nearest, self.n = network, nearest, n

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """Packed texts, one row for each input."""
        import numpy as np

        found = [np.zeros((0, self.network.n_outputs), dtype=np.float32)]
        for start in range(0, len(inputs), CHUNK):
            part = inputs[start : start + CHUNK]
            near = self.nearest.nearest(part, self.n + 1)
            shots = [self._shots(row, places) for row, places in zip(part, near, strict=True)]
            encoded = self.network.encode(part, shots)
            found.append(outputs_of(self.network, encoded, advance=advance))
        return np.concatenate(found)

    def _shots(self, row: Input, places: list[int]) -> list[tuple[Input, str]]:
        """The nearest last, right before the row itself; a row is never shown itself."""
        own, known = self.nearest.text_of(row), self.nearest
        others = [k for k in places if known.text_of(known.rows[k]) != own][: self.n]
        return [(_columns(known.rows[k]), known.texts[k]) for k in reversed(others)]

    def save(self, folder: Path) -> None:
        """The network, and the rows that are shown."""
        self.network.save(folder)
        self.nearest.save(folder)
        write_json(folder / FACTS, {"n": self.n})

    def shots_of(self, row: Input) -> list[tuple[Input, str]]:
        """What is shown before a row."""
        return self._shots(row, self.nearest.nearest([row], self.n + 1)[0])

    @classmethod
    def load(cls, folder: Path, problem: Problem) -> ShownPredictor:
        """Read back what :meth:`save` wrote."""
        from honed.tasks.text_generation.writer import load_writer

        return cls(load_writer(folder), NearestText.load(folder, problem), int(read_json(folder / FACTS)["n"]))


def _columns(row: Input) -> Input:
    """A row by its columns; those of older bundles were put together into one text, and stay so."""
    return (row,) if isinstance(row, str) else row
