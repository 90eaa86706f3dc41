"""Small sets of pictures for tests, and their findings."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from honed.data.picture_sets import read_picture_set
from honed.data.table import Table
from honed.finding import Finding


def draw(path: Path, size: tuple[int, int] = (60, 40), seed: int | None = None, **options: object) -> Path:
    """A picture of noise; every one differs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(str(path).encode()) if seed is None else seed)
    Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(path, **options)
    return path


def read(path: Path) -> Table:
    table = read_picture_set(path)
    assert table is not None
    return table


def told(table: Table, kind: str) -> Finding:
    """The one finding of this kind."""
    (found,) = [finding for finding in table.findings if finding.details["kind"] == kind]
    assert found.remedy and found.n_rows and found.examples
    return found


def kinds(table: Table) -> set[str]:
    return {finding.details["kind"] for finding in table.findings}


def public(path: str) -> Path:
    """A public data set; the test is skipped where it is absent."""
    place = Path(os.environ.get("HONED_DATA", "../shared/data")) / path
    if not place.exists():
        pytest.skip(f"needs {path} in HONED_DATA")
    return place
