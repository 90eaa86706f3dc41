"""What kinds of errors a detector makes, and how much average precision each costs.

References
----------
Bolya, Foley, Hays and Hoffman, *TIDE: A General Toolbox for Identifying Object Detection Errors*, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from honed.metrics.detection.averages import average_precision, mean_over_labels
from honed.metrics.detection.data import Array, Detections, Overlap, Truths
from honed.metrics.detection.matching import Matches, match
from honed.metrics.detection.overlap import Pairs, overlapping

KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
RIGHT, BESIDE = -1, -2
NEVER = -1


@dataclass(frozen=True)
class ErrorKind:
    """One kind of error.

    Parameters
    ----------
    name : str
        One of KINDS.
    n : int
        How many detections (for "missed": objects) are of this kind.
    gain : float
        Average precision that mending all of them, and nothing else, would give back, between 0 and 1.
    where : int array (n,)
        Their indices in the :class:`Detections` (for "missed": in the :class:`Truths`), the surest first.
    """

    name: str
    n: int
    gain: float
    where: Array


@dataclass(frozen=True)
class ErrorBreakdown:
    """Average precision at one overlap, and the errors that keep it from 1.

    ``false_gain`` is what removing every false detection would give back, ``missed_gain`` what finding every object would.
    The gains do not add up: mending one kind changes what another costs.
    """

    ap: float
    kinds: tuple[ErrorKind, ...]
    false_gain: float
    missed_gain: float


@dataclass(frozen=True)
class _Best:
    """For every detection (n,) the largest overlap with an object of a certain sort, and which object that is."""

    value: Array
    truth: Array


def error_kinds(
    truth: Truths,
    found: Detections,
    *,
    iou: Overlap = "box",
    right_from: float = 0.5,
    nothing_below: float = 0.1,
    most: int = 100,
) -> ErrorBreakdown:
    """Sort every false detection and every missed object into the six kinds of TIDE.

    With the overlap ``right_from`` (0.5) a detection is on an object, under ``nothing_below`` (0.1) it is on nothing:

    - localisation: between the two on an object of its label: the place is off.
    - classification: on an object of another label: the name is wrong.
    - duplicate: on an object of its label that a surer detection already found.
    - background: on nothing.
    - both: the rest, near an object of another label: name and place are off.
    - missed: an object that was not found and that no localisation or classification error is about.

    A detection that fits several kinds is the first in this order.

    Raises
    ------
    DataError [D082, D084]
        As :func:`match`.
    """
    matches = match(truth, found, iou=iou, thresholds=(right_from,), most=most)
    pairs = overlapping(truth, found, iou, at_least=min(nothing_below, right_from), same_label=False)
    pairs = pairs.where(~truth.crowd[pairs.truth])
    kind, about = _sort(truth, found, matches, pairs, right_from, nothing_below)
    used = matches.truth[:, 0][matches.hit[:, 0]]
    missed = np.setdiff1d(np.flatnonzero(~truth.crowd), np.concatenate([used, about[about != NEVER]]))
    now = _ap(matches)
    gains = [_ap(_mended(matches, kind, about, used, truth, k)) - now for k in range(5)]
    gains.append(_ap(_without(matches, truth, missed)) - now)
    wheres = [matches.source[kind == k][np.argsort(-matches.score[kind == k], kind="stable")] for k in range(5)]
    kinds = [
        ErrorKind(name, len(where), gain, where)
        for name, gain, where in zip(KINDS, gains, [*wheres, missed], strict=True)
    ]
    all_missed = np.setdiff1d(np.flatnonzero(~truth.crowd), used)
    only_right = _ap(_chosen(matches, kind < 0)) - now
    return ErrorBreakdown(now, tuple(kinds), only_right, _ap(_without(matches, truth, all_missed)) - now)


def _sort(
    truth: Truths, found: Detections, matches: Matches, pairs: Pairs, right: float, nothing: float
) -> tuple[Array, Array]:
    """Kind of every matched detection (RIGHT, BESIDE or an index of KINDS) and the object it should have been."""
    own = found.label[pairs.found] == truth.label[pairs.truth]
    same, other = (_best(pairs.where(choice), matches, len(found)) for choice in (own, ~own))
    kind = np.full(len(matches.source), KINDS.index("both"))
    kind[np.maximum(same.value, other.value) < nothing] = KINDS.index("background")
    kind[same.value >= right] = KINDS.index("duplicate")
    named_wrong = other.value >= right
    kind[named_wrong] = KINDS.index("classification")
    placed_wrong = (same.value >= nothing) & (same.value < right)
    kind[placed_wrong] = KINDS.index("localisation")
    about = np.where(placed_wrong, same.truth, np.where(named_wrong, other.truth, NEVER))
    kind[matches.ignored[:, 0]] = BESIDE
    kind[matches.hit[:, 0]] = RIGHT
    return kind, np.where(kind < 0, NEVER, about)


def _best(pairs: Pairs, matches: Matches, n: int) -> _Best:
    value, truth = np.zeros(n), np.full(n, NEVER)
    order = np.argsort(pairs.value, kind="stable")
    value[pairs.found[order]] = pairs.value[order]  # the last to write, the largest, stays
    truth[pairs.found[order]] = pairs.truth[order]
    return _Best(value[matches.source], truth[matches.source])


def _mended(matches: Matches, kind: Array, about: Array, used: Array, truth: Truths, k: int) -> Matches:
    """The detections with one kind of error mended: made right where that gives a new hit, removed elsewhere."""
    wrong = kind == k
    candidates = np.flatnonzero(wrong & (about != NEVER) & ~np.isin(about, used))
    candidates = candidates[np.argsort(-matches.score[candidates], kind="stable")]
    _, first = np.unique(about[candidates], return_index=True)
    mended = candidates[first]
    hit, label = matches.hit.copy(), matches.label.copy()
    hit[mended], label[mended] = True, truth.label[about[mended]]
    keep = ~wrong
    keep[mended] = True
    return _chosen(replace(matches, hit=hit, label=label), keep)


def _chosen(matches: Matches, keep: Array) -> Matches:
    """These detections only, in order again."""
    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((matches.picture[rows], -matches.score[rows], matches.label[rows]))]
    names = ("source", "picture", "label", "score", "hit", "ignored", "truth")
    return replace(matches, **{name: getattr(matches, name)[rows] for name in names})


def _without(matches: Matches, truth: Truths, missed: Array) -> Matches:
    """As if these objects did not exist."""
    keep = ~truth.crowd
    keep[missed] = False
    return replace(matches, truth_picture=truth.picture[keep], truth_label=truth.label[keep])


def _ap(matches: Matches) -> float:
    return float(mean_over_labels(average_precision(matches))[0])
