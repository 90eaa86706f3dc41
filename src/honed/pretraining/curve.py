"""What is measured step by step: a table that is written whole and cut back where a run goes on."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from honed.files import whole_file

COLUMNS = ("step", "tokens", "loss", "rate", "gradient_norm", "seconds", "validation_loss")
Row = tuple[int, int, float, float, float, float, float | None]


@dataclass
class Curve:
    """Rows of :data:`COLUMNS`: loss in nats a token, share of the highest rate, seconds of training so far."""

    rows: list[Row] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the table as CSV."""
        with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([["" if value is None else repr(value) for value in row] for row in self.rows])

    @property
    def validated(self) -> list[tuple[int, float]]:
        """(step, held-out loss) where it was measured."""
        return [(row[0], row[-1]) for row in self.rows if row[-1] is not None]


def read_curve(path: Path, steps: int) -> Curve:
    """The table up to a step."""
    if not steps or not path.exists():
        return Curve()
    with path.open(encoding="utf-8", newline="") as stream:
        found = list(csv.reader(stream))[1:]
    rows: list[Row] = []
    for step, tokens, loss, rate, norm, seconds, validation in found[:steps]:
        held_out = float(validation) if validation else None
        rows.append((int(step), int(tokens), float(loss), float(rate), float(norm), float(seconds), held_out))
    return Curve(rows)
