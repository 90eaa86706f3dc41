"""Under which licence a model folder comes: its card says so, or a licence file does."""

from __future__ import annotations

import re
from pathlib import Path

_KNOWN = {
    "Apache License": "apache-2.0",
    "MIT License": "mit",
    "BSD 3-Clause": "bsd-3-clause",
    "Neither the name of": "bsd-3-clause",
    "Redistribution and use in source and binary forms": "bsd-2-clause",
    "Creative Commons Attribution-NonCommercial": "cc-by-nc-4.0",
}


def licence_of(folder: Path) -> str:
    """SPDX-like identifier in lower case, or "unknown"."""
    card = folder / "README.md"
    if card.is_file():
        found = re.search(
            r"^license:\s*[\"']?([\w.\-+]+)", card.read_text(encoding="utf-8", errors="replace")[:4000], re.M
        )
        if found:
            return found.group(1).lower()
    for name in ("LICENSE", "LICENSE.txt", "LICENCE", "LICENSE.md"):
        if (folder / name).is_file():
            text = (folder / name).read_text(encoding="utf-8", errors="replace")[:2000]
            return next((spdx for words, spdx in _KNOWN.items() if words.lower() in text.lower()), "unknown")
    return "unknown"
