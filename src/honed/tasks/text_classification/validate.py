"""What can be wrong with the texts of a table."""

from __future__ import annotations

from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.tasks.classification.validate import absent_columns


def check_texts(table: Table, roles: Roles) -> list[Finding]:
    """Blockers of the columns of text; never raises for bad data."""
    absent = absent_columns(table, roles.text)
    if absent:
        return absent
    if not roles.text:
        return [
            Finding("D024", "blocker", f"No column of {table.source} looks like text.", "Name the columns with --text.")
        ]
    empty = [name for name in roles.text if not any(text.strip() for text in table.texts(name))]
    if empty:
        message = f'Column "{empty[0]}" has no text in any of the {table.n_rows:,} rows.'
        return [Finding("D024", "blocker", message, "Name another column with --text.", columns=tuple(empty))]
    return []
