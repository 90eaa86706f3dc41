"""The manifest of a bundle: what it is, where it comes from, and the digest of every file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from honed.errors import BundleError
from honed.files import read_json

FORMAT_VERSION = 1
MANIFEST, SIGNATURE = "manifest.json", "signature.json"
OUTSIDE = (MANIFEST, SIGNATURE)
"""Files that the digests do not cover: the manifest holds them, the signature covers the manifest."""


@dataclass(frozen=True)
class Manifest:
    """Contents of ``manifest.json``, plain JSON types."""

    name: str
    task: str
    task_version: int
    predictor: str
    honed_version: str
    created: str
    base: dict[str, Any]
    trained: dict[str, Any]
    schemas: dict[str, Any]
    files: dict[str, str]
    verdict: str = "not evaluated"
    format_version: int = FORMAT_VERSION
    versions: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The manifest as plain JSON types."""
        return asdict(self)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle, brought to today's format.

    Raises
    ------
    BundleError [B001, B002, B003]
        No bundle, a damaged manifest, or one of a newer Honed.
    """
    if not (folder / MANIFEST).is_file():
        raise BundleError(
            "B001",
            f"{folder} is no bundle: it has no {MANIFEST}.",
            "Pass the folder that finetune wrote, such as runs/NAME/model.",
        )
    try:
        facts = read_json(folder / MANIFEST)
        version = int(facts["format_version"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise BundleError(
            "B002", f"The manifest in {folder} is damaged.", "Take an undamaged copy of the bundle."
        ) from error
    if version > FORMAT_VERSION:
        seen = f"The bundle {folder} has format {version}; this Honed reads up to {FORMAT_VERSION}."
        raise BundleError("B003", seen, "Install a newer Honed.")
    for step in range(version, FORMAT_VERSION):
        facts = UPGRADES[step](facts)
    try:
        return Manifest(**facts)
    except TypeError as error:
        raise BundleError(
            "B002", f"The manifest in {folder} is damaged.", "Take an undamaged copy of the bundle."
        ) from error


UPGRADES: dict[int, Any] = {}
"""For each old format the function that turns its manifest into the next format's. Bundles open for ever."""
