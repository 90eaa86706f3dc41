"""What every code means: facts as data, one TOML file for each letter.

``honed explain CODE``, the documentation and the HTML report all read these entries.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Code:
    """One finding or error: its code, a title, what it means and what to do (plain sentences)."""

    code: str
    title: str
    meaning: str
    remedy: str


@cache
def catalogue() -> dict[str, Code]:
    """All codes, sorted, by code."""
    found: dict[str, Code] = {}
    for entry in resources.files(__name__).iterdir():
        if entry.name.endswith(".toml"):
            for code, fields in tomllib.loads(entry.read_text(encoding="utf-8")).items():
                found[code] = Code(code, fields["title"], fields["meaning"], fields["remedy"])
    return dict(sorted(found.items()))
