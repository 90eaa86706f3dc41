"""Processes that know nothing of a model yet, at a fifth of their price: copies of one that has loaded torch and transformers only.

What every ``finetune`` of the tests proves, that its bundle opens in another process, needs no process that loads torch anew:
that is proven where the tests of tasks, verbs and servers start real ones.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

LOADED = (
    "numpy", "pyarrow", "scipy.sparse", "sklearn.linear_model", "safetensors.torch", "torch", "torchvision",
    "transformers.models.auto.modeling_auto", "transformers.models.bert.modeling_bert",
)  # fmt: skip
"""What a copy has loaded before it begins; nothing of Honed."""

ALONE = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}  # fmt: skip
"""With these no library begins a thread when it is loaded."""


class Warm:
    """Runs ``python -m MODULE`` in copies of one process; stands where ``subprocess`` does."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        """As ``subprocess.run`` with ``capture_output`` and ``text``."""
        python, flag, module, *arguments = command
        assert (python, flag) == (sys.executable, "-m")
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **ALONE},
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory(prefix="honed-warm-") as folder:
            order = {"module": module, "arguments": arguments, "folder": folder, "cwd": str(Path.cwd())}
            self._process.stdin.write(json.dumps({**order, "environment": dict(os.environ)}) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            told = [Path(folder, name).read_text(encoding="utf-8") for name in ("out", "err")]
        return subprocess.CompletedProcess(command, code, *told)

    def end(self) -> None:
        """No more copies."""
        if self._process is not None:
            self._process.communicate()


def _serve() -> None:
    """Make a copy for each order; a copy ends with its order."""
    for name in LOADED:
        importlib.import_module(name)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "other threads would be missing in a copy"
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_obey(json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _obey(order: dict[str, Any]) -> int:
    for number, name in enumerate(("out", "err"), 1):
        os.dup2(os.open(Path(order["folder"], name), os.O_WRONLY | os.O_CREAT), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["cwd"])
    sys.argv = [order["module"], *order["arguments"]]
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    _serve()
