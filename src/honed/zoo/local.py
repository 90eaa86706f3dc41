"""A base from a folder in hub format: configuration, safetensors weights, tokenizer."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from pathlib import Path
from typing import Any, Literal

from honed.errors import ZooError
from honed.files import sha256
from honed.zoo.base import Base
from honed.zoo.licence import licence_of

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spm.model", "sentencepiece.bpe.model", "spiece.model")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer")
"""Architectures that number positions from 2, so that two of them cannot be used."""
ENCODER_HEADS = "AutoModelForSequenceClassification"
_digests: dict[tuple[str, int, int], str] = {}


def local_base(
    folder: Path, *, name: str = "", revision: str = "", how: Literal["embedded", "local", "hub"] = "local"
) -> Base:
    """Check a folder and describe the model in it, without loading its weights.

    Raises
    ------
    ZooError [Z010, Z011, Z012, Z013, Z014, Z015]
        No folder, no configuration, no safetensors, a damaged file, no tokenizer, a model of another kind, or a part missing.
    """
    folder, name, revision = found_folder(folder, name, revision)
    config = _config(folder)
    weights = weights_of(folder) or [converted(folder)]
    n_parameters = sum(count_parameters(path) for path in weights)
    _check_kind(folder, config)
    need_tokenizer(folder)
    base = base_of(folder, weights, n_parameters, name, revision, how, config["model_type"])
    return dataclasses.replace(base, max_length=_max_length(folder, config), pooling=_pooling(folder))


def need_tokenizer(folder: Path) -> None:
    """Raises ZooError [Z013] for a folder without a tokenizer."""
    if not any((folder / file).exists() for file in TOKENIZER_FILES):
        raise ZooError("Z013", f"The folder {folder} has no tokenizer.", "Save the tokenizer beside the weights.")


def found_folder(folder: Path, name: str, revision: str) -> tuple[Path, str, str]:
    """The folder that holds a model, with its name and revision where it lies in a hub's cache.

    Raises
    ------
    ZooError [Z010]
        There is none.
    """
    folder = Path(folder)
    snapshot = snapshot_in(folder)
    if snapshot is not None:
        name, revision, folder = name or _hub_name(folder), revision or snapshot.name, snapshot
    if not folder.is_dir():
        raise ZooError("Z010", f"There is no folder {folder}.", "Check --base: a name of `honed models` or a folder.")
    return folder, name or folder.name, revision


def base_of(
    folder: Path,
    weights: list[Path],
    n_parameters: int,
    name: str,
    revision: str,
    how: Literal["embedded", "local", "hub"],
    architecture: str,
) -> Base:
    """What can be said of a base whatever it reads."""
    return Base(
        id=name,
        revision=revision,
        digest=digest_of(weights),
        licence=licence_of(folder),
        folder=folder,
        how=how,
        architecture=architecture,
        n_parameters=n_parameters,
        size_mib=sum(path.stat().st_size for path in weights) / 2**20,
        max_length=0,
    )


def snapshot_in(folder: Path) -> Path | None:
    """The snapshot to use where a folder is a model's place in a hub's cache (``models--org--name``), else None."""
    snapshots = folder / "snapshots"
    if not snapshots.is_dir() or (folder / "config.json").exists():
        return None
    main = folder / "refs" / "main"
    named = snapshots / main.read_text(encoding="utf-8").strip() if main.is_file() else None
    if named is not None and named.is_dir():
        return named
    there = sorted((path for path in snapshots.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    return there[-1] if there else None


def _hub_name(folder: Path) -> str:
    return folder.name.removeprefix("models--").replace("--", "/") if folder.name.startswith("models--") else ""


def weights_of(folder: Path) -> list[Path]:
    """The files transformers would read: one whole file, else the parts an index names, else any safetensors."""
    whole = folder / "model.safetensors"
    if whole.exists() or whole.is_symlink():
        return [_there(whole)]
    parts = _parts(folder / "model.safetensors.index.json")
    if parts:
        return parts
    found = sorted(folder.glob("*.safetensors"))
    return [_there(path) for path in [path for path in found if path.name.startswith("model")] or found]


def _parts(index: Path) -> list[Path]:
    """Files an index of sharded weights names; all must be there."""
    named = json_of(index).get("weight_map") or {}
    return [_there(index.parent / Path(name).name) for name in sorted(set(map(str, named.values())))]


def _there(path: Path) -> Path:
    if not path.exists():
        linked = " (the link to it leads nowhere)" if path.is_symlink() else ""
        seen = f"{path.name}, a part of the weights, is missing from {path.parent}{linked}."
        raise ZooError("Z015", seen, "Fetch the model again, all of its files.")
    return path


def _config(folder: Path) -> dict[str, Any]:
    config = json_of(folder / "config.json")
    if not config.get("model_type"):
        seen = f"The folder {folder} holds no model in hub format: config.json is missing or names no model_type."
        raise ZooError("Z011", seen, "Pass the folder that holds config.json, the weights and the tokenizer.")
    return config


def json_of(path: Path) -> dict[str, Any]:
    """A JSON object in a file; an empty one where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _check_kind(folder: Path, config: dict[str, Any]) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as KNOWN

    if config["model_type"] not in KNOWN or config.get("auto_map"):
        own = "brings its own code, which Honed never runs" if config.get("auto_map") else "cannot classify text"
        seen = f'The model in {folder} ("{config["model_type"]}") {own}.'
        raise ZooError("Z014", seen, "Choose an encoder such as BERT, RoBERTa, DeBERTa or ModernBERT.")


def count_parameters(path: Path) -> int:
    """Numbers in a safetensors file, read from its header; the file's length is checked against it.

    Raises
    ------
    ZooError [Z012]
        The file is cut short or is not safetensors.
    """
    try:
        with path.open("rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            if size > 100_000_000:
                raise ValueError(size)
            header = json.loads(stream.read(size))
        tensors = [value for key, value in header.items() if key != "__metadata__"]
        end = max(tensor["data_offsets"][1] for tensor in tensors)
        if path.stat().st_size != 8 + size + end:
            raise ValueError("length")
    except (OSError, ValueError, KeyError, struct.error) as error:
        seen = f"{path} is damaged or no safetensors file."
        raise ZooError("Z012", seen, "Fetch the weights again.") from error
    return sum(_product(tensor["shape"]) for tensor in tensors)


def _product(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def converted(folder: Path) -> Path:
    """Weights that lie there as a pickle only: checked by the gate, converted once, never loaded as pickle again."""
    pickles = _parts(folder / "pytorch_model.bin.index.json")
    pickles = pickles or sorted(path for pattern in PICKLES for path in folder.glob(pattern))[:1]
    if not pickles:
        raise ZooError("Z011", f"The folder {folder} holds no weights (*.safetensors).", "Fetch the weights as well.")
    from honed.zoo.convert import to_safetensors

    return to_safetensors(pickles, folder / "model.safetensors")


def digest_of(weights: list[Path]) -> str:
    """SHA-256 of the weights; of the sorted digests where there are several files."""
    found = sorted(_one_digest(path) for path in weights)
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def _one_digest(path: Path) -> str:
    facts = path.stat()
    key = (str(path.resolve()), facts.st_size, facts.st_mtime_ns)
    if key not in _digests:
        _digests[key] = sha256(path)
    return _digests[key]


def _max_length(folder: Path, config: dict[str, Any]) -> int:
    positions = int(config.get("max_position_embeddings") or 512)
    positions -= 2 if config["model_type"] in OFFSET_POSITIONS else 0
    stated = json_of(folder / "tokenizer_config.json").get("model_max_length") or positions
    return int(min(positions, stated))


def _pooling(folder: Path) -> str:
    facts = json_of(folder / "1_Pooling" / "config.json")
    if facts.get("pooling_mode_mean_tokens"):
        return "mean"
    return "cls" if facts.get("pooling_mode_cls_token") else ""
