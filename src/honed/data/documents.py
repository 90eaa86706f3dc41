"""Running text as documents, piece by piece: a text file, a folder of them, or a table with a column of text."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from honed.data import sniff
from honed.data.read import readable
from honed.data.stream import open_batches
from honed.errors import DataError
from honed.files import sha256

MARK = "<|endoftext|>"
"""A line of this alone ends a document."""
PIECE = 1 << 16
"""Characters of a piece, about: long documents are never whole in memory."""
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx")
DIVISIONS = ("auto", "file", "lines", "paragraphs", "marks")


@dataclass(frozen=True)
class Piece:
    """Some text, and whether a document begins with it."""

    text: str
    begins: bool


@dataclass(frozen=True)
class Corpus:
    """Documents that can be read again and again.

    Parameters
    ----------
    source : Path
        File or folder.
    column : str
        Column of text of a table; "" for text files.
    divided : str
        What ends a document: "file", "lines", "paragraphs" (a blank line), "marks", or "row".
    """

    source: Path
    column: str
    divided: str

    def __iter__(self) -> Iterator[Piece]:
        if self.column:
            yield from self._of_table()
            return
        for path in files_of(self.source):
            yield from _of_text(path, self.divided)

    def _of_table(self) -> Iterator[Piece]:
        with open_batches(self.source) as batches:
            for batch in batches:
                for text in batch.column(self.column).to_pylist():
                    if text is not None and str(text).strip():
                        yield from _cut(str(text))

    def digest(self) -> str:
        """SHA-256 of the file, or of the names and digests of the files of a folder."""
        if self.source.is_file():
            return sha256(self.source)
        lines = [f"{path.relative_to(self.source)} {sha256(path)}" for path in files_of(self.source)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def open_corpus(source: str | Path, *, column: str | None = None, divided: str = "auto") -> Corpus:
    """Find out how a source is divided into documents.

    Raises
    ------
    DataError [D001..D006, D090, D091, D092]
        Missing, not permitted, damaged; binary data; no text file in a folder; no column of text.
    """
    path = Path(source).expanduser()
    with readable(path):
        if is_table(path):
            return Corpus(path, _column_of(path, column), "row")
        files = files_of(path)
        if not files:
            raise DataError("D091", f"{path} holds no text files.", "Name a text file, a table, or a folder of texts.")
        for file in files:
            with file.open("rb") as stream:
                _check_text(file, stream.read(1 << 16))
        if column:
            raise DataError("D092", f'{path.name} is text, it has no column "{column}".', "Leave --text away.")
        return Corpus(path, "", _division(files, divided))


def is_table(path: Path) -> bool:
    """True for files with rows and columns, told by their names."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return path.is_file() and any(suffix in TABLES for suffix in suffixes[-2:])


def files_of(source: Path) -> list[Path]:
    """The file itself, or the files below a folder in the order of their names; hidden, empty and binary ones are passed over."""
    if source.is_file():
        return [source]
    found = []
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(folder) / name for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.is_file() and path.stat().st_size and not _binary(path)]


def _binary(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(1 << 13)
    return is_binary(head)


def is_binary(head: bytes) -> bool:
    """True where the beginning of a file is no text in any encoding."""
    try:
        return sniff.sniff_format(head, "") in ("parquet", "gzip", "xlsx") or _strange(head)
    except DataError:
        return True


def _strange(head: bytes) -> bool:
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in head[:64]
    return not wide and sum(byte < 9 or 13 < byte < 27 for byte in head) > len(head) // 50


def _check_text(path: Path, head: bytes) -> None:
    if not head.strip():
        raise DataError("D002", f"{path.name} is empty.", "Check the file: it has no text.")
    if is_binary(head):
        raise DataError(
            "D090", f"{path.name} is binary data, no text.", "Pass plain text, or a table with a column of text."
        )


def _division(files: list[Path], wanted: str) -> str:
    if wanted != "auto":
        return wanted
    with files[0].open("rb") as stream:
        head = stream.read(1 << 22)
    return "marks" if re.search(rb"(?m)^<\|endoftext\|>\r?$", head) else "file"


def _column_of(path: Path, named: str | None) -> str:
    """The column named, or the one with most text in it."""
    with open_batches(path) as batches:
        batch = next(iter(batches), None)
        names = list(batches.names)
    if batch is None or not batch.num_rows:
        raise DataError("D002", f"{path.name} has no rows of data.", "Check the file: it has a header at most.")
    if named:
        if named not in names:
            raise DataError("D092", f'{path.name} has no column "{named}".', f"It has {', '.join(names[:12])}.")
        return named
    sizes = {name: _letters(batch.column(name).to_pylist()) for name in names}
    best = max(sizes, key=lambda name: sizes[name])
    if not sizes[best]:
        raise DataError("D092", f"{path.name} has no column of text.", "Name one with --text.")
    return best


def _letters(values: Iterable[Any]) -> int:
    return sum(sum(letter.isalpha() for letter in value) for value in values if isinstance(value, str))


def _of_text(path: Path, divided: str) -> Iterator[Piece]:
    with path.open("rb") as stream:
        encoding = sniff.sniff_encoding(path, stream.read(sniff.SAMPLE_BYTES))
    with path.open(encoding=encoding, newline="") as text:
        if divided == "file":
            yield from _whole(text)
            return
        for document in _documents(text, divided):
            yield from _cut(document)


def _whole(text: Any) -> Iterator[Piece]:
    """A file as one document, cut behind line breaks."""
    begins = True
    while block := text.read(PIECE):
        if block[-1] != "\n":
            block += text.readline(PIECE)
        yield Piece(block, begins)
        begins = False


def _documents(lines: Iterable[str], divided: str) -> Iterator[str]:
    held: list[str] = []
    for line in lines:
        plain = line.strip()
        ends = plain == MARK if divided == "marks" else not plain if divided == "paragraphs" else False
        if not ends:
            held.append(line)
        if held and (ends or divided == "lines"):
            yield from _filled("".join(held))
            held = []
    yield from _filled("".join(held))


def _filled(document: str) -> Iterator[str]:
    if document.strip():
        yield document.rstrip("\r\n")


def _cut(document: str) -> Iterator[Piece]:
    for start in range(0, len(document), PIECE):
        yield Piece(document[start : start + PIECE], start == 0)
