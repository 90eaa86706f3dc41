"""Cheap methods that write: always the usual text, or the text of the row that is most alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from honed.files import read_json, write_json
from honed.tasks.contract import Array, Input, Problem
from honed.tasks.text_generation.written import pack, width_of

FEATURES = 2**18
CHUNK = 1024


class UsualText:
    """The text that came most often."""

    kind = "usual-text"

    def __init__(self, text: str, width: int) -> None:
        self.text, self.width = text, width

    @classmethod
    def fit(cls, inputs: Sequence[Input], targets: Array, problem: Problem, seed: int) -> UsualText:
        (text, _), *_ = Counter(map(str, targets)).most_common(1)
        return cls(text, _width(problem))

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """The same row for each input."""
        if advance:
            advance(len(inputs))
        return np.repeat(pack([self.text], self.width), len(inputs), axis=0)

    def save(self, folder: Path) -> None:
        write_json(folder / "usual_text.json", {"text": self.text, "width": self.width})

    @classmethod
    def load(cls, folder: Path, problem: Problem) -> UsualText:
        facts = read_json(folder / "usual_text.json")
        return cls(facts["text"], facts["width"])


class NearestText:
    """The text of the training row that shares most groups of letters.

    Parameters
    ----------
    rows : sequence of tuple of str
        The columns of each row.
    texts : list of str
    width : int
        Numbers in a packed text.
    """

    kind = "nearest-text"

    def __init__(self, rows: Sequence[Input], texts: list[str], width: int) -> None:
        self.rows, self.texts, self.width = list(rows), texts, width
        self._known = _vectors([_one(row) for row in self.rows])

    @classmethod
    def fit(cls, inputs: Sequence[Input], targets: Array, problem: Problem, seed: int) -> NearestText:
        return cls(inputs, [str(text) for text in targets], _width(problem))

    def nearest(self, inputs: Sequence[Input], n: int) -> list[list[int]]:
        """Numbers of the n training rows most alike, the nearest first."""
        found: list[list[int]] = []
        for start in range(0, len(inputs), CHUNK):
            likeness = _vectors([_one(row) for row in inputs[start : start + CHUNK]]) @ self._known.T
            dense = likeness.toarray()
            found += [np.argsort(-row, kind="stable")[:n].tolist() for row in dense]
        return found

    @staticmethod
    def text_of(row: Input) -> str:
        """A row as one text."""
        return _one(row)

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """The text of the nearest row for each input."""
        found = pack([self.texts[near[0]] for near in self.nearest(inputs, 1)], self.width)
        if advance:
            advance(len(inputs))
        return found

    def save(self, folder: Path) -> None:
        write_json(folder / "nearest_text.json", {"rows": self.rows, "texts": self.texts, "width": self.width})

    @classmethod
    def load(cls, folder: Path, problem: Problem) -> NearestText:
        """Read back; rows of older bundles are one text each, those of newer ones lists of columns."""
        facts = read_json(folder / "nearest_text.json")
        rows = [row if isinstance(row, str) else tuple(row) for row in facts["rows"]]
        return cls(rows, facts["texts"], facts["width"])


def _width(problem: Problem) -> int:
    return width_of(int(problem.extra["most_bytes"]))


def _one(row: Input) -> str:
    return row if isinstance(row, str) else "\n".join(str(part) for part in row)


def _vectors(texts: list[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    maker = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 5), n_features=FEATURES, dtype=np.float32)
    return maker.transform(texts)
