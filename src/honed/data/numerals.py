"""Numbers as people write them in other countries: "3,5", "1.234,5", "12,345.6". What could mean two things is told.

Evidence is looked for in each column, then in its neighbours: a table is written in one way. Only what neither settles
is left as it is and named.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A"]
"""What a missing number is written as. In columns of words only the empty cell is missing: "None" may be a label."""
HEAD = 200

Mark = Literal["comma", "point", ""]
"""What stands before the decimals; "" where a column does not tell."""

_COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"
_POINT = r"^[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?$"
_SURE_COMMA = r",(\d{1,2}|\d{4,})$|^[+-]?0,|\..*,|^[+-]?\d{4,},|\.\d{3}\."
_SURE_POINT = r"\.(\d{1,2}|\d{4,})$|^[+-]?0\.|,.*\.|^[+-]?\d{4,}\.|,\d{3},"


@dataclass
class Notes:
    """Columns whose numbers were not written plainly, by what was made of them."""

    decimal_comma: list[str] = field(default_factory=list)
    thousands: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    def as_reading(self) -> dict[str, str]:
        """The notes as part of a table's ``reading``, without what is empty."""
        return {key.replace("_", " "): _quoted(names) for key, names in vars(self).items() if names}


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def read_numbers(columns: dict[str, pa.ChunkedArray], separator: str) -> tuple[dict[str, pa.ChunkedArray], Notes]:
    """The columns that hold nothing but numbers, as numbers; codes such as 0123 are none.

    Parameters
    ----------
    columns : dict of str to string arrays
    separator : str
        What stands between the columns: where it is a comma, "12,345" is in quotes and a whole number.
    """
    found, notes, marked = {}, Notes(), {}
    for name, column in columns.items():
        if not _has_marks(column):
            number = as_number(column)
            if number is not None:
                found[name] = number
        elif fits := _fits(column):
            marked[name] = fits
    sure = {fits[0] for fits in marked.values() if len(fits) == 1}
    usual: Mark = next(iter(sure)) if len(sure) == 1 else ""
    for name, fits in marked.items():
        mark = fits[0] if len(fits) == 1 else usual or ("point" if separator == "," else "")
        number = _converted(columns[name], mark, separator, name, notes)
        if number is not None:
            found[name] = number
    return found, notes


def _converted(column: pa.ChunkedArray, mark: Mark, separator: str, name: str, notes: Notes) -> pa.ChunkedArray | None:
    """The numbers of a column with this decimal mark; without one, points are taken for decimals and commas for nothing."""
    if not mark:
        notes.unclear.append(name)
        return as_number(column)
    there = _present(column)
    decimal, grouping = (",", ".") if mark == "comma" else (".", ",")
    if mark == "comma" and _any(there, re.escape(decimal)):
        notes.decimal_comma.append(name)
    if _any(there, re.escape(grouping)):
        notes.thousands.append(name)
    plain = pc.replace_substring(there, grouping, "")
    return as_number(pc.replace_substring(plain, ",", ".") if mark == "comma" else plain)


def _has_marks(column: pa.ChunkedArray) -> bool:
    head = [value for value in column.slice(0, HEAD).drop_null().to_pylist() if value not in MISSING]
    if not all(re.match(_COMMA, value) or re.match(_POINT, value) for value in head):
        return False
    there = _present(column)
    return _any(there, r"[.,]") and (_all(there, _COMMA) or _all(there, _POINT))


def _fits(column: pa.ChunkedArray) -> list[Mark]:
    """The decimal marks with which every value of the column is a number, only one where a value settles it."""
    there = _present(column)
    if _any(there, r"^[+-]?0\d"):
        return []
    comma, point = _all(there, _COMMA), _all(there, _POINT)
    if comma and point:
        sure_comma, sure_point = _any(there, _SURE_COMMA), _any(there, _SURE_POINT)
        return ["comma"] if sure_comma and not sure_point else ["point"] if sure_point else ["comma", "point"]
    return ["comma"] if comma else ["point"] if point else []


def _present(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.is_in(column, pa.array(MISSING)), pa.scalar(None, pa.string()), column)


def _any(column: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())


def _all(column: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(column, pattern)).as_py())


def as_number(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The column as int64 or float64 if every present value is a number, else None."""
    head = column.slice(0, HEAD).drop_null().to_pylist()
    if not head or not all(_numeric(value) for value in head):
        return None
    there = _present(column)
    if there.null_count == len(there) or _any(there, r"^[+-]?0\d"):
        return None
    for kind in (pa.int64(), pa.float64()):
        with contextlib.suppress(pa.ArrowInvalid):
            return pc.cast(there, kind)
    return None


def _numeric(value: str) -> bool:
    if value in MISSING:
        return True
    try:
        float(value)
    except ValueError:
        return False
    return "_" not in value
