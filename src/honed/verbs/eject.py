"""``eject``: one readable training script that repeats the fine-tuning of a run."""

from __future__ import annotations

from pathlib import Path


def eject(run: str | Path, out: str | Path | None = None) -> Path:
    """Write the script and return its path."""
    from honed.training.eject import write_script

    return write_script(Path(run), Path(out) if out else Path(run) / "train.py")
