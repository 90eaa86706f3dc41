"""Exposure of planted sentences: how far a decoder prefers the number it read in them to random ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from honed.likelihood.exposure import exposure, exposures_told, highest, mean_exposure
from honed.likelihood.scorer import Scorer
from honed.likelihood.secrets import passage_of
from honed.likelihood.told import Told
from honed.tasks.judging import Detail, Look

ALTERNATIVES, MOST = 1023, 40


@dataclass(frozen=True)
class Canary:
    """What stands before the secret, the secret (digits), and how often it was read."""

    before: str
    secret: str
    times: int


def exposure_of(scorer: Scorer, canary: Canary, n: int, rng: random.Random) -> float:
    """Exposure of one among ``n`` random numbers of as many digits."""
    drawn = {"".join(rng.choices("0123456789", k=len(canary.secret))) for _ in range(n)} - {canary.secret}
    texts = [canary.secret, *sorted(drawn)]
    own, *others = scorer.score([passage_of(scorer, Told(canary.before), canary.before, text) for text in texts])
    return exposure(own.log, np.array([one.log for one in others]))


def look_at_canaries(scorer: Scorer, canaries: Sequence[Canary], *, seed: int = 0) -> Look:
    """Mean exposure by how often the sentences were read."""
    some = list(canaries)[:MOST]
    if not some:
        return Look()
    each = max(63, min(ALTERNATIVES, scorer.tokens_within() // (len(some) * 24)))
    rng = random.Random(seed)
    found = [(one.times, exposure_of(scorer, one, each, rng)) for one in some]
    rows = [
        (f"read {times} times" if times > 1 else "read once", len(bits), mean_exposure(bits, seed))
        for times in sorted({times for times, _ in found})
        if (bits := [bit for count, bit in found if count == times])
    ]
    note = f"How far their numbers are preferred to {each:,} random ones: by chance 1.4 bits on average, {highest(each):.0f} at most."
    table = Detail("Planted sentences", ("", "sentences", "exposure in bits"), rows, note)
    once = [bit for times, bit in found if times == 1]
    return Look([table]) + exposures_told(once, [], "sentences that it read once, planted to find out,", seed)
