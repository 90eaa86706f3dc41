"""Missing, constant and damaged columns; texts that are empty, very long, or broken by a wrong encoding."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.wording import counted, listed

MOST_NAMED = 5
LONG_CHARACTERS = 2000
"""About 512 tokens of a European language."""
DAMAGE = r"�|Ã[©¨¤¶¼Ÿ±¡³º]|â€[™œ“”]|Ã¢â‚¬|&(?:amp|lt|gt|quot|nbsp);|</?(?:div|br|p|span|td)\b"


def check_reading(table: Table) -> list[Finding]:
    """D007 rows left out because their number of fields is another one, D009 decimal commas, D010 numbers that could mean
    two things."""
    return _rows_left_out(table) + _numerals(table)


def _numerals(table: Table) -> list[Finding]:
    found = []
    comma, unclear = table.reading.get("decimal comma", ""), table.reading.get("unclear", "")
    grouped = table.reading.get("thousands", "")
    if comma:
        message = f"{comma}: numbers with a decimal comma, read as 3,5 = three and a half."
        found.append(Finding("D009", "tip", message, "Nothing, if that is what they mean."))
    if grouped:
        mark = "1.234 = 1234" if comma or table.reading.get("separator") != "," else "1,234 = 1234"
        message = f"{grouped}: numbers with marks between thousands, read as {mark}."
        found.append(Finding("D009", "tip", message, "Nothing, if that is what they mean."))
    if unclear:
        message = f"{unclear}: every mark is followed by three digits, which may be decimals or thousands."
        remedy = "Points were taken for decimals, and commas left as text. Export the numbers without thousands marks."
        found.append(Finding("D010", "issue", message, remedy))
    return found


def _rows_left_out(table: Table) -> list[Finding]:
    left = table.reading.get("rows_unreadable", "")
    if not left:
        return []
    n = int(left.split(" ")[0].replace(",", ""))
    were = "row was" if n == 1 else "rows were"
    message = f"{n:,} {were} left out for another number of fields than the rest {left.partition(' ')[2]}."
    return [Finding("D007", "issue", message, "Check separators and quotes in them.", n_rows=n)]


def check_columns(table: Table, roles: Roles) -> list[Finding]:
    """D100 missing values, D101 constant columns."""
    findings, unread = [], []
    for name in table.names:
        column = table.arrow.column(name)
        empty = column.null_count
        if pa.types.is_string(column.type):
            blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)
            empty += int(pc.sum(blank).as_py() or 0)
        if empty and name in roles.inputs:
            findings.append(_missing(name, empty, table.n_rows))
        elif empty and name != roles.target:
            unread.append((name, empty))
    findings += _missing_unread(unread, table.n_rows)
    facts = {"width", "height"} if roles.image else set()
    looked = [name for name in table.names if name not in dict(unread) and name not in facts]
    constant = [name for name in looked if _constant(table.arrow.column(name))]
    if constant:
        has, remedy = (
            ("has", "It cannot help; leave it out.")
            if len(constant) == 1
            else ("have", "They cannot help; leave them out.")
        )
        message = f"{listed(constant)} {has} the same value in every row."
        findings.append(Finding("D101", "tip", message, remedy, tuple(constant)))
    return findings or [Finding("D100", "passed", "No column is empty or constant.")]


def _constant(column: pa.ChunkedArray) -> bool:
    return len(column) > 1 and not pa.types.is_nested(column.type) and pc.count_distinct(column).as_py() == 1


def _missing(name: str, n: int, total: int) -> Finding:
    message = f'Column "{name}" is empty in {n:,} of {total:,} rows ({100 * n / total:.1f} %).'
    remedy = "Rows without text cannot be told apart; fill or remove them."
    return Finding("D100", "issue", message, remedy, (name,), n_rows=n)


def _missing_unread(columns: list[tuple[str, int]], total: int) -> list[Finding]:
    """One tip for all columns with empty cells that the model does not read, the emptiest first."""
    if not columns:
        return []
    columns = sorted(columns, key=lambda column: -column[1])
    told = ", ".join(f'"{name}" {_percent(n, total)}' for name, n in columns[:MOST_NAMED])
    more = f", and {len(columns) - MOST_NAMED} more" if len(columns) > MOST_NAMED else ""
    message = f"Empty cells in {'a column' if len(columns) == 1 else 'columns'} the model does not read: {told}{more}."
    names = tuple(name for name, _ in columns)
    return [Finding("D100", "tip", message, "Nothing, if you do not need them.", names, n_rows=columns[0][1])]


def _percent(n: int, total: int) -> str:
    return "less than 0.1 %" if n < 0.001 * total else f"{100 * n / total:.1f} %"


def _around(text: str) -> str:
    """The damaged place with a few letters on both sides."""
    found = re.search(DAMAGE, text)
    start = max(0, found.start() - 20) if found else 0
    return text[start : start + 50]


def check_texts(table: Table, columns: tuple[str, ...]) -> list[Finding]:
    """D170 damaged encodings and mark-up, D171 very long texts."""
    findings = []
    for name in columns:
        column = table.arrow.column(name).cast(pa.string())
        broken = np.flatnonzero(np.asarray(pc.fill_null(pc.match_substring_regex(column, DAMAGE), False)))
        if len(broken):
            message = f'{counted(len(broken), "text")} in "{name}" with traces of a wrong encoding or of mark-up.'
            quoted = tuple(_around(str(column[int(row)].as_py())) for row in broken[:3])
            remedy = "Export them again as UTF-8 without HTML."
            rows = tuple(int(row) + 1 for row in broken[:20])
            findings.append(Finding("D170", "issue", message, remedy, (name,), rows, len(broken), quoted))
        lengths = np.asarray(pc.fill_null(pc.utf8_length(column), 0))
        long = np.flatnonzero(lengths > LONG_CHARACTERS)
        if len(long) > max(1, 0.01 * table.n_rows):
            message = f'{counted(len(long), "text")} in "{name}" of more than {LONG_CHARACTERS:,} characters; only the beginning is read.'
            rows = tuple(int(row) + 1 for row in long[:20])
            findings.append(
                Finding(
                    "D171",
                    "tip",
                    message,
                    "Put what matters first, or raise task_settings.max_length.",
                    (name,),
                    rows,
                    len(long),
                )
            )
    return findings
