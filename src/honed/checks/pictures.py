"""Pictures in a table: sizes, kinds, copies, and one picture with two labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from honed.data.pictures import PictureFacts, content_of, in_threads, named, picture_facts
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

    def digest(source: Any) -> bytes:
        try:
            content = content_of(source)
            data = Path(source).read_bytes() if content is None else content
        except (OSError, DataError):
            return b""
        return hashlib.blake2b(data, digest_size=16).digest()

    digests = in_threads(digest, sources)
    numbers = {value: number for number, value in enumerate(dict.fromkeys(digests))}
    return np.array([numbers[value] if value else -1 for value in digests], dtype=np.int64)


def check_copies(sources: Sequence[Any], codes: Array, clusters: Array, column: str) -> list[Finding]:
    """D110 the same file again, D111 nearly the same picture."""
    findings = []
    first = np.unique(codes, return_index=True)[1]
    extra = np.setdiff1d(np.flatnonzero(codes >= 0), first)
    if len(extra):
        message = f"{len(extra):,} of {len(codes):,} pictures are copies of one that came before."
        remedy = "Keep one of each. Honed keeps them on one side of the split."
        findings.append(_finding("D110", "issue", message, remedy, column, extra.tolist(), sources))
    near = [row for row in np.flatnonzero(clusters >= 0).tolist() if row not in set(extra.tolist())]
    several = (
        [row for row in near if len(np.unique(codes[clusters == clusters[row]])) > 1] if len(near) < 5000 else near
    )
    if several:
        message = f"{len(several):,} pictures are nearly the same as another: encoded again, resized, or taken a moment later."
        remedy = "Look at some: a burst or a video says less than it seems. Honed keeps them on one side of the split."
        if len(several) > ONE_SCENE * len(codes):
            remedy = (
                "Pictures of one fixed camera look so; then it is right. Honed keeps them on one side of the split."
            )
        findings.append(_finding("D111", "tip", message, remedy, column, several, sources))
    return findings or [Finding("D110", "passed", "No picture comes twice, exactly or nearly.")]


def check_conflicts(sources: Sequence[Any], codes: Array, targets: Array, column: str) -> list[Finding]:
    """D120: one picture with different labels."""
    if targets.dtype.kind == "f":
        return []
    label = np.unique(targets, axis=0, return_inverse=True)[1].reshape(-1)
    rows = np.flatnonzero((codes >= 0) & ((targets >= 0) if targets.ndim == 1 else True))
    pairs = np.unique(np.stack([codes[rows], label[rows]]), axis=1) if len(rows) else np.empty((2, 0), int)
    torn = np.flatnonzero(np.bincount(pairs[0]) > 1) if pairs.size else np.array([], int)
    bad = rows[np.isin(codes[rows], torn)]
    if not len(bad):
        return [Finding("D120", "passed", "Equal pictures always have the same label.")]
    message = (
        f"{counted(len(torn), 'picture')} with different labels ({len(bad):,} rows): one of the labels must be wrong."
    )
    return [_finding("D120", "issue", message, "Decide on one label for each.", column, bad.tolist(), sources)]


def check_across_split(sources: Sequence[Any], codes: Array, clusters: Array, split: Any, column: str) -> list[Finding]:
    """D112: test pictures that are among those for training or validation as well, exactly or nearly."""
    known = np.concatenate([split.train, split.validation])
    exact = np.isin(codes[split.test], codes[known]) & (codes[split.test] >= 0)
    near = (clusters[split.test] >= 0) & np.isin(clusters[split.test], clusters[known]) & ~exact
    both = split.test[exact | near]
    if not len(both):
        return [Finding("D112", "passed", "No test picture is among those for training as well, exactly or nearly.")]
    nearly = f" ({int(near.sum()):,} of them nearly)" if near.any() else ""
    message = f"{len(both):,} of {len(split.test):,} test pictures are among those for training as well{nearly}."
    remedy = "Nothing, the evaluation leaves them out."
    return [_finding("D112", "issue", message, remedy, column, both.tolist(), sources)]
