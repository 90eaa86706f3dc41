"""From a name or a path to a base on disk: embedded, a local folder, or a hub."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from honed.progress import Progress, Silent
from honed.zoo.base import Base
from honed.zoo.catalogue import Entry, find
from honed.zoo.embedded import NAME, embedded_folder
from honed.zoo.local import local_base


def resolve(base: str | Path | None = None, *, progress: Progress | None = None) -> Base:
    """The base for a name of the catalogue, a folder, a hub name ("org/name@revision"), or the embedded one for None.

    Raises
    ------
    ZooError
        Unknown, unreachable, damaged, or not a text encoder; the message names the ways out.
    """
    progress = progress or Silent()
    if base is None or str(base) == NAME:
        return _described(local_base(embedded_folder(), name=NAME, how="embedded"), find(NAME))
    folder = Path(str(base)).expanduser()
    if folder.is_dir() or isinstance(base, Path) or str(base).startswith(("/", ".", "~")) or str(base).count("/") > 1:
        return local_base(folder)
    from honed.zoo.hub import hub_base

    entry = find(str(base))
    return _described(hub_base(entry.hub if entry else str(base), entry, progress), entry)


def _described(base: Base, entry: Entry | None) -> Base:
    return dataclasses.replace(base, languages=tuple(entry.languages), id=entry.id) if entry else base
