"""Decoders that were not fine-tuned, as things to be served: a folder in hub format, a GGUF file, a checkpoint of llama2.c."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

from honed.bundle.manifest import Manifest
from honed.errors import ServeError
from honed.files import sha256
from honed.tasks.registry import task_for

PLAIN = "model"
"""What ``pretrain`` calls its folders; the run's name says more."""


def manifest_of(path: Path) -> Manifest:
    """What is told of a base; it reads no rows.

    Raises
    ------
    ServeError [H024]
        A file cannot be read.
    """
    path = path.resolve()
    name = path.parent.name if path.name == PLAIN else path.stem if path.is_file() else path.name
    try:
        created = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC).isoformat(timespec="seconds")
    except OSError as error:
        raise ServeError("H024", f"The model {path} cannot be read.", "Check its place and its rights.") from error
    empty = {"type": "object", "properties": {}, "examples": [{}]}
    return Manifest(
        name, task_for("text", "text").name, 1, "base", "", created, {}, {}, {"input": empty, "output": empty}, {}
    )


def version_of(path: Path) -> str:
    """The version of a base: the first 12 digits of the SHA-256 of its files' digests."""
    files = [path] if path.is_file() else sorted(one for one in path.iterdir() if one.is_file())
    told = "".join(f"{one.name} {sha256(one)}\n" for one in files)
    return hashlib.sha256(told.encode()).hexdigest()[:12]
