"""One pre-trained model that was found, checked and may be loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Base:
    """A base model on disk, in hub format, with safetensors weights.

    Parameters
    ----------
    id : str
        Name in the catalogue or on the hub, or the folder's name.
    revision : str
        Revision on the hub; "" for a local folder.
    digest : str
        SHA-256 of the weights (of the sorted digests where there are several files).
    licence : str
        SPDX identifier, or "unknown".
    folder : Path
        Folder with ``config.json``, ``*.safetensors`` and the tokenizer.
    how : str
        ``"embedded"``, ``"local"`` or ``"hub"``.
    architecture : str
        ``model_type`` of the configuration: "bert", "roberta", ...
    n_parameters : int
    size_mib : float
        Size of the weights on disk.
    max_length : int
        Longest input in tokens.
    languages : tuple of str
        ISO 639-1 codes, or ("many",).
    pooling : str
        How sentence vectors are made of token vectors where the folder says so: "mean", "cls" or "".
    """

    id: str
    revision: str
    digest: str
    licence: str
    folder: Path
    how: Literal["embedded", "local", "hub"]
    architecture: str
    n_parameters: int
    size_mib: float
    max_length: int
    languages: tuple[str, ...] = ()
    pooling: str = ""

    def provenance(self) -> dict[str, Any]:
        """What a bundle records of its base: everything but the folder."""
        return {
            "id": self.id,
            "revision": self.revision,
            "digest": self.digest,
            "licence": self.licence,
            "how": self.how,
            "architecture": self.architecture,
            "n_parameters": self.n_parameters,
            "languages": list(self.languages),
        }
