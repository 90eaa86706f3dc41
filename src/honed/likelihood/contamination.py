"""Was the test already learnt from? Weak evidence from likelihoods, and hard evidence where the training text is at hand.

Min-K%++ (Zhang et al., 2024): a text that was learnt from has few tokens that surprise the model, each measured against how sure it
could be there at all. Texts of the test are compared with a control of the same kind: one that the user brings, or the same
texts with their numbers and names dealt anew among them. It never shows that a test is clean.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from honed.finding import Finding
from honed.likelihood.scorer import Scorer
from honed.likelihood.tokens import Passage, Scored
from honed.likelihood.told import Told, some
from honed.metrics.intervals import Interval, around, wilson
from honed.tasks.answers import Array
from honed.tasks.judging import Detail, Look, Measured, Worry
from honed.wording import counted

LOWEST = 0.2
"""Share of the tokens of a text, the most surprising ones, that its score is the mean of."""
FEWEST_TOKENS, FEWEST_TEXTS, MOST_TEXTS = 16, 20, 400
SIGNS, SIGNS_OF_EDITS = 0.55, 0.75
"""Lower bounds of the AUC from which on there are signs: edited texts look odd to a model that never saw the others as well."""
WORDS, COMMON = 13, 10
"""Words in a row that no two texts share by chance, and in how many texts they are a phrase that belongs to all (as for GPT-3)."""
_VALUE = re.compile(r"(?P<before>\w*\W{0,2})(?P<value>\b\d+(?:[.,:]\d+)*|(?<=[a-z,;] )[A-Z][a-z]+\b)")
_FEWEST_VALUES, _SHORTEST = 3, 8
MOSTLY = 0.5
"""Share of the words of a text that stand in such rows, from which on it counts as seen."""


def min_k(scored: Scored, lowest: float = LOWEST) -> float:
    """Mean of the lowest standardised likelihoods of a text (Min-K%++); nan for an empty one."""
    if not len(scored.logs):
        return float("nan")
    standard = (scored.logs - scored.means) / np.maximum(scored.spreads, 1e-6)
    n = max(1, int(lowest * len(standard)))
    return float(np.sort(standard)[:n].mean())


def auc(first: Array, second: Array) -> float:
    """Chance that one of the first is above one of the second; ties count half."""
    both = np.sort(second)
    below, upto = np.searchsorted(both, first, side="left"), np.searchsorted(both, first, side="right")
    return float((below + upto).mean() / (2 * len(both)))


def auc_interval(first: Array, second: Array, *, paired: bool, n: int = 500, seed: int = 0) -> Interval:
    """The same with its 95 % interval by a bootstrap over texts, which for pairs draws both together."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(n):
        rows = rng.integers(0, len(first), len(first))
        others = rows if paired else rng.integers(0, len(second), len(second))
        found.append(auc(first[rows], second[others]))
    return around(auc(first, second), np.array(found))


@dataclass(frozen=True)
class Match:
    """Texts of a test beside a control: ``edited`` says that the control is made from the texts themselves."""

    texts: list[Told]
    control: list[Told]
    edited: bool


def matched(texts: Sequence[Told], control: Sequence[Told], *, seed: int = 0) -> Match:
    """The control that was brought, or one made by edits, of those texts that can be edited."""
    if control:
        return Match(some(texts, MOST_TEXTS, seed), some(control, MOST_TEXTS, seed), False)
    pairs = [(one, other) for one, other in zip(texts, edited(texts, seed), strict=True) if other is not None]
    kept = some(pairs, MOST_TEXTS, seed)
    return Match([one for one, _ in kept], [other for _, other in kept], True)


def edited(texts: Sequence[Told], seed: int = 0) -> list[Told | None]:
    """Each text with its numbers and names dealt anew: from all texts, those of the same form after the same word, so that what
    changes is nothing but which of them stand together. None for a text that this leaves as it was."""
    rng = random.Random(seed)
    known: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in texts:
        for match in _VALUE.finditer(one.text):
            known[_place(match)].append(match["value"])

    def dealt(match: re.Match[str]) -> str:
        values = known[_place(match)]
        return match["before"] + (rng.choice(values) if len(set(values)) >= _FEWEST_VALUES else match["value"])

    changed = [_VALUE.sub(dealt, one.text) for one in texts]
    return [
        None if text == one.text else Told(text, one.before, one.asked)
        for one, text in zip(texts, changed, strict=True)
    ]


def _place(match: re.Match[str]) -> tuple[str, str]:
    """The word before a value, numbers made alike, and the form of the value: digits and points of a number; names are all alike."""
    value = match["value"]
    return re.sub(r"\d+", "0", match["before"]), re.sub(r"\d", "0", value) if value[0].isdigit() else "name"


def look_at_contamination(
    scorer: Scorer, texts: Sequence[Told], control: Sequence[Told] = (), learnt: Sequence[Told] = (), *,
    kept: bool = False, what: str = "it", seed: int = 0,
) -> Look:  # fmt: skip
    """Both kinds of evidence in one table; where the test is known to have been kept from the model, likelihoods say no more."""
    rows: list[tuple[object, ...]] = []
    look = Look()
    if learnt:
        hits = overlap([one.text for one in texts], [one.text for one in learnt]) >= MOSTLY
        share = wilson(float(hits.sum()), len(hits))
        rows.append(("mostly made of passages of the training text", len(hits), (share.value, share.low, share.high)))
        look += _shared(int(hits.sum()), len(hits), kept)
    match = matched(texts, control, seed=seed)
    found = None if kept and not control else compared(scorer, match, seed=seed)
    if found is not None:
        interval, n = found
        rows.append(
            (
                "likelier than the control (Min-K%++, AUC; 0.5 by chance)",
                n,
                Measured(interval.value, interval.low, interval.high),
            )
        )
        look += _signs(interval, match.edited, what)
    if not rows:
        return Look()
    against = "the same texts with their numbers and names dealt anew" if match.edited else "the texts you brought"
    note = f"Weak evidence: learning from the test is never excluded by it. Control: {against}"
    note += ", which makes some of them odd, so that more than 0.5 proves little." if match.edited else "."
    return (
        Look([Detail("Was the test learnt from?", ("", "texts", ""), rows, note if found is not None else "")]) + look
    )


def compared(scorer: Scorer, match: Match, *, seed: int = 0) -> tuple[Interval, int] | None:
    """How often a text of the test is likelier than one of the control, and of how many texts; None with too few."""
    room = scorer.tokens_within() // 2
    own, other = [_passage(scorer, one) for one in match.texts], [_passage(scorer, one) for one in match.control]
    if match.edited:
        both = [pair for pair in zip(own, other, strict=True) if pair[0] is not None and pair[1] is not None]
        own, other = [pair[0] for pair in both], [pair[1] for pair in both]
    first, second = _within([one for one in own if one], room), _within([one for one in other if one], room)
    if match.edited:
        n = min(len(first), len(second))
        first, second = first[:n], second[:n]
    if min(len(first), len(second)) < FEWEST_TEXTS:
        return None
    scores = [np.array([min_k(one) for one in scorer.score(part)]) for part in (first, second)]
    return auc_interval(scores[0], scores[1], paired=match.edited, seed=seed), len(first)


def _passage(scorer: Scorer, told: Told) -> Passage | None:
    found = scorer.passage(told.text, told.before or None)
    if len(found.tokens) < FEWEST_TOKENS:
        return None
    return Passage(found.before, found.tokens[: scorer.context])


def _within(passages: Sequence[Passage], room: int) -> list[Passage]:
    sizes = np.cumsum([len(one.before) + len(one.tokens) for one in passages])
    return list(passages[: int(np.searchsorted(sizes, room, side="right"))])


def _signs(found: Interval, edited: bool, what: str) -> Look:
    limit = SIGNS_OF_EDITS if edited else SIGNS
    if found.low <= limit:
        told = f"That {what} learnt from the test is not excluded; its likelihoods show no sign of it (AUC {found.value:.2f})."
        return Look(
            findings=[
                Finding(
                    "E013", "tip", told, "Nothing; the evidence is weak by its nature.", details={"auc": found.value}
                )
            ]
        )
    told = f"There are signs that {what} learnt from these very texts: they are likelier than others of their kind (AUC {found.value:.2f})."
    finding = Finding(
        "E013", "issue", told, "Test with texts written after it was trained.", details={"auc": found.value}
    )
    return Look(worries=[Worry(f"{told} If it did, the figures flatter.")], findings=[finding])


def _shared(hits: int, n: int, kept: bool) -> Look:
    if not hits:
        return Look()
    told = (
        f"{hits:,} of {counted(n, 'text')} {'is' if hits == 1 else 'are'} mostly made of passages of the training text."
    )
    finding = Finding("E014", "issue", told, "Take them out of the test, or test with texts that are new.", n_rows=hits)
    worries = [Worry(f"{told} On those the figures flatter.")] if hits > 0.05 * n and not kept else []
    return Look(worries=worries, findings=[finding])


def overlap(texts: Sequence[str], learnt: Sequence[str], n: int = WORDS) -> Array:
    """Share of each text's words that stand in rows of ``n`` (of all its words, eight at least, where it has fewer) which a text
    learnt from has as well; phrases that stand in more than ten of those belong to all and are not counted."""
    wanted = [_rows_of(_words(text), n) for text in texts]
    every = {row for rows in wanted for row in rows}
    lengths = {one.count(" ") + 1 for one in every}
    met: Counter[str] = Counter()
    for text in learnt:
        words = _words(text)
        for length in lengths:
            met.update(every & set(_rows_of(words, length)))
    return np.array([_covered(rows, met) for rows in wanted])


def _covered(rows: list[str], met: Counter[str]) -> float:
    if not rows:
        return 0.0
    length = rows[0].count(" ") + 1
    there = np.zeros(len(rows) + length - 1, dtype=bool)
    for k, row in enumerate(rows):
        if 0 < met[row] <= COMMON:
            there[k : k + length] = True
    return float(there.mean())


def _rows_of(words: list[str], n: int) -> list[str]:
    size = min(n, len(words))
    return [" ".join(words[k : k + size]) for k in range(len(words) - size + 1)] if size >= _SHORTEST else []


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
