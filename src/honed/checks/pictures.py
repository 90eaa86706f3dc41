"""Pictures in a table: sizes, kinds, copies, and one picture with two labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from honed.checks.duplicates import near_only, on_both_sides, repeated, torn
from honed.data.pictures import PictureFacts, content_digest, in_threads, named, picture_facts
from honed.errors import DataError
from honed.finding import Finding
from honed.wording import counted

Array = np.ndarray[Any, np.dtype[Any]]
TINY = 24
ONE_SCENE = 0.5
"""Share of pictures with a near copy from which on a fixed camera, not copying, is the likelier reason."""
MOST_ROWS = 20


def _facts(source: Any) -> PictureFacts | None:
    try:
        return picture_facts(source)
    except DataError:
        return None


def check_sizes(sources: Sequence[Any], column: str) -> list[Finding]:
    """D180 pictures that are tiny, D181 turned by their EXIF data or of unusual kinds; what was made of them."""
    facts = in_threads(_facts, sources)
    found = [(row, fact) for row, fact in enumerate(facts) if fact is not None]
    findings = []
    tiny = [row for row, fact in found if min(fact.width, fact.height) < TINY]
    if tiny:
        message = (
            f"{counted(len(tiny), 'picture')} have a side of fewer than {TINY} pixels; there is little to see in them."
        )
        remedy = "Find larger ones, or leave them out if they are thumbnails or icons."
        findings.append(_finding("D180", "tip", message, remedy, column, tiny, sources))
    turned = [row for row, fact in found if fact.orientation != 1]
    odd = [row for row, fact in found if fact.mode not in ("RGB", "L", "P")]
    if turned or odd:
        parts = [f"{len(turned):,} are turned upright as their camera noted"] if turned else []
        kinds = sorted({fact.mode for _, fact in found if fact.mode not in ("RGB", "L", "P")})
        parts += [f"{len(odd):,} are {', '.join(kinds)} and are made RGB"] if odd else []
        message = f"Of the pictures, {' and '.join(parts)}."
        findings.append(_finding("D181", "tip", message, "Nothing.", column, [*turned, *odd], sources))
    return findings or [Finding("D180", "passed", f"{len(found):,} pictures open and none is tiny.")]


def _finding(
    code: str, level: Any, message: str, remedy: str, column: str, rows: Sequence[int], sources: Sequence[Any]
) -> Finding:
    numbers = tuple(row + 1 for row in rows[:MOST_ROWS])
    return Finding(
        code, level, message, remedy, (column,), numbers, len(rows), tuple(named(sources[r]) for r in rows[:3])
    )


def content_codes(sources: Sequence[Any]) -> Array:
    """A number for each file; equal bytes have the same, files that cannot be read have -1."""
    digests = in_threads(content_digest, sources)
    numbers = {value: number for number, value in enumerate(dict.fromkeys(digests))}
    return np.array([numbers[value] if value else -1 for value in digests], dtype=np.int64)


def check_copies(sources: Sequence[Any], codes: Array, clusters: Array, column: str) -> list[Finding]:
    """D110 the same file again, D111 nearly the same picture."""
    findings = []
    extra = np.setdiff1d(repeated(codes), np.flatnonzero(codes < 0))
    if len(extra):
        message = f"{len(extra):,} of {len(codes):,} pictures are copies of one that came before."
        remedy = "Keep one of each. Honed keeps them on one side of the split."
        findings.append(_finding("D110", "issue", message, remedy, column, extra.tolist(), sources))
    near = np.setdiff1d(near_only(clusters, codes), extra)
    if len(near):
        message = (
            f"{len(near):,} pictures are nearly the same as another: encoded again, resized, or taken a moment later."
        )
        remedy = "Look at some: a burst or a video says less than it seems. Honed keeps them on one side of the split."
        if len(near) > ONE_SCENE * len(codes):
            remedy = (
                "Pictures of one fixed camera look so; then it is right. Honed keeps them on one side of the split."
            )
        findings.append(_finding("D111", "tip", message, remedy, column, near.tolist(), sources))
    return findings or [Finding("D110", "passed", "No picture comes twice, exactly or nearly.")]


def check_conflicts(sources: Sequence[Any], codes: Array, targets: Array, column: str) -> list[Finding]:
    """D120: one picture with different labels."""
    if targets.dtype.kind == "f":
        return []
    n_torn, bad = torn(codes, targets, codes >= 0)
    if not n_torn:
        return [Finding("D120", "passed", "Equal pictures always have the same label.")]
    message = (
        f"{counted(n_torn, 'picture')} with different labels ({len(bad):,} rows): one of the labels must be wrong."
    )
    return [_finding("D120", "issue", message, "Decide on one label for each.", column, np.sort(bad).tolist(), sources)]


def check_across_split(sources: Sequence[Any], codes: Array, clusters: Array, split: Any, column: str) -> list[Finding]:
    """D112: test pictures that are among those for training or validation as well, exactly or nearly."""
    exact, near = on_both_sides(codes, clusters, split)
    both = split.test[exact | near]
    if not len(both):
        return [Finding("D112", "passed", "No test picture is among those for training as well, exactly or nearly.")]
    nearly = f" ({int(near.sum()):,} of them nearly)" if near.any() else ""
    message = f"{len(both):,} of {len(split.test):,} test pictures are among those for training as well{nearly}."
    remedy = "Nothing, the evaluation leaves them out."
    return [_finding("D112", "issue", message, remedy, column, both.tolist(), sources)]
