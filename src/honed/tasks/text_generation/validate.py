"""What can be wrong with rows and their texts for learning to write."""

from __future__ import annotations

from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.tasks.classification.validate import absent_columns
from honed.tasks.text_classification.validate import check_texts
from honed.wording import counted

MIN_ROWS = 20
LONG = 8000


def check_all(table: Table, roles: Roles) -> list[Finding]:
    """Blockers, issues and tips; never raises for bad data."""
    return [*check_texts(table, roles), *_check_target(table, roles)]


def _check_target(table: Table, roles: Roles) -> list[Finding]:
    target = roles.target
    if target is None:
        message = f"No column of {table.source} looks like the text that is to be written."
        return [Finding("D020", "blocker", message, "Name it with --target.")]
    absent = absent_columns(table, [target])
    if absent:
        return absent
    texts = [text for text in table.texts(target) if text.strip()]
    if len(texts) < MIN_ROWS:
        message = f'Only {counted(len(texts), "row")} with a text in "{target}". At least {MIN_ROWS} are needed.'
        return [Finding("D025", "blocker", message, "Add more rows.", columns=(target,))]
    if len(set(texts)) == 1:
        message = f'Column "{target}" has the same text in every row. There is nothing to learn.'
        return [Finding("D021", "blocker", message, "Name another column with --target.", columns=(target,))]
    long = sum(len(text.encode()) > LONG for text in texts)
    if not long:
        return []
    message = f'{counted(long, "text")} in "{target}" longer than {LONG:,} bytes are cut there.'
    return [Finding("D190", "issue", message, "Shorten them, or divide them into several rows.", columns=(target,))]
