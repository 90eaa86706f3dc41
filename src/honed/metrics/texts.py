"""How near a written text comes to the one that was wanted: for two texts each, between 0 and 1, higher is better."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

LONGEST_GROUP = 6
RECALL_WEIGHT = 2.0
_WORD = re.compile(r"\w+")
_ARTICLES = frozenset({"a", "an", "the"})


def exact_match(wanted: str, given: str) -> float:
    """1 where the texts are the same but for blanks."""
    return float(wanted.split() == given.split())


@lru_cache(maxsize=200_000)
def chrf(wanted: str, given: str) -> float:
    """F score of groups of 1 to 6 letters, recall counting twice, blanks left out.

    chrF of Popović, *chrF: character n-gram F-score for automatic MT evaluation*, 2015, for one text as sacreBLEU computes it.
    """
    first, second = "".join(wanted.split()), "".join(given.split())
    if not first or not second:
        return float(first == second)
    shares = [_overlap(first, second, n) for n in range(1, LONGEST_GROUP + 1) if min(len(first), len(second)) >= n]
    precision, recall = (sum(part) / len(shares) for part in zip(*shares, strict=True))
    factor = RECALL_WEIGHT**2
    below = factor * precision + recall
    return (1 + factor) * precision * recall / below if below else 0.0


def _overlap(wanted: str, given: str, n: int) -> tuple[float, float]:
    """Precision and recall of groups of n letters."""
    first = Counter(wanted[i : i + n] for i in range(len(wanted) - n + 1))
    second = Counter(given[i : i + n] for i in range(len(given) - n + 1))
    hits = sum((first & second).values())
    return hits / second.total(), hits / first.total()


@lru_cache(maxsize=200_000)
def token_f1(wanted: str, given: str) -> float:
    """F1 of words without their order; case, punctuation and articles do not count (Rajpurkar et al., *SQuAD*, 2016)."""
    first, second = (Counter(_plain_words(text)) for text in (wanted, given))
    if not first or not second:
        return float(first == second)
    return 2 * sum((first & second).values()) / (first.total() + second.total())


@lru_cache(maxsize=200_000)
def rouge_l(wanted: str, given: str) -> float:
    """F1 of the longest common subsequence of words (Lin, *ROUGE*, 2004)."""
    first, second = (_WORD.findall(text.lower()) for text in (wanted, given))
    if not first or not second:
        return float(first == second)
    return 2 * _common(first, second) / (len(first) + len(second))


def _plain_words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _ARTICLES]


def _common(first: list[str], second: list[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for word in first:
        before = 0
        for k, other in enumerate(second, start=1):
            before, row[k] = row[k], before + 1 if word == other else max(row[k], row[k - 1])
    return row[-1]
