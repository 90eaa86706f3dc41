"""Decoders that were not fine-tuned, beside the bundles that were."""

from __future__ import annotations

from pathlib import Path

from honed.bundle.manifest import MANIFEST
from honed.zoo.decoder_files import is_decoder_file
from honed.zoo.local import json_of


def is_plain_decoder(path: Path) -> bool:
    """True for a file or folder that may hold a decoder and is no bundle of Honed, not even a damaged one."""
    if (path / MANIFEST).exists() or (path / "problem.json").exists():
        return False
    return is_decoder_file(path) or (path.is_dir() and bool(json_of(path / "config.json").get("model_type")))
