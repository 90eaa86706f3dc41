"""How a model with examples did, beside cheap methods that go by the same examples."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from honed.metrics.intervals import Interval
from honed.report.terminal import grid_of, heading
from honed.wording import counted


def print_truth(console: Console, found: Any) -> None:
    """Right answers of every method with their 95 % intervals."""
    known = f"; {counted(found.n_known, 'row')} that stand among the examples left out" if found.n_known else ""
    heading(console, f"Right answers on {counted(found.n_truth, 'row')} with the truth, 95 % interval{known}")
    second = found.lines[0].likeness is not None
    columns = [("", "left"), ("right", "right"), ("", "left")]
    grid = grid_of(*columns, *([(found.likeness_title, "right"), ("", "left")] if second else []))
    for line in found.lines:
        cells = [Text(line.title), *_shown(line.right)]
        if line.likeness is not None:
            cells += _shown(line.likeness)
        grid.add_row(*cells)
    console.print(grid)
    if found.n_learnt:
        told = f"The packaged model learnt from {counted(found.n_learnt, 'row')} of these: its figure says too much."
        console.print(told, style="yellow", markup=False, soft_wrap=True)


def _shown(value: Interval) -> list[Text]:
    return [Text(f"{100 * value.value:.1f} %"), Text(f"({100 * value.low:.1f} to {100 * value.high:.1f})", style="dim")]
