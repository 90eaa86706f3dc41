"""Files written whole or not at all, and digests of what was written."""

from __future__ import annotations

import atexit
import base64
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from honed.errors import RunError


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def tell_os_error(error: OSError, path: Path) -> RunError:
    """The operating system's refusal to write, as one coded sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError("R010", f"The disk under {path} is full.", "Free some space, or choose another folder.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return RunError("R011", f"Writing to {path} is not permitted.", "Choose a folder you may write to.")
    return RunError("R012", f"Writing {path} failed: {error.strerror or error}.", "Check the folder and try again.")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside ``target`` that takes its place when the block ends well.

    A crash or an error leaves the old folder or none, never a half-written one.

    Raises
    ------
    RunError [R010, R011, R012]
        The disk is full, or the place may not be written.
    """
    target = Path(target).absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise tell_os_error(error, target) from error
    try:
        yield temporary
        temporary.chmod(0o755)
        for path in temporary.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        _replace_folder(temporary, target)
    except OSError as error:
        raise tell_os_error(error, target) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace_folder(new: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A temporary path beside ``target`` that takes its place when the block ends well.

    Raises
    ------
    RunError [R010, R011, R012]
        The disk is full, or the place may not be written.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise tell_os_error(error, target) from error
    finally:
        temporary.unlink(missing_ok=True)


def passing_folder(prefix: str) -> Path:
    """A new folder for temporary files, removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def as_uri(content: bytes, kind: str = "") -> str:
    """The bytes of a file as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def json_part(part: Any) -> Any:
    """A part of an input as JSON has it: the bytes of a file as a data URI."""
    return as_uri(part) if isinstance(part, bytes) else part


def write_json(path: Path, value: Any) -> None:
    """Write plain JSON types, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read one JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
