"""What can be wrong with the pictures of a table."""

from __future__ import annotations

import pyarrow as pa

from honed.data.pictures import in_threads, named, trouble_of
from honed.data.table import Table
from honed.finding import Finding
from honed.tasks.classification.validate import absent_columns
from honed.wording import counted

MOST_ROWS = 20


def check_pictures(table: Table, columns: tuple[str, ...]) -> list[Finding]:
    """Blockers and issues of the column of pictures: none there, none that opens, some that do not."""
    absent = absent_columns(table, columns)
    if absent:
        return absent
    if not columns:
        message = f"No column of {table.source} holds pictures."
        return [Finding("D024", "blocker", message, "Pass a folder of pictures, or a table with their paths.")]
    values = table.column(columns[0])
    there = [row for row, value in enumerate(values) if value]
    if not there:
        message = f'Column "{columns[0]}" has no picture in any of the {table.n_rows:,} rows.'
        return [Finding("D024", "blocker", message, "Check the paths.", columns)]
    troubles = dict(zip(there, in_threads(lambda row: trouble_of(values[row]), there), strict=True))
    bad = {row: trouble for row, trouble in troubles.items() if trouble}
    if not bad:
        return []
    rows = tuple(row + 1 for row in list(bad)[:MOST_ROWS])
    examples = tuple(f"{named(values[row])}: {trouble}" for row, trouble in list(bad.items())[:3])
    all_bad = len(bad) == len(there)
    message = f"{counted(len(bad), 'picture')} of {len(there):,} cannot be opened: {next(iter(bad.values()))}"
    remedy = "Check the paths and files." if all_bad else "Mend or remove them; they are left out of training."
    return [Finding("D065", "blocker" if all_bad else "issue", message, remedy, columns, rows, len(bad), examples)]


def check_one_label(table: Table) -> list[Finding]:
    """A blocker where the pictures come with objects in place of labels."""
    boxes = [
        field.name
        for field in table.arrow.schema
        if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type)
    ]
    if boxes:
        message = "The pictures come with boxes or outlines of objects, not with one label each."
        remedy = "Leave the task to Honed: it learns to find the objects. Or give one label to each picture."
        return [Finding("D182", "blocker", message, remedy, tuple(boxes))]
    return []
