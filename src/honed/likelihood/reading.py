"""Running text for a decoder to judge: spread over all there is, as much as can be afforded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from honed.data.documents import Piece
from honed.likelihood.bits import Text
from honed.likelihood.scorer import Scorer
from honed.likelihood.told import Told

STRETCH = 2_000
"""Letters of the stretches into which long texts are cut for questions that are asked text by text."""
SAMPLE = 20_000


@dataclass(frozen=True)
class Reading:
    """Texts that were taken, and how much there was in all."""

    texts: list[Text]
    n_documents: int
    n_bytes: int

    @property
    def whole(self) -> bool:
        """All of it was taken."""
        return sum(size_of(text.text) for text in self.texts) >= self.n_bytes

    @property
    def told(self) -> list[Told]:
        """The same in stretches."""
        return [Told(part) for text in self.texts for part in stretches(text.text)]


def read(pieces: Callable[[], Iterable[Piece]], most_bytes: int) -> Reading:
    """Pieces of a corpus, all of them or evenly spread ones, whose sizes add up to about so many bytes at most."""
    sizes = [(size_of(piece.text), piece.begins) for piece in pieces()]
    total = sum(size for size, _ in sizes)
    every = max(1, -(-total // max(1, most_bytes)))
    chosen = range(every // 2 if every > 1 and len(sizes) > every else 0, len(sizes), every)
    room = max(256, most_bytes // max(1, len(chosen)))
    rest = sum(sizes[k][0] for k in chosen) > 1.5 * most_bytes
    wanted, texts = set(chosen), []
    for k, piece in enumerate(pieces()):
        if k in wanted:
            texts.append(Text(piece.text[:room] if rest else piece.text, piece.begins))
    return Reading(texts, sum(begins for _, begins in sizes), total)


def bytes_within(scorer: Scorer, sample: str, share: float = 1.0) -> int:
    """Bytes of text like this that may be judged for one question."""
    part = sample[:SAMPLE] or "text"
    tokens = len(scorer.vocabulary.encode(part, special=False))
    return int(scorer.tokens_within(share) * size_of(part) / max(1, tokens))


def stretches(text: str) -> list[str]:
    """A text cut at blanks into stretches of bounded length."""
    found = []
    while len(text) > STRETCH:
        cut = text.rfind(" ", STRETCH // 2, STRETCH)
        cut = cut if cut > 0 else STRETCH
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text] if text.strip() else found


def size_of(text: str) -> int:
    """Bytes of a text as UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))
