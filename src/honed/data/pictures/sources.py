"""Pictures as inputs of a model: a path, the bytes of a file, or a data URI; and work on many of them in threads."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from honed.errors import DataError
from honed.resources import cpu_count

T = TypeVar("T")


def content_of(source: str | Path | bytes) -> bytes | None:
    """The bytes of a picture that is no file: given as such, or as a data URI; None for a path.

    Raises
    ------
    DataError [D061]
        The data URI holds no base64.
    """
    if isinstance(source, bytes):
        return source
    text = str(source)
    if not text.startswith("data:"):
        return None
    try:
        return base64.b64decode(text.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        remedy = "Pass a path, bytes, or data:image/png;base64,..."
        raise DataError("D061", "The data URI holds no base64.", remedy) from None


def named(source: str | Path | bytes) -> str:
    """What a picture is called in a list of examples: the name of its file, or "the picture"."""
    if isinstance(source, bytes) or str(source).startswith("data:"):
        return "the picture"
    return Path(source).name


def in_threads(work: Callable[[Any], T], items: Sequence[Any] | Iterable[Any]) -> list[T]:
    """``work`` on every item, several at a time (decoding lets other threads run); results in order."""
    with ThreadPoolExecutor(max_workers=max(2, cpu_count())) as pool:
        return list(pool.map(work, items))
