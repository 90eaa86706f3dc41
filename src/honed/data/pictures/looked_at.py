"""What a picture holds and whether it opens, remembered as long as its file stays as it is."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from honed.data.pictures.opening import open_picture
from honed.data.pictures.sources import content_of, named
from honed.errors import DataError

MOST_REMEMBERED = 200_000
"""Files of which is remembered what they hold and whether they open."""


def trouble_of(source: str | Path | bytes | None) -> str:
    """Why a picture cannot be opened, in one sentence; "" for one that can. A file is decoded once as long as it stays as it is."""
    if not source:
        return "There is no picture."
    stamp = _stamp(source)
    return _trouble(source) if stamp is None else _trouble_of_file(*stamp)


def content_digest(source: str | Path | bytes) -> bytes:
    """16 bytes that are equal for equal files, b"" for what cannot be read. A file is read once as long as it stays as it is."""
    stamp = _stamp(source)
    return _digest(source) if stamp is None else _digest_of_file(*stamp)


Stamp = tuple[str, int, int]


def _stamp(source: str | Path | bytes) -> Stamp | None:
    """Path, size and time of change of a file; None for a picture that is none, or is not there."""
    if isinstance(source, bytes) or str(source).startswith("data:"):
        return None
    try:
        facts = Path(source).stat()
    except (OSError, ValueError):
        return None
    return str(source), facts.st_size, facts.st_mtime_ns


@lru_cache(maxsize=MOST_REMEMBERED)
def _trouble_of_file(path: str, size: int, changed: int) -> str:
    return _trouble(path)


@lru_cache(maxsize=MOST_REMEMBERED)
def _digest_of_file(path: str, size: int, changed: int) -> bytes:
    return _digest(path)


def _trouble(source: str | Path | bytes) -> str:
    try:
        open_picture(source, at_least=(8, 8), name=named(source))
    except DataError as error:
        return error.seen
    return ""


def _digest(source: str | Path | bytes) -> bytes:
    try:
        content = content_of(source)
        data = Path(str(source)).read_bytes() if content is None else content
    except (OSError, ValueError, DataError):
        return b""
    return hashlib.blake2b(data, digest_size=16).digest()
