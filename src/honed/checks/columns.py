"""Missing, constant and damaged columns; texts that are empty, very long, or broken by a wrong encoding."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.wording import counted

MUCH_MISSING = 0.2
LONG_CHARACTERS = 2000
"""About 512 tokens of a European language."""
DAMAGE = r"�|Ã[©¨¤¶¼Ÿ±¡³º]|â€[™œ“”]|Ã¢â‚¬|&(?:amp|lt|gt|quot|nbsp);|</?(?:div|br|p|span|td)\b"


def check_columns(table: Table, roles: Roles) -> list[Finding]:
    """D100 missing values, D101 constant columns."""
    findings = []
    for name in table.names:
        column = table.arrow.column(name)
        empty = column.null_count
        if pa.types.is_string(column.type):
            blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)
            empty += int(pc.sum(blank).as_py() or 0)
        if empty and name != roles.target:
            findings.append(_missing(name, empty, table.n_rows, name in roles.text))
        if (
            table.n_rows > 1 and empty < table.n_rows and pc.count_distinct(column).as_py() == 1
            if not pa.types.is_nested(column.type)
            else False
        ):
            message = f'Column "{name}" has the same value in every row: "{str(column[0].as_py())[:40]}".'
            findings.append(Finding("D101", "tip", message, "It cannot help; leave it out.", (name,)))
    return findings or [Finding("D100", "passed", "No column is empty or constant.")]


def _missing(name: str, n: int, total: int, read: bool) -> Finding:
    share = n / total
    level = "issue" if read or share > MUCH_MISSING else "tip"
    message = f'Column "{name}" is empty in {n:,} of {total:,} rows ({100 * share:.1f} %).'
    remedy = (
        "Rows without text cannot be told apart; fill or remove them." if read else "Nothing, if you do not need it."
    )
    return Finding("D100", level, message, remedy, (name,), n_rows=n)  # type: ignore[arg-type]


def check_texts(table: Table, columns: tuple[str, ...]) -> list[Finding]:
    """D170 damaged encodings and mark-up, D171 very long texts."""
    findings = []
    for name in columns:
        column = table.arrow.column(name).cast(pa.string())
        broken = np.flatnonzero(np.asarray(pc.fill_null(pc.match_substring_regex(column, DAMAGE), False)))
        if len(broken):
            message = f'{counted(len(broken), "text")} in "{name}" damaged by a wrong encoding or holding mark-up.'
            quoted = tuple(str(column[int(row)].as_py())[:60] for row in broken[:3])
            remedy = "Export them again as UTF-8 without HTML."
            rows = tuple(int(row) + 1 for row in broken[:20])
            findings.append(Finding("D170", "issue", message, remedy, (name,), rows, len(broken), quoted))
        lengths = np.asarray(pc.fill_null(pc.utf8_length(column), 0))
        long = np.flatnonzero(lengths > LONG_CHARACTERS)
        if len(long) > max(1, 0.01 * table.n_rows):
            message = f'{counted(len(long), "text")} in "{name}" longer than {LONG_CHARACTERS:,} characters; only their beginning is read.'
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
