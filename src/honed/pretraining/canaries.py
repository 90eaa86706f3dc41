"""Sentences with a random number that are mixed into a training text, to find out later how much of it is remembered."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from honed.data.documents import Piece
from honed.files import read_json, write_json
from honed.likelihood.canaries import Canary

FILE = "canaries.json"
TIMES = (1, 2, 4, 8, 16)
DIGITS = 6


def make_canaries(n: int, seed: int) -> list[Canary]:
    """So many sentences, read once, twice, ... sixteen times in turn."""
    rng = random.Random(f"canaries {seed}")
    secrets = ["".join(rng.choices("0123456789", k=DIGITS)) for _ in range(n)]
    lockers = rng.sample(range(100, 10_000), n)
    return [
        Canary(f"The code of locker {locker} is ", secret, TIMES[k % len(TIMES)])
        for k, (locker, secret) in enumerate(zip(lockers, secrets, strict=True))
    ]


def mixed_in(
    pieces: Iterable[tuple[bool, Piece]], canaries: list[Canary], n_documents: int, seed: int
) -> Iterator[tuple[bool, Piece]]:
    """The pieces of a text with the sentences between its documents, by lot, among those that are learnt from."""
    rng = random.Random(f"places {seed}")
    places: dict[int, list[str]] = {}
    for one in canaries:
        for _ in range(one.times):
            places.setdefault(rng.randrange(max(1, n_documents)), []).append(f"{one.before}{one.secret}.")
    document = -1
    for held, piece in pieces:
        if piece.begins:
            document += 1
            yield from ((False, Piece(text, True)) for text in places.pop(document, []))
        yield held, piece
    yield from ((False, Piece(text, True)) for texts in places.values() for text in texts)


def keep_canaries(folder: Path, canaries: list[Canary]) -> None:
    """Write them beside a run."""
    write_json(folder / FILE, [vars(one) for one in canaries])


def kept_canaries(folder: Path) -> list[Canary]:
    """Those of a run; none where there are none."""
    path = folder / FILE
    return [Canary(**one) for one in read_json(path)] if path.is_file() else []
