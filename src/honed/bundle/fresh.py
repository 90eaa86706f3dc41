"""The proof that a saved model is the model: it is opened in a fresh process and its outputs are compared."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from honed.errors import BundleError
from honed.files import json_part
from honed.tasks.contract import Array, Input
from honed.tasks.judging import Judging

DIFFER = Judging().differ
TOLERANCE = 1e-4
"""Largest allowed difference of an output, relative to the largest output: batches of other sizes round otherwise."""


def check_fresh(
    folder: Path, inputs: list[Input], expected: Array, differ: Callable[[Array, Array], float] = DIFFER
) -> float:
    """Open the bundle in a new process and compare outputs; returns the largest relative difference.

    Parameters
    ----------
    differ : callable
        How far outputs are from those expected, as the task's ``judging`` tells it.

    Raises
    ------
    BundleError [B010, B011]
        The outputs differ, or the new process could not open the bundle.
    """
    with tempfile.TemporaryDirectory(prefix="honed-") as scratch:
        given, found = Path(scratch) / "inputs.json", Path(scratch) / "outputs.npy"
        rows = [[json_part(part) for part in row] if isinstance(row, list | tuple) else row for row in inputs]
        given.write_text(json.dumps(rows), encoding="utf-8")
        command = [sys.executable, "-m", "honed.bundle.fresh", str(folder), str(given), str(found)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not found.exists():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BundleError(
                "B011", f"A fresh process could not open the saved model: {last}", "Report this as a fault of Honed."
            )
        outputs = np.load(found, allow_pickle=False)
    return compare(outputs, expected, differ)


def compare(outputs: Array, expected: Array, differ: Callable[[Array, Array], float] = DIFFER) -> float:
    """Largest difference relative to the largest output; raises BundleError [B010] when it is above the tolerance."""
    if outputs.shape != expected.shape:
        raise BundleError(
            "B010", f"The saved model gives outputs of shape {outputs.shape}, not {expected.shape}.", "Do not use it."
        )
    difference = differ(outputs, expected)
    if not difference <= TOLERANCE:
        seen = f"The saved model predicts differently from the trained one (by {difference:.2g})."
        raise BundleError("B010", seen, "The bundle was not kept. Report this as a fault of Honed.")
    return difference


def _main(folder: str, given: str, found: str) -> None:
    from honed.bundle.open import open_bundle

    rows: list[Any] = [
        tuple(row) if isinstance(row, list) else row for row in json.loads(Path(given).read_text(encoding="utf-8"))
    ]
    np.save(found, open_bundle(Path(folder)).outputs(rows))


if __name__ == "__main__":
    _main(*sys.argv[1:])
