"""``honed`` in the process of the tests, as its entry point runs it: without the seconds that a new Python takes to load torch."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from unittest import mock

from honed.cli.edge import run_safely

Done = subprocess.CompletedProcess[str]


def honed_command(*words: object, given: str = "", folder: Path | None = None) -> Done:
    """What a command writes and its exit code; ``given`` is its standard input, ``folder`` where it runs. Faults are raised."""
    from honed.cli.main import app

    command = ["honed", *map(str, words)]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    stdin = io.TextIOWrapper(io.BytesIO(given.encode()), "utf-8")
    with (
        mock.patch.object(sys, "argv", command), mock.patch.object(sys, "stdin", stdin),
        contextlib.chdir(folder or Path.cwd()), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
    ):  # fmt: skip
        code = run_safely(app)
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(command, code, *texts)
