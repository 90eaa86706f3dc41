"""What a decoder has by heart: the beginning of a text it learnt from is continued word for word.

Greedy writing gives a passage back exactly where each of its tokens is the likeliest after all that stand before it. So one
reading of the text tells what writing would tell, token by token (Carlini et al., 2021 and 2023, ask the same by writing).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from honed.finding import Finding
from honed.likelihood.scorer import Scorer
from honed.likelihood.tokens import Passage
from honed.likelihood.told import Heard, Told, some
from honed.metrics.intervals import Interval, unpaired_difference, wilson
from honed.tasks.judging import Detail, Look, Worry

FEWEST, WANTED = 16, 50
"""Tokens that must come word for word: as many as the text has after as many, 16 at least, 50 at most."""
WANTED_BYTES = 100
"""A passage of short tokens, such as letters, has as many more as make up so many bytes."""
GIVEN_AWAY = 0.8
"""Share of the words of a passage that stand before it, from which on it proves nothing."""
CARE, NOTED = 0.05, 0.01
"""Share of texts by heart, beyond those given by chance, from which on care is asked for, and it is told."""
FEWEST_TEXTS = 20


@dataclass(frozen=True)
class Probe:
    """A passage with all that is read before it, in tokens and in words."""

    passage: Passage
    text: str
    known: str


@dataclass(frozen=True)
class ByHeart:
    """How many passages came back word for word, of how many."""

    hits: int
    n: int

    @property
    def share(self) -> Interval:
        return wilson(float(self.hits), self.n)


def by_heart(
    scorer: Scorer, learnt: Sequence[Told], fresh: Sequence[Told], *, seed: int = 0
) -> tuple[ByHeart, ByHeart]:
    """How often passages come back word for word: of texts that were learnt from, and of others of the same kind.

    Not counted are passages that stand more than once in what was learnt from, those that what stands before gives away, and,
    of the others, those that were learnt from after all.
    """
    heard = Heard(learnt)
    own = [probe for probe in probes(scorer, learnt, seed) if heard.times(probe.text) <= 1]
    other = [probe for probe in probes(scorer, fresh, seed) if heard.times(probe.text) == 0]
    return _counted(scorer, own), _counted(scorer, other)


def _counted(scorer: Scorer, found: Sequence[Probe]) -> ByHeart:
    scored = scorer.score([probe.passage for probe in found])
    return ByHeart(sum(bool(one.likeliest.all()) for one in scored), len(found))


def probes(scorer: Scorer, texts: Sequence[Told], seed: int) -> list[Probe]:
    """A passage from each text that is long enough, within what may be spent."""
    room = scorer.tokens_within(0.5)
    rng, found = random.Random(seed), []
    for one in some(texts, room // (2 * FEWEST), seed):
        probe = _probe(scorer, one, rng)
        if probe is None or _given_away(probe.text, probe.known):
            continue
        found.append(probe)
        room -= len(probe.passage.before) + len(probe.passage.tokens)
        if room <= 0:
            break
    return found


def _probe(scorer: Scorer, told: Told, rng: random.Random) -> Probe | None:
    tokens = scorer.vocabulary.encode(told.text, special=False)
    most = (scorer.context - len(told.before)) // 2
    wide = max(WANTED, round(WANTED_BYTES * len(tokens) / max(1, len(told.text.encode("utf-8", "surrogatepass")))))
    n = min(wide, len(tokens) // 2, most)
    if n < FEWEST:
        return None
    end = rng.randint(2 * n, len(tokens))
    before = list(told.before or scorer.begin)
    known = tokens[: end - n][-(scorer.context - n - len(before)) :]
    head = before if told.asked or len(known) == end - n else []
    wanted = tokens[end - n : end]
    text, words = scorer.vocabulary.decode(wanted), scorer.vocabulary.decode(known)
    return Probe(Passage([*head, *known], wanted), text, f"{told.asked} {words}")


def _given_away(text: str, known: str) -> bool:
    """What stands before says it already, or it is hardly more than one thing again and again."""
    words = text.lower().split()
    if len(set(words)) < 3:
        return len(set(text)) < 8 or len(words) > 2
    there = set(known.lower().split())
    return sum(word in there for word in words) >= GIVEN_AWAY * len(words)


def look_at_memory(scorer: Scorer, learnt: Sequence[Told], fresh: Sequence[Told], *, seed: int = 0) -> Look:
    """The table, and what follows from it."""
    own, other = by_heart(scorer, learnt, fresh, seed=seed)
    if not own.n:
        return Look()
    rows = [("texts it learnt from", own.n, _shown(own.share))]
    if other.n:
        rows.append(("texts like them that were kept from it", other.n, _shown(other.share)))
    note = (
        f"A text is read up to some place and continued greedily by {FEWEST} to {WANTED} tokens or more; what stands in several "
        "texts, or is given away by what stands before it, is not counted."
    )
    detail = Detail("What it has by heart", ("", "texts", "continued word for word"), rows, note)
    beyond = unpaired_difference(own.share, other.share) if other.n >= FEWEST_TEXTS else own.share
    if own.n < FEWEST_TEXTS or not np.isfinite(beyond.low) or beyond.low <= NOTED:
        return Look([detail])
    told = f"It continues {100 * own.share.value:.0f} % of the texts it learnt from word for word"
    told += f" ({100 * other.share.value:.0f} % of others like them)." if other.n else "."
    remedy = "Give it only to those who may read those texts; train for fewer passes over them, or on more text."
    finding = Finding("E010", "issue", told, remedy, n_rows=own.hits, details={"share": own.share.value})
    worries = [Worry(told)] if beyond.low > CARE else []
    return Look([detail], worries, [finding])


def _shown(found: Interval) -> tuple[float, float, float]:
    return found.value, found.low, found.high
