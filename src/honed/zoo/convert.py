"""A pickled checkpoint becomes safetensors once, through the gate; it is never read as a pickle again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from honed.files import whole_file
from honed.zoo.pickle_gate import read_checkpoint


def to_safetensors(source: Path | Sequence[Path], target: Path) -> Path:
    """Write the tensors of a checkpoint, or of all its parts, as safetensors; the source stays as it is.

    Raises
    ------
    ZooError [Z030, Z031], RunError [R010, R011]
    """
    from safetensors.torch import save_file

    parts = [source] if isinstance(source, str | Path) else source
    tensors = {name: tensor for part in parts for name, tensor in read_checkpoint(Path(part)).items()}
    with whole_file(Path(target)) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    return Path(target)
