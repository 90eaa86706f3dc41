"""One window against the reference: every comparison with its p-value, its size and a plain sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.evaluation.results import Estimate
from honed.monitoring.evidence import distance_p_value, histogram_distance, mean_p_value, mix_change, share_p_values
from honed.monitoring.reference import Column, Histogram, Reference, Shares
from honed.monitoring.results import Check, Family
from honed.monitoring.windows import Counts

FEWEST_ROWS = 30
CODES: dict[Family, str] = {
    "quality": "M101", "inputs": "M102", "vectors": "M103", "predictions": "M104", "estimate": "M105", "performance": "M106",
}  # fmt: skip
DISTANCE, SHARE, QUALITY, DROP = 0.05, 0.02, 0.01, 0.02
"""Differences below these are never an alert, however certain: they are too small to matter."""
FLAG_WORDS = {
    "empty": "are empty",
    "damaged": "have letters broken by a wrong encoding",
    "unreadable": "have characters that cannot be read",
}
STATISTIC_WORDS = {"characters": "length", "share_not_ascii": "letters beyond plain English", "value": "value"}


@dataclass(frozen=True)
class Found:
    """A comparison before it is known what this look may spend."""

    family: Family
    name: str
    now: float
    then: float
    unit: str
    p_value: float
    matters: bool
    message: str

    def judged(self, allowed: float) -> Check:
        """The check, with its share of the error budget."""
        alert = self.matters and self.p_value <= allowed
        return Check(
            CODES[self.family],
            self.family,
            self.name,
            self.now,
            self.then,
            self.unit,
            self.p_value,
            allowed,
            alert,
            self.message,
        )


def compare(counts: Counts, reference: Reference, budget: float) -> list[Check]:
    """All checks of one window; together they raise a false alarm with a probability of at most ``budget``.

    Every family has the same part of it, so that a table of many columns does not make the answers hard to judge.
    """
    if counts["n"] < FEWEST_ROWS:
        return []
    found = [*_columns(counts, reference), *_vectors(counts, reference), *_answers(counts, reference)]
    members = Counter(one.family for one in found)
    return [one.judged(budget / (len(members) * members[one.family])) for one in found]


def percent(share: float) -> str:
    """ "12.3 %"."""
    return f"{100 * share:.1f} %"


def _columns(counts: Counts, reference: Reference) -> Iterator[Found]:
    for column in reference.columns:
        yield from _quality(counts, column)
        for statistic, histogram in column.histograms.items():
            words = STATISTIC_WORDS[statistic]
            name = f"{column.name}: {words}"
            yield _distance(
                "inputs",
                name,
                counts[f"{column.name}/{statistic}"],
                histogram,
                f'"{column.name}": the {words} of the rows',
            )
        if "word_bucket" in column.shares:
            yield _words(counts[f"{column.name}/word_bucket"], int(counts["n"]), column)


def _quality(counts: Counts, column: Column) -> Iterator[Found]:
    n, flags = int(counts["n"]), column.shares.get("flag")
    if flags is not None:
        yield _more(f"{column.name}: quality", column.name, counts[f"{column.name}/flag"], n, flags, FLAG_WORDS)
    for statistic in ("script", "language"):
        shares = column.shares.get(statistic)
        if shares is not None:
            now = counts[f"{column.name}/{statistic}"].copy()
            now[0] = 0
            words = {
                name: f"are in {name.title()}{' script' if statistic == 'script' else ''}" for name in shares.names
            }
            yield _more(f"{column.name}: {statistic}", column.name, now, n, shares, words)


def _more(name: str, column: str, now: Any, n: int, then: Shares, words: dict[str, str]) -> Found:
    """Shares that should not rise: the one that rose most surprisingly."""
    values = np.asarray(now)[: len(then.names)]
    p = share_p_values(values, n, then.counts, then.n, side="more")
    worst = int(p.argmin()) if p.min() < 1.0 else int(np.argmax(values / n - then.counts / then.n))
    a, b = float(values[worst] / n), float(then.counts[worst] / then.n)
    what = words.get(then.names[worst], then.names[worst])
    message = f'"{column}": {percent(a)} of the rows {what} ({percent(b)} when the model was made).'
    return Found("quality", name, a, b, "%", min(1.0, float(p.min()) * len(p)), a - b >= QUALITY, message)


def _distance(family: Family, name: str, now: Any, then: Histogram, what: str) -> Found:
    distance = histogram_distance(np.asarray(now), then.counts)
    p = distance_p_value(distance, int(np.sum(now)), int(then.counts.sum()))
    message = f"{what} differ: {percent(distance)} of the rows lie elsewhere than when the model was made."
    return Found(family, name, distance, 0.0, "%", p, distance >= DISTANCE, message)


def _words(now: Any, n: int, column: Column) -> Found:
    shares = column.shares["word_bucket"]
    hidden = shares.counts < shares.floor
    then = np.where(hidden, shares.floor, shares.counts)
    more = share_p_values(now, n, then, shares.n, side="more")
    less = np.where(hidden, 1.0, share_p_values(now, n, then, shares.n, side="less"))
    p = np.minimum(more, less)
    worst = int(p.argmin())
    a, b = float(now[worst] / n), float(then[worst] / shares.n)
    moved = int((np.abs(now / n - then / shares.n) > SHARE).sum())
    message = (
        f'"{column.name}": other words than when the model was made. {moved} of {len(p)} groups of words changed by more than '
        f"{percent(SHARE)}; the clearest stands in {percent(a)} of the rows instead of {percent(b)}."
    )
    return Found(
        "inputs",
        f"{column.name}: words",
        a,
        b,
        "%",
        min(1.0, 2 * len(p) * float(p.min())),
        abs(a - b) >= SHARE,
        message,
    )


def _vectors(counts: Counts, reference: Reference) -> Iterator[Found]:
    if not reference.vectors or "vectors" not in counts:
        return
    n, size = int(counts["vectors"][0].sum()), int(reference.vectors[0].counts.sum())
    distance = max(
        histogram_distance(now, then.counts) for now, then in zip(counts["vectors"], reference.vectors, strict=True)
    )
    p = min(1.0, len(reference.vectors) * distance_p_value(distance, n, size))
    message = (
        f"The rows mean other things to the model: in one of {len(reference.vectors)} directions "
        f"{percent(distance)} of them lie elsewhere."
    )
    yield Found("vectors", "meaning (vectors of the network)", distance, 0.0, "%", p, distance >= DISTANCE, message)


def _answers(counts: Counts, reference: Reference) -> Iterator[Found]:
    answers, n = reference.answers, int(counts["n"])
    if answers is None:
        return
    if answers.labels is not None:
        yield _labels(counts["labels"], n, answers.labels)
    if answers.value is not None:
        yield _distance("predictions", "predicted values", counts["value"], answers.value, "The predicted values")
    if answers.confidence is not None and "confidence" in counts:
        yield _distance(
            "predictions", "confidence", counts["confidence"], answers.confidence, "The confidences of the answers"
        )
    p = float(share_p_values(np.array([counts["unsure"]]), n, np.array([answers.unsure]), answers.n)[0])
    a, b = counts["unsure"] / n, answers.unsure / answers.n
    message = f'"I don\'t know" for {percent(a)} of the rows ({percent(b)} when the model was made).'
    yield Found("predictions", "share unsure", a, b, "%", p, abs(a - b) >= SHARE, message)
    if "estimate_sum" in counts and answers.estimate is not None:
        yield _estimate(counts, answers.estimate, answers.n)


def _labels(now: Any, n: int, then: Shares) -> Found:
    """One label that came or went, or, where a row has one label, many that moved a little together."""
    cells = share_p_values(now, n, then.counts, then.n)
    shift = now / n - then.counts / then.n
    worst = int(cells.argmin()) if cells.min() < 1.0 else int(np.argmax(np.abs(shift)))
    a, b, p = float(now[worst] / n), float(then.counts[worst] / then.n), min(1.0, float(cells.min()) * len(cells))
    name, one_each = then.names[worst], int(np.sum(now)) == n and int(then.counts.sum()) == then.n
    message = f'"{name}" is the answer for {percent(a)} of the rows ({percent(b)} when the model was made).'
    if one_each and len(then.names) > 2:
        mix = mix_change(now, then.counts)
        p = min(1.0, 2 * min(p, mix.p_value))
        if mix.p_value < float(cells.min()) * len(cells):
            name = then.names[int(np.argmax(np.where(mix.cells, shift, -np.inf)))]
            a, b = mix.now, mix.then
            message = (
                f"The mix of answers moved: {int(mix.cells.sum())} labels that were {percent(b)} of the answers are "
                f'{percent(a)} now, most of all "{name}".'
            )
    return Found("predictions", "predicted labels", a, b, "%", p, abs(a - b) >= SHARE, message)


def _estimate(counts: Counts, then: float, n_then: int) -> Found:
    n = int(counts["confidence_n"])
    now = counts["estimate_sum"] / n
    p = mean_p_value(now, n, then, n_then)
    message = (
        f"Judged by its confidence it is right in about {percent(now)} of the rows ({percent(then)} when it was made)."
    )
    return Found("estimate", "estimated share right", now, then, "%", p, then - now >= DROP, message)


def estimated(counts: Counts, reference: Reference) -> Estimate | None:
    """Share of right answers as confidence tells it, with a 95 % interval from both samples."""
    answers = reference.answers
    if answers is None or answers.curve is None or not counts.get("confidence_n") or "estimate_sum" not in counts:
        return None
    n, (_, share, rows) = int(counts["confidence_n"]), answers.curve
    value = counts["estimate_sum"] / n
    spread = max(0.0, counts["estimate_squares"] / n - value**2)
    weight = rows / rows.sum()
    shrunk = (share * rows + 1) / (rows + 2)
    half = 1.96 * float(np.sqrt(spread / n + (weight**2 * shrunk * (1 - shrunk) / rows).sum()))
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def largest_distance(counts: Counts, reference: Reference) -> float:
    """The largest distance of any distribution from its reference, for the plot over time."""
    pairs = [
        (counts[f"{column.name}/{statistic}"], histogram.counts)
        for column in reference.columns
        for statistic, histogram in column.histograms.items()
    ]
    answers = reference.answers
    if answers is not None:
        pairs += (
            [(counts["confidence"], answers.confidence.counts)] if answers.confidence and "confidence" in counts else []
        )
        pairs += [(counts["value"], answers.value.counts)] if answers.value and "value" in counts else []
    pairs += list(zip(counts.get("vectors", []), (one.counts for one in reference.vectors), strict=False))
    return max((histogram_distance(np.asarray(now), np.asarray(then)) for now, then in pairs), default=0.0)
