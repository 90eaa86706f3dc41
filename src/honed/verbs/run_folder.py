"""The folder of a run: its name, what it was started with, and whether it can go on."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from honed.config import as_yaml
from honed.errors import RunError
from honed.files import read_json, tell_os_error, whole_file, write_json
from honed.progress import Progress

STATE, LOCK = "state.json", ".lock"


@dataclass
class RunState:
    """What a run was started with; ``finished`` once its report is written."""

    name: str
    data: str
    data_digest: str
    test: str
    settings: dict[str, Any]
    finished: bool = False
    verb: str = "finetune"

    def save(self, folder: Path) -> None:
        """Write ``state.json``."""
        write_json(folder / STATE, asdict(self))


def read_state(folder: Path, verb: str | None = None) -> RunState:
    """What a run was started with.

    Raises
    ------
    RunError [R030]
        The folder holds no run, or one of another verb than asked for.
    """
    try:
        state = RunState(**read_json(folder / STATE))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            "R030", f"{folder} holds no run to resume.", "Pass the folder that finetune made, such as runs/NAME."
        ) from error
    if verb and state.verb != verb:
        raise RunError(
            "R030", f"The run in {folder} is one of {state.verb}.", f"Go on with honed {state.verb} --resume."
        )
    return state


def _started_with(state: RunState) -> tuple[Any, ...]:
    return state.verb, state.data_digest, state.settings, state.test


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run folder while this one works in it. The system lets go when a process dies.

    Raises
    ------
    RunError [R032]
        Another process is at work there.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / LOCK).open("a")
    except OSError as error:
        raise tell_os_error(error, folder) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            seen = f"Another process is at work on this run in {folder}."
            raise RunError("R032", seen, "Wait for it, or choose another folder with --out.") from None
        except OSError:
            pass  # a file system without locks
        try:
            yield
        finally:
            (folder / LOCK).unlink(missing_ok=True)
            for place in made:  # a run that failed before it began leaves no empty folder
                with suppress(OSError):
                    place.rmdir()


def run_name(source: Any) -> str:
    """A name for a run from its data: tickets.csv gives "tickets"."""
    stem = Path(str(source)).name.split(".")[0] if isinstance(source, str | Path) else "run"
    return re.sub(r"[^\w-]+", "-", stem).strip("-").lower() or "run"


def choose_folder(out: Path, name: str, state: RunState) -> tuple[Path, bool]:
    """The folder for a run, and whether it goes on there: an unfinished run with the same data and settings does."""
    folder = out / name
    number = 1
    while (folder / STATE).exists():
        before = read_state(folder)
        if not before.finished and _started_with(before) == _started_with(state):
            return folder, True
        number += 1
        folder = out / f"{name}-{number}"
    return folder, False


def open_run(out: Path, state: RunState, resume: Path | None, progress: Progress) -> Path:
    """The folder to work in: a new one, that of an unfinished run with the same data and settings, or the one to resume.

    Raises
    ------
    RunError [R030]
        The data of the run to resume has changed.
    """
    folder, going_on = choose_folder(out, state.name, state) if resume is None else (resume, True)
    if resume is not None and read_state(folder).data_digest != state.data_digest:
        raise RunError(
            "R030", f"The data of the run {folder} has changed since it began.", "Start a new run without --resume."
        )
    if going_on:
        progress.say(f"Going on with the run in {folder}.")
    return folder


def begin_run(folder: Path, state: RunState, config: Any) -> None:
    """Write what the run was started with: ``state.json`` and ``config.yaml``. Raises RunError where that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        state.save(folder)
        with whole_file(folder / "config.yaml") as temporary:
            temporary.write_text(as_yaml(config), encoding="utf-8")
    except OSError as error:
        raise tell_os_error(error, folder) from error
