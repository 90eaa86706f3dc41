"""The zoo: pre-trained models worth starting from, as data in ``catalogue.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from honed.zoo.embedded import NAME


@dataclass(frozen=True)
class Entry:
    """One model of the zoo. ``revision`` "" and ``digest`` "" mean that they are recorded at the first download.

    ``file`` is the checkpoint's name in its makers' own zoo, where it is on no hub.
    """

    id: str
    hub: str
    licence: str
    n_parameters: int
    languages: tuple[str, ...]
    tasks: tuple[str, ...]
    max_length: int
    good_for: str
    revision: str = ""
    digest: str = ""
    status: str = ""
    file: str = ""

    @property
    def size_mib(self) -> float:
        """Size of the weights in float32."""
        return self.n_parameters * 4 / 2**20


@cache
def catalogue() -> tuple[Entry, ...]:
    """All entries, smallest first, the embedded one before all."""
    text = resources.files("honed.zoo").joinpath("catalogue.toml").read_text(encoding="utf-8")
    entries = [
        Entry(**{**fields, "id": id_, "languages": tuple(fields["languages"]), "tasks": tuple(fields["tasks"])})
        for id_, fields in tomllib.loads(text).items()
    ]
    return tuple(sorted(entries, key=lambda entry: (entry.id != NAME, entry.n_parameters)))


def find(name: str) -> Entry | None:
    """The entry with this id or hub name."""
    return next((entry for entry in catalogue() if name in (entry.id, entry.hub)), None)
