"""What a file really is: format, encoding, separator, quoting, header. Found from its first bytes, never from its name."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from honed.errors import DataError

SAMPLE_BYTES = 1 << 20
SEPARATORS = (",", "\t", ";", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAME = re.compile(r"^(?=.*[^\W\d_])[^\s\d\"'<>{}!,;=.][^\n\"<>{}!,;]{0,59}$")
_WORD = re.compile(r"^[a-z][a-z0-9_]{2,29}$")
_EXCEL_SAYS = re.compile(r'^"?sep=.?"?\r?\n', re.I)
PACKED = (
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf", "7z"),
)


@dataclass(frozen=True)
class Layout:
    """How a text table is laid out. ``separator`` is "" for one text a line; ``quoted`` says that fields may be quoted;
    ``skip`` is the number of lines of remarks above the table."""

    encoding: str
    separator: str
    quoted: bool
    header: bool
    n_columns: int
    skip: int = 0

    def described(self) -> dict[str, str]:
        """The layout in words, for ``Table.reading``."""
        names = {
            ",": "comma",
            "\t": "tab",
            ";": "semicolon",
            "|": "bar",
            " ": "first blank",
            "": "none (one text a line)",
        }
        found = {
            "encoding": self.encoding,
            "separator": names[self.separator],
            "header": "yes" if self.header else "no",
        }
        return found | ({"lines above the table": str(self.skip)} if self.skip else {})


def sniff_format(head: bytes, source: str) -> str:
    """ "parquet", "xlsx", "gzip", "jsonl", "json" or "delimited".

    Raises
    ------
    DataError [D002, D003]
        Nothing in it, or binary data that is no table.
    """
    if not head.strip():
        raise DataError("D002", f"{source} is empty.", "Check the file: it has no bytes of data.")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"PK\x03\x04") and (b"xl/" in head or b"[Content_Types].xml" in head):
        return "xlsx"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(
            "D003", f"{source} is an old or an encrypted Excel file.", "Save it as .xlsx without a password, or as CSV."
        )
    packed = next((kind for magic, kind in PACKED if head.startswith(magic)), "")
    if packed:
        raise DataError("D003", f"{source} is packed ({packed}).", "Unpack it and pass the table in it.")
    if _binary(head):
        raise DataError(
            "D003", f"{source} is no table but binary data.", "Pass a CSV, TSV, JSON lines, Parquet or Excel file."
        )
    text = head.lstrip(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"{") and b'"' in text[:200]:
        return "jsonl"
    return "json" if re.match(rb"\[\s*[{\[\"]", text) and _json_array(text) else "delimited"


def _json_array(text: bytes) -> bool:
    return re.match(rb"\[\s*(\{\s*\"|\[|\"[^\"]*\"\s*[,\]])", text) is not None and text.rstrip()[-1:] != b'"'


def _binary(head: bytes) -> bool:
    if any(head.startswith(bom) for bom, _ in _BOMS):
        return False
    magic = (
        b"\x89PNG",
        b"\xff\xd8\xff",
        b"GIF8",
        b"%PDF",
        b"\x7fELF",
        b"MZ\x90",
        b"\x80\x02",
        b"\x80\x04",
    )
    if head.startswith(magic):
        return True
    if _utf16_guess(head):
        return False
    control = sum(head.count(bytes([code])) for code in (*range(9), *range(14, 32)))
    return control > max(2, len(head) // 100)


def _utf16_guess(head: bytes) -> str | None:
    """UTF-16 without a byte order mark: every other byte of mostly Latin text is zero."""
    even, odd = head[0:2000:2].count(0), head[1:2000:2].count(0)
    size = max(1, min(len(head), 2000) // 2)
    if odd / size > 0.7 and even / size < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even / size > 0.7 and odd / size < 0.1 else None


def sniff_encoding(path: Path, head: bytes) -> str:
    """The encoding in which the whole file decodes; UTF-8 first, then what its bytes look like, then cp1252."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    guess = _utf16_guess(head)
    if guess:
        return guess
    if _decodes(path, "utf-8"):
        return "utf-8"
    from charset_normalizer import from_bytes

    best = from_bytes(
        head[: 1 << 18],
        cp_isolation=["cp1252", "latin_1", "cp1251", "cp1250", "shift_jis", "euc_kr", "gb18030", "big5"],
    ).best()
    likely = [best.encoding] if best and best.encoding not in ("ascii", "utf_8", "latin_1") else []
    return next(name for name in [*likely, "cp1252", "latin-1"] if _decodes(path, name))


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 22):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def sniff_layout(sample: str, encoding: str, complete: bool) -> Layout:
    """Separator, quoting and header from the first million characters."""
    said = _EXCEL_SAYS.match(sample)
    if said:
        layout = sniff_layout(sample[said.end() :], encoding, complete)
        return replace(layout, skip=layout.skip + 1)
    lines = [line for line in sample.split("\n") if line.strip()]
    if not complete and len(lines) > 1:
        sample, lines = sample[: sample.rfind("\n")], lines[:-1]
    quoted = {separator: _is_quoted(sample, separator) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: _regularity(sample, separator, quoted[separator]))
    if _regularity(sample, best, quoted[best]) < 0.8:
        alone = next((mark for mark in SEPARATORS if mark in sample and _strict_width(sample, mark) == 1), None)
        if alone:
            return Layout(encoding, alone, True, _plain_header(lines) or _opens_unlike(lines), 1)
        separator = " " if _label_then_text(lines) else ""
        return Layout(encoding, separator, False, separator == "" and _opens_with_name(lines), 2 if separator else 1)
    rows = _rows(sample, best, quoted[best])
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    header = _has_header([row for row in rows if len(row) == width])
    return Layout(encoding, best, quoted[best], header, width, _remarks(sample, best, quoted[best], width))


def _remarks(sample: str, separator: str, quoted: bool, width: int) -> int:
    """Number of lines above the table: at most 20, each with fewer fields than the table has columns."""
    quoting: Any = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader, above = csv.reader(io.StringIO(sample, newline=""), delimiter=separator, quoting=quoting), 0
    for row in reader:
        if len(row) == width:
            return above
        if len(row) > width or reader.line_num > 20:
            return 0
        above = reader.line_num
    return 0


def _is_quoted(sample: str, separator: str) -> bool:
    """Whether fields may be quoted: they are without a mistake, or that makes rows more regular, or else every field that
    opens with a quote closes with one."""
    if _faultless(sample, separator):
        return True
    gain = _regularity(sample, separator, True) - _regularity(sample, separator, False)
    if abs(gain) > 1e-3:
        return gain > 0
    mark = re.escape(separator)
    opened = len(re.findall(rf'(?:^|{mark})[ ]?"', sample, re.M))
    whole = len(re.findall(rf'(?:^|{mark})[ ]?"(?:[^"]|"")*"(?={mark}|\r?$)', sample, re.M))
    return whole > 0 and whole >= 0.98 * opened


def _opens_unlike(lines: list[str]) -> bool:
    """A first line of one short word above texts is a header."""
    words = [len(line.split()) for line in lines]
    return words[0] == 1 and len(words) > 2 and sorted(words[1:])[len(words) // 2 - 1] >= 3


def _opens_with_name(lines: list[str]) -> bool:
    """One column: its name is a usual one, or a word as columns are named above texts of several."""
    return _plain_header(lines) or (bool(lines) and bool(_WORD.match(lines[0].strip())) and _opens_unlike(lines))


def _faultless(sample: str, separator: str) -> bool:
    """Several columns, and quotes without a mistake."""
    return _strict_width(sample, separator) >= 2


def _strict_width(sample: str, separator: str) -> int:
    """Number of columns where some fields are quoted, every quote is where the rules want it, and nearly all rows have as
    many fields; else 0."""
    stream = io.StringIO(sample, newline="")
    reader, widths = csv.reader(stream, delimiter=separator, skipinitialspace=True, strict=True), Counter[int]()
    if not re.search(rf'(?:^|{re.escape(separator)})[ ]?"', sample, re.M):
        return 0
    try:
        for row in reader:
            widths[len(row)] += bool(row)
            if widths.total() >= 2000:
                break
    except csv.Error:
        return 0
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    return width if count >= 0.98 * widths.total() else 0


def first_row(text: str, layout: Layout) -> list[str]:
    """Fields of the first row of a text that is laid out so."""
    if not layout.separator:
        return [text.strip().split("\n", 1)[0].strip().strip('"')]
    rows = _rows(text, layout.separator, layout.quoted, limit=1)
    return rows[0] if rows else []


def _rows(sample: str, separator: str, quoted: bool, limit: int = 2000) -> list[list[str]]:
    quoting: Any = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator, quoting=quoting, skipinitialspace=quoted)
    csv.field_size_limit(1 << 30)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) >= limit:
                break
    except csv.Error:
        return []
    return rows


def _regularity(sample: str, separator: str, quoted: bool) -> float:
    """Share of rows with the most common number of fields, 0 when that number is one; more fields win ties."""
    rows = _rows(sample, separator, quoted)
    if not rows:
        return 0.0
    width, count = Counter(len(row) for row in rows).most_common(1)[0]
    return 0.0 if width < 2 else count / len(rows) + min(width, 50) * 1e-4


def _label_then_text(lines: list[str]) -> bool:
    """Lines such as "1 a fine film": few distinct first words, each common, and long rests."""
    first = Counter(line.split(" ", 1)[0] for line in lines)
    rests = sum(" " in line for line in lines)
    few = len(first) <= max(2, min(50, len(lines) // 10))
    return len(lines) >= 4 and few and rests == len(lines) and all(len(word) <= 30 for word in first)


def _plain_header(lines: list[str]) -> bool:
    return bool(lines) and lines[0].strip().strip('"').lower() in (
        "text",
        "sentence",
        "message",
        "content",
        "body",
        "description",
    )


def _has_header(rows: list[list[str]]) -> bool:
    """The first row names columns: short names, most of them distinct, no numbers, and hardly one is a value of its own column."""
    first, rest = [cell.strip() for cell in rows[0]], rows[1:500]
    named = [cell for cell in first if cell]
    if (
        2 * len(set(named)) < len(named)
        or len(named) < max(1, len(first) - 1)
        or not all(_NAME.match(cell) for cell in named)
    ):
        return False
    if not rest:
        return True
    recurring = sum(bool(cell) and cell in {row[column].strip() for row in rest} for column, cell in enumerate(first))
    return recurring <= len(first) // 10
