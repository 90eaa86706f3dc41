"""Numbers with their nouns, for sentences."""

from __future__ import annotations

from collections.abc import Sequence


def counted(n: int, noun: str) -> str:
    """ "1 row", "2,000 rows"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def number(value: float) -> str:
    """Three digits, never as a power of ten where a person would write it out: "0.394", "12.5", "123,456"."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e12 else f"{value:.3g}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """'Column "a"', 'Columns "a", "b" and 3 more'."""
    shown = ", ".join(f'"{name}"' for name in names[:most])
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{'Column' if len(names) == 1 else 'Columns'} {shown}{more}"


def shown_title(title: str) -> str:
    """A title without what it says in brackets: "counting words (TF-IDF)" is shown as "counting words"."""
    return title.split(" (")[0]


def duration(seconds: float) -> str:
    """ "0.4 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, more = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {more} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
