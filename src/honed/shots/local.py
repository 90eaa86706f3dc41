"""A decoder on this machine, asked with examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from honed.errors import BundleError, GenerationError
from honed.generation.likelihood import Scores
from honed.generation.opening import decoder_for, likelihood_of, open_engine, settled_weights
from honed.generation.settings import Settings
from honed.generation.text_engine import TextEngine
from honed.networks.decoders.layout import APART, Layout
from honed.networks.decoders.loading import Loaded
from honed.networks.decoders.unread import Unread
from honed.shots.base import Asked, Shot, Wish, Written
from honed.shots.examples import Row
from honed.tasks.answers import Array

SLOTS = 8
LEAST_ROOM = 8
"""Letters to which a column is shortened at most, where a row does not fit."""


class LocalBase:
    """See :class:`~honed.shots.base.Base`.

    Parameters
    ----------
    loaded : Loaded or Unread
    engine, weights : str
        See :func:`~honed.generation.opening.open_engine`.
    """

    scores = True

    def __init__(
        self, loaded: Loaded | Unread, *, engine: str = "auto", weights: str = "float32", name: str = ""
    ) -> None:
        self.loaded, self.name = loaded, name or loaded.folder.name
        self.vocabulary, self.context = loaded.vocabulary, loaded.context
        self.chat = loaded.vocabulary.chat is not None
        self.at_once = 4 * SLOTS
        self._how: dict[str, Any] = {"engine": engine, "weights": settled_weights(loaded, engine, weights)}
        self._likelihood: Scores | None = None
        self._writes: TextEngine | None = None
        self._lengths: dict[Any, int] = {}
        self._answers: tuple[Any, list[list[int]]] = (None, [])

    # --- prompts --------------------------------------------------------------------------------------------------
    def asked(self, layout: Layout, row: Row, shots: Sequence[Shot], room: int) -> Asked:
        """Tokens; where the row alone is too long its longest column loses its end."""
        most = self.context - min(room, self.context // 2)
        kept, left = [], most - len(layout.prompt(self.vocabulary, row))
        for shot in shots:
            left -= self._length(layout, shot)
            if left < 0:
                break
            kept.append(shot)
        while kept:
            found = self._asked(layout, row, kept)
            if len(found.prompt) <= most:
                return found
            kept.pop()
        found, shortened = self._asked(layout, row, []), False
        while len(found.prompt) > most and max(map(len, row)) > LEAST_ROOM:
            longest = max(range(len(row)), key=lambda k: len(row[k]))
            share = 0.9 * most / len(found.prompt)
            cut = row[longest][: max(LEAST_ROOM, int(len(row[longest]) * share))]
            row, shortened = (*row[:longest], cut, *row[longest + 1 :]), True
            found = self._asked(layout, row, [])
        if len(found.prompt) > most:
            seen = f"The question alone takes {len(found.prompt)} tokens of the {most} that {self.name} has room for."
            raise GenerationError("G024", seen, "Take a model that reads more, or a shorter instruction.")
        return Asked(row, (), found.prompt, shortened)

    def again(self, layout: Layout, asked: Asked, row: Row) -> Asked:
        """The same examples with another row."""
        return self._asked(layout, row, list(asked.shots[::-1]))

    def _asked(self, layout: Layout, row: Row, best_first: list[Shot]) -> Asked:
        shots = tuple(best_first[::-1])
        return Asked(row, shots, layout.prompt(self.vocabulary, row, shots))

    def _length(self, layout: Layout, shot: Shot) -> int:
        """Tokens that an example takes, found once."""
        if shot not in self._lengths:
            text = layout.asked(shot[0]) + shot[1] if layout.chat else layout.shot(*shot) + APART
            self._lengths[shot] = self.length(text)
        return self._lengths[shot]

    def length(self, text: str) -> int:
        """Tokens of a text."""
        return len(self.vocabulary.encode(text, special=False))

    def shown(self, asked: Asked) -> str:
        """The prompt as the model reads it, special tokens included."""
        return self.vocabulary.decode(asked.prompt, special=True)

    # --- answers --------------------------------------------------------------------------------------------------
    def chances(self, layout: Layout, asked: Sequence[Asked], answers: Sequence[str]) -> Array:
        """Log-probabilities of the answers and their tokens, (n, answers, 2); each prompt is read once."""
        key = layout, tuple(answers)
        if self._answers[0] != key:
            self._answers = key, self._ended(layout, [self._continuation(layout, answer) for answer in answers])
        tokens = self._answers[1]
        found = np.empty((len(asked), len(answers), 2))
        found[:, :, 1] = [len(one) for one in tokens]
        for number, one in enumerate(asked):
            found[number, :, 0] = self._reading().after(one.prompt, tokens)
        return found

    def write(self, asked: Sequence[Asked], wish: Wish) -> list[Written]:
        """Answers, many rows at a time."""
        settings = Settings(max_tokens=wish.max_tokens, stop=wish.stop, json_schema=wish.schema)
        found = self._writing().generate([one.prompt for one in asked], settings)
        return [Written(one.text, one.finish == "stop") for one in found]

    def _continuation(self, layout: Layout, answer: str) -> list[int]:
        """Tokens of an answer as they stand after a prompt."""
        if layout.chat:
            return self.vocabulary.encode(answer, special=False)
        before = f"{layout.answer}:" + layout.gap * layout.block
        whole = self.vocabulary.encode(before + layout.gap * (not layout.block) + answer, special=False)
        head = self.vocabulary.encode(before, special=False)
        if whole[: len(head)] == head and len(whole) > len(head):
            return whole[len(head) :]
        return self.vocabulary.encode(layout.gap + answer, special=False)

    def _ended(self, layout: Layout, answers: list[list[int]]) -> list[list[int]]:
        """With what ends an answer after each, where one is the beginning of another."""
        alike = any(a != b and b[: len(a)] == a for a in answers for b in answers)
        if not alike:
            return answers
        end = list(self.vocabulary.ends[:1]) if layout.chat else self.vocabulary.encode(APART, special=False)[:1]
        return [[*one, *end] for one in answers]

    def _reading(self) -> Scores:
        if self._likelihood is None:
            self._likelihood = likelihood_of(self.loaded, self._writing, **self._how)
        return self._likelihood

    def _writing(self) -> TextEngine:
        if self._writes is None:
            self._writes = open_engine(self.loaded, slots=SLOTS, **self._how)
        return self._writes


def local_base(name: str | Path, *, engine: str = "auto", weights: str = "float32", progress: Any = None) -> LocalBase:
    """The decoder of a bundle, a folder in hub format, a GGUF file, a checkpoint of llama2.c, or a hub.

    Raises
    ------
    ZooError, BundleError, GenerationError
        No decoder, or a damaged one; an engine that is not there.
    """
    folder = Path(name).expanduser()
    how = {"engine": engine, "weights": weights}
    if (folder / "manifest.json").is_file():
        return LocalBase(_of_bundle(folder), name=folder.name, **how)
    from honed.zoo.resolve import resolve

    base = resolve(name, kind="decoder", progress=progress)
    return LocalBase(decoder_for(base.folder, engine), name=base.id, **how)


def _of_bundle(folder: Path) -> Loaded:
    from honed.model import Model

    network: Any = getattr(Model.load(folder).predictor, "network", None)
    if not hasattr(network, "vocabulary"):
        seen = f"The model in {folder} writes no text, so it cannot go by examples in a prompt."
        raise BundleError("B036", seen, "Leave --examples away, or name a decoder.")
    found: Loaded = network.loaded(folder)
    return found
