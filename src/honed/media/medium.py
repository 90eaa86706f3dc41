"""What a kind of input offers to checks, evaluation and monitoring, so that none of them asks what it is looking at.

An input is a tuple of parts, one for each column the model reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from honed.data.split import Split
from honed.data.table import Roles, Table
from honed.finding import Finding

Array = np.ndarray[Any, np.dtype[Any]]
Input = Any
Check = Callable[[], list[Finding]]


@dataclass(frozen=True)
class Edit:
    """A change of inputs that should change no answer: a name, words for the report, and the change of one part.

    ``moves`` says that what is on the input lies elsewhere afterwards, so that answers that tell places do change.
    """

    name: str
    title: str
    apply: Callable[[Any, np.random.Generator], Any]
    moves: bool = False


@dataclass(frozen=True)
class Looked:
    """A table that is to be checked, with what is known of it.

    Parameters
    ----------
    columns : tuple of str
        Those the model reads.
    targets : array or None
        Encoded; -1 or NaN where missing.
    clusters : int array (n,) or None
        Clusters of near duplicates, -1 for rows that have none.
    """

    table: Table
    roles: Roles
    columns: tuple[str, ...]
    targets: Array | None = None
    labels: tuple[str, ...] = ()
    clusters: Array | None = None
    split: Split | None = None
    seed: int = 0


class Medium:
    """A kind of input about which nothing is known: every answer is the cautious one."""

    name: ClassVar[str] = "other"
    one: ClassVar[str] = "row"
    """What one input is called in a sentence."""
    many: ClassVar[str] = "rows"
    general_words: ClassVar[str] = "ordinary inputs"
    rows_named: ClassVar[tuple[str, str]] = ("NEW.csv", "NEW_WITH_LABELS.csv")
    """What a command line shows where new data, and new data with labels, are to be named."""
    example: ClassVar[list[Any]] = []
    """What a line of Python passes to ``predict``."""

    def empty(self, rows: Sequence[Input]) -> Array:
        """True for rows with nothing to read: they teach nothing, and their answer is "I don't know"."""
        return self.unreadable(rows)

    def unreadable(self, rows: Sequence[Input]) -> Array:
        """True for rows that no network can be given, such as damaged pictures."""
        return np.zeros(len(rows), dtype=bool)

    def clusters(self, table: Table, columns: tuple[str, ...], seed: int) -> Array | None:
        """Cluster of near duplicates of every row, -1 for none; None where likeness is not known."""
        return None

    def checks(self, looked: Looked) -> dict[str, Check]:
        """Checks of a table by what they look at."""
        return {}

    def hash_of(self, row: Input) -> int:
        """A 64-bit number; inputs that differ in nothing that matters have the same."""
        return hash_parts(repr(part) for part in row) if isinstance(row, Sequence) else hash_parts([repr(row)])

    def sketches(self, rows: Sequence[Input]) -> Array:
        """What is kept of inputs to know near copies of them again, one line each; no input can be made out from it."""
        return np.empty((0, 0), dtype=np.uint8)

    def nearly_seen(self, rows: Sequence[Input], known: Array) -> Array:
        """True for rows that are near copies of one whose sketch is known."""
        return np.zeros(len(rows), dtype=bool)

    def edits(self) -> Sequence[Edit]:
        """Changes a good model does not mind."""
        return ()

    def variants(self, row: Input) -> list[Input]:
        """A few inputs made from one, of different sizes where sizes differ: enough to compare ways of computing."""
        return [row] * 4

    def forms(self, rows: Sequence[Input]) -> Mapping[str, Array]:
        """Parts of the rows that are alike in form, by name: a boolean array (n,) each."""
        return {}

    def out_of_scope(self, n_columns: int) -> list[Input]:
        """Inputs that concern no user's problem."""
        return []

    def general(self, n_columns: int) -> list[Input]:
        """Ordinary inputs, to see how far a network moved from its base."""
        return []

    def shown(self, row: Input) -> str:
        """An input in a line for a report, personal data masked."""
        return " | ".join(str(part) for part in row)

    def picture(self, row: Input, weights: Sequence[float] = ()) -> str:
        """A small picture of the input as a data URI, or ""; ``weights`` of its pieces are shown in it."""
        return ""

    def pieces(self, row: Input) -> list[tuple[str, Input]]:
        """Pieces of an input, each with the input from which it was taken away."""
        return []

    def measured(self, row: Input) -> Input:
        """The input as texts and numbers that may be logged and watched for drift."""
        return row

    def measured_columns(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Names of the parts of :meth:`measured`."""
        return tuple(columns)


def hash_parts(parts: Any) -> int:
    """A 64-bit number for texts in order."""
    import hashlib

    plain = "\x1f".join(parts)
    return int.from_bytes(hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def apply(edit: Edit, inputs: Sequence[Input], seed: int) -> list[Input]:
    """The edit on every part of every input, reproducibly."""
    rng = np.random.default_rng(seed)
    return [tuple(edit.apply(part, rng) for part in row) for row in inputs]


def hashes(medium: Medium, rows: Sequence[Input]) -> set[int]:
    """The hashes of many inputs."""
    return {medium.hash_of(row) for row in rows}


def unseen(medium: Medium, rows: Sequence[Input], seen: set[int] | frozenset[int]) -> Array:
    """True for rows that are not among those seen in training."""
    return np.array([medium.hash_of(row) not in seen for row in rows], dtype=bool)
