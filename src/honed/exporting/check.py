"""The proof of an export: the code of its README runs in a fresh process, without Honed, on real rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from honed.engines.agreement import Agreement, agreement
from honed.engines.rows import Rows
from honed.errors import BundleError
from honed.exporting.script import script
from honed.exporting.targets import Target
from honed.files import json_part
from honed.model import Model
from honed.tasks.contract import Array

AT_ONCE = 32
"""Rows a call gets; longer texts come together, so that little is padded."""
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_HARNESS = """
import sys
given, found = sys.argv[1:]
rows = json.load(open(given, encoding="utf-8"))
order = sorted(range(len(rows)), key=lambda i: -sum(len(str(part)) for part in rows[i]))
raw, said = [None] * len(rows), [None] * len(rows)
for start in range(0, len(order), AT_ONCE):
    part = order[start:start + AT_ONCE]
    some = [rows[i] for i in part]
    for i, numbers, answer in zip(part, outputs(some).tolist(), answers(some)):
        raw[i], said[i] = numbers, answer
assert not [name for name in sys.modules if name == "honed" or name.startswith("honed.")], "Honed was loaded"
json.dump({"outputs": raw, "answers": said}, open(found, "w", encoding="utf-8"))
"""


@dataclass(frozen=True)
class Check:
    """Outputs of the exported copy beside those of the model, and how often its answers in words are the same."""

    agreement: Agreement
    rows: int
    same_answers: float


def check_export(model: Model, target: Target, folder: Path, rows: Rows) -> Check:
    """Run the folder's own code on rows and compare.

    Raises
    ------
    BundleError [B033]
        It does not run, or gives other outputs than the format explains.
    """
    wanted = model.outputs(rows.inputs)
    outputs, answers = _run(script(model, target), folder, rows.inputs)
    if outputs.shape != wanted.shape:
        raise BundleError("B033", f"The exported model gives outputs of shape {outputs.shape}, not {wanted.shape}.")
    told = agreement(model, rows, wanted, outputs)
    if not told.difference <= target.tolerance:
        seen = f"The exported model's outputs differ by {100 * told.difference:.2g} % of the largest."
        raise BundleError("B033", seen, "Nothing was kept. Choose another format.")
    decoded = model.task.decode(outputs, model.problem, model.decision).labels
    same = float(np.mean([_equal(row["prediction"], label) for row, label in zip(answers, decoded, strict=True)]))
    if same < 1.0:
        seen = f"The exported model's own code turns {100 * (1 - same):.1f} % of the same outputs into other answers."
        raise BundleError("B033", seen, "Nothing was kept.")
    return Check(told, rows.n, same)


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return bool(np.isclose(found, wanted, rtol=1e-4, atol=1e-5))
    return bool(found == wanted)


def _run(source: str, folder: Path, inputs: list[Any]) -> tuple[Array, list[dict[str, Any]]]:
    """The folder's code in a process that knows nothing of this one; it runs isolated from this one's paths."""
    with tempfile.TemporaryDirectory(prefix="honed-export-") as scratch:
        given, found = Path(scratch) / "rows.json", Path(scratch) / "found.json"
        rows = [[row] if isinstance(row, str) else [json_part(part) for part in row] for row in inputs]
        given.write_text(json.dumps(rows), encoding="utf-8")
        code = source + _HARNESS.replace("AT_ONCE", str(AT_ONCE))
        command = [sys.executable, "-I", "-B", "-c", code, str(given), str(found)]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **_QUIET}
        )
        if done.returncode != 0 or not found.exists():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BundleError(
                "B033", f"The exported model does not run in a fresh process: {last}", "Nothing was kept."
            )
        read = json.loads(found.read_text(encoding="utf-8"))
    return np.array(read["outputs"], dtype=np.float32), read["answers"]
