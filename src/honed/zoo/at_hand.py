"""The models of the zoo, and which of them are on this machine."""

from __future__ import annotations

import dataclasses

from honed.zoo.catalogue import Entry, catalogue
from honed.zoo.embedded import NAME
from honed.zoo.hub import cached_folder
from honed.zoo.own import OWN_BACKBONE, OWN_DETECTOR


def list_models(task: str | None = None) -> list[Entry]:
    """Entries (of a task) with ``status``: "embedded", "on this machine", "to be downloaded" or "as a file"."""

    def status(entry: Entry) -> str:
        if entry.id in (NAME, OWN_BACKBONE, OWN_DETECTOR):
            return "embedded"
        if entry.file:
            return "as a file"
        return "on this machine" if cached_folder(entry.hub) else "to be downloaded"

    return [dataclasses.replace(e, status=status(e)) for e in catalogue() if task is None or task in e.tasks]
