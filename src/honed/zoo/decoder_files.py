"""Decoders that come as one file of another program (llama2.c, GGUF): read once, then a folder in hub format for ever."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from honed.errors import ZooError
from honed.files import sha256, whole_folder, write_json
from honed.zoo.legacy import cache_folder

MOST_SHARD_BYTES = 2 * 2**30


def is_decoder_file(path: Path) -> bool:
    """A file that may hold a decoder: ``*.gguf``, or ``*.bin`` of llama2.c."""
    return path.is_file() and path.suffix.lower() in (".gguf", ".bin")


def converted_decoder(path: Path) -> Path:
    """A folder in hub format with the decoder of a file; converted the first time it is seen.

    Raises
    ------
    ZooError [Z013, Z031, Z032, Z040, Z041, Z042, Z043]
        Damaged, or of a kind that Honed does not know.
    """
    folder = cache_folder() / "converted" / f"{path.stem}-{sha256(path)[:16]}"
    if (folder / "config.json").is_file():
        return folder
    config, weights, tokenizer, told = _from_gguf(path) if path.suffix.lower() == ".gguf" else _from_llama2c(path)
    with whole_folder(folder) as place:
        _write_weights(weights, place)
        tokenizer.save(str(place / "tokenizer.json"))
        write_json(place / "tokenizer_config.json", told)
        ends = {name: value for name, value in config.items() if name.endswith("_token_id")}
        write_json(place / "generation_config.json", ends)
        write_json(place / "config.json", config)
        for name in ("LICENSE", "LICENCE"):
            if (path.parent / name).is_file():
                (place / "LICENSE").write_bytes((path.parent / name).read_bytes())
    return folder


def _from_llama2c(path: Path) -> tuple[dict[str, Any], Iterable[tuple[str, Any]], Any, dict[str, Any]]:
    from honed.zoo.llama2c import header_of, read_llama2c

    header = header_of(path)
    if header is None:
        seen = f"{path.name} is no checkpoint of llama2.c: its length is not what its first seven numbers say."
        raise ZooError("Z032", seen, "Pass a folder in hub format (config.json and model.safetensors), or a GGUF file.")
    config, tensors, tokenizer = read_llama2c(path, header)
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return config, tensors.items(), tokenizer, told


def _from_gguf(path: Path) -> tuple[dict[str, Any], Iterable[tuple[str, Any]], Any, dict[str, Any]]:
    import torch

    from honed.zoo.gguf.header import read_head
    from honed.zoo.gguf.tokens import tokenizer_of
    from honed.zoo.gguf.weights import configuration, tensors

    file = read_head(path)
    config = configuration(file)
    tokenizer, told = tokenizer_of(file)
    return config, ((name, torch.from_numpy(value)) for name, value in tensors(file, config)), tokenizer, told


def _write_weights(weights: Iterable[tuple[str, Any]], place: Path) -> None:
    """One file where it is small; else parts of bounded size and the index that names them, so that memory stays bounded too."""
    from safetensors.torch import save_file

    part: dict[str, Any] = {}
    shards: list[list[str]] = []

    def flush() -> None:
        if part:
            shards.append(list(part))
            save_file(
                {name: value.contiguous() for name, value in part.items()},
                place / f"part-{len(shards):05d}.safetensors",
            )
            part.clear()

    for name, value in weights:
        if part and sum(one.nbytes for one in part.values()) + value.nbytes > MOST_SHARD_BYTES:
            flush()
        part[name] = value
    flush()
    if len(shards) == 1:
        (place / "part-00001.safetensors").rename(place / "model.safetensors")
        return
    names: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        (place / f"part-{number:05d}.safetensors").rename(place / file)
        names |= dict.fromkeys(shard, file)
    write_json(place / "model.safetensors.index.json", {"metadata": {}, "weight_map": names})
