"""Cheap traits of single inputs, from which drift is told later: lengths, scripts, hashed words, never the words themselves.

An input is a row of parts (one for each column). A part that is text or a number has traits; anything else has none. The traits
of a row have a fixed size for a given layout ("t" text, "n" number, "-" anything else, one letter a column), so that
millions of rows are one array.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
BUCKETS = 256
MOST_CHARACTERS = 20_000
"""Characters of a text that are looked at."""
EMPTY, DAMAGED, UNREADABLE = 1, 2, 4
FLAGS = {"empty": EMPTY, "damaged": DAMAGED, "unreadable": UNREADABLE}
SCRIPTS = ("none", "latin", "greek", "cyrillic", "hebrew", "arabic", "indic", "thai", "hangul", "kana", "han", "other")
_RANGES = (
    (0x0041, 0x024F, 1), (0x0370, 0x03FF, 2), (0x0400, 0x052F, 3), (0x0590, 0x05FF, 4), (0x0600, 0x077F, 5),
    (0x0900, 0x0DFF, 6), (0x0E00, 0x0E7F, 7), (0x1100, 0x11FF, 8), (0x1E00, 0x1EFF, 1), (0x1F00, 0x1FFF, 2),
    (0x3040, 0x30FF, 9), (0x3400, 0x9FFF, 10), (0xAC00, 0xD7AF, 8),
)  # fmt: skip
LANGUAGES = ("unknown", "English", "German", "French", "Spanish", "Italian", "Portuguese", "Dutch", "Polish", "Swedish")
_COMMON = (
    "the and is to of for not with my you have this that was are it on be please when",
    "der die das und ist nicht ich mit ein eine zu den auf von für bitte wenn wird kann sich",
    "le la les et est je pas une dans pour que sur avec mon il vous nous du des être",
    "el los las y es no una por para con mi que en se está del cuando como lo muy",
    "il che di non è una per con mi sono gli della nel questo come ho si più quando anche",
    "o os as e é não uma por para com meu que em se está do da quando como muito",
    "de het een en is niet ik met op van voor mijn dat wordt kan zijn aan naar bij als",
    "i w na się nie jest z do to że mam po jak dla mój czy od przez ale są",
    "och är inte jag en ett på för med som det att min har av till kan den om när",
)  # fmt: skip
_MOJIBAKE = ("Ã¤", "Ã¶", "Ã¼", "ÃŸ", "Ã©", "Ã¨", "Ã ", "Ã±", "Ã³", "â€", "Â ", "Â°", "ï»¿")
_FIELDS: list[Any] = [
    ("characters", "<f4"),
    ("not_ascii", "<f4"),
    ("script", "u1"),
    ("language", "u1"),
    ("flags", "u1"),
]
TEXT = np.dtype([*_FIELDS, ("buckets", "u1", (BUCKETS // 8,))])
NUMBER = np.dtype([("value", "<f8"), ("flags", "u1")])


def parts_of(row: Any) -> tuple[Any, ...]:
    """The parts of an input, one for each column; an input of another shape has none."""
    if isinstance(row, str | int | float):
        return (row,)
    if isinstance(row, Mapping):
        return tuple(row.values())
    return tuple(row) if isinstance(row, tuple | list) else ()


def layout_of(row: Any) -> str:
    """One letter for each part of an input: "t" text, "n" number, "-" anything else."""
    return "".join("t" if isinstance(part, str) else "n" if _is_number(part) else "-" for part in parts_of(row))


@cache
def dtype_of(layout: str) -> np.dtype[Any]:
    """The array type of a row's traits: one field for each part that has any, named by its position."""
    kinds = {"t": TEXT, "n": NUMBER}
    return np.dtype([(str(i), kinds[letter]) for i, letter in enumerate(layout) if letter in kinds])


def packed(row: Any, layout: str) -> bytes:
    """The traits of one input as bytes, in the form of :func:`dtype_of` its layout."""
    makers = {"t": _text, "n": _number}
    return b"".join(
        makers[letter](part) for letter, part in zip(layout, parts_of(row), strict=True) if letter in makers
    )


def unpacked(blobs: Sequence[bytes], layout: str) -> Array:
    """The traits of many inputs, as a structured array."""
    return np.frombuffer(b"".join(blobs), dtype=dtype_of(layout))


def traits_of(rows: Sequence[Any], layout: str) -> Array:
    """The traits of inputs of one layout, as a structured array of :func:`dtype_of` its layout."""
    return unpacked([packed(row, layout) for row in rows], layout)


def _is_number(part: Any) -> bool:
    return isinstance(part, int | float | np.number) and not isinstance(part, bool)


def _number(part: Any) -> bytes:
    value = float(part)
    return struct.pack("<dB", value, 0) if math.isfinite(value) else struct.pack("<dB", 0.0, EMPTY)


def _text(text: str) -> bytes:
    length = len(text)
    text = text[:MOST_CHARACTERS]
    ascii_only = text.isascii()
    words = text.lower().split()
    bits = 0
    votes = [0] * len(LANGUAGES)
    common = _common_words()
    for word in words:
        bits |= 1 << (zlib.crc32(word.encode("utf-8", "replace")) % BUCKETS)
        for language in common.get(word, ()):
            votes[language] += 1
    share = 0.0 if ascii_only else sum(character > "\x7f" for character in text) / len(text)
    script = (1 if words else 0) if ascii_only else _script(text)
    flags = _flags(text, ascii_only, not words)
    language = _language(votes, len(words), script)
    return struct.pack(
        "<ffBBB32s", math.log1p(length), share, script, language, flags, bits.to_bytes(BUCKETS // 8, "little")
    )


@cache
def _common_words() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for language, words in enumerate(_COMMON, 1):
        for word in words.split():
            found[word] = (*found.get(word, ()), language)
    return found


def _language(votes: list[int], n_words: int, script: int) -> int:
    """The language whose commonest words occur most; unknown where that is not clear, or in a script of its own."""
    first, second = sorted(votes, reverse=True)[:2]
    clear = script == 1 and first >= 3 and first - second >= 2 and first >= 0.15 * n_words
    return votes.index(first) if clear else 0


def _script(text: str) -> int:
    counts = [0] * len(SCRIPTS)
    for character in text[:1000]:
        if character.isalpha():
            point = ord(character)
            counts[next((script for low, high, script in _RANGES if low <= point <= high), 11)] += 1
    most = max(counts)
    return counts.index(most) if most else 0


def _flags(text: str, ascii_only: bool, empty: bool) -> int:
    flags = EMPTY if empty else 0
    if not ascii_only and ("\ufffd" in text or any(mark in text for mark in _MOJIBAKE)):
        flags |= DAMAGED
    if not text.isprintable() and any(_unreadable(character) for character in text):
        flags |= UNREADABLE
    return flags


def _unreadable(character: str) -> bool:
    """Control characters, private use and surrogates: no reader and no model can do anything with them."""
    point = ord(character)
    return (point < 32 and character not in "\t\n\r\f\v") or 0x7F <= point < 0xA0 or 0xD800 <= point <= 0xF8FF


def bucket_counts(traits: Array) -> Array:
    """How many rows have a word in each of the hash buckets, from the traits of one text column."""
    if not len(traits):
        return np.zeros(BUCKETS, dtype=np.int64)
    packed = np.ascontiguousarray(traits["buckets"])
    return np.unpackbits(packed, axis=1, bitorder="little").sum(axis=0, dtype=np.int64)
