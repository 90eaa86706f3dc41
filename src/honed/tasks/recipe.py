"""How a network is used without Honed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recipe:
    """How a network is used without Honed: what an export writes beside the weights.

    A network that can be exported has a method ``recipe()`` that gives one. In all sources ``np`` is numpy, ``folder`` the
    path of the exported folder, and ``rows`` a list with one list of column values for each row.

    Parameters
    ----------
    write : callable (folder)
        Writes the preprocessing, such as a tokenizer, as plain files.
    imports : tuple of str
        Import lines that ``encode`` needs.
    encode : str
        Python source that defines ``encode(rows)``: a dictionary of the network's input arrays.
    packages : tuple of str
        What those imports come from.
    transformers : str
        Python source that defines ``outputs(rows)`` with the transformers library on what ``save`` wrote, or "".
    settles : bool
        ``encode`` also defines ``settle(numbers, batch)``: the outputs, from what other runtimes compute of a batch.
    """

    write: Callable[[Path], None]
    imports: tuple[str, ...]
    encode: str
    packages: tuple[str, ...] = ()
    transformers: str = ""
    settles: bool = False
