"""A base that writes text: a folder in hub format with a decoder, checked without loading its weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from honed.errors import ZooError
from honed.networks.decoders.shape import KINDS
from honed.zoo.base import Base
from honed.zoo.local import base_of, converted, count_parameters, found_folder, json_of, need_tokenizer, weights_of


def decoder_base(
    folder: Path, *, name: str = "", revision: str = "", how: Literal["embedded", "local", "hub"] = "local"
) -> Base:
    """Check a folder and describe the decoder in it, without loading its weights.

    Raises
    ------
    ZooError [Z010, Z011, Z012, Z013, Z014, Z015]
        No folder, no configuration, no safetensors, a damaged file, no tokenizer, a model that writes no text, a part missing.
    """
    folder, name, revision = found_folder(folder, name, revision)
    config = config_in(folder)
    weights = weights_of(folder) or [converted(folder)]
    n_parameters = sum(count_parameters(path) for path in weights)
    need_tokenizer(folder)
    base = base_of(folder, weights, n_parameters, name, revision, how, str(config["model_type"]))
    return dataclasses.replace(base, max_length=context_of(config))


def context_of(config: dict[str, Any]) -> int:
    """How many tokens the model reads at most."""
    names = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "n_ctx")
    return int(next((config[name] for name in names if isinstance(config.get(name), int)), 1024))


def config_in(folder: Path) -> dict[str, Any]:
    """What config.json of a decoder's folder says.

    Raises
    ------
    ZooError [Z011, Z014]
        There is none that names a model; it is no decoder, or brings its own code.
    """
    config = json_of(folder / "config.json")
    if not config.get("model_type"):
        seen = f"The folder {folder} holds no model in hub format: config.json is missing or names no model_type."
        raise ZooError("Z011", seen, "Pass the folder that holds config.json, the weights and the tokenizer.")
    check_writes(folder, config)
    return config


def check_writes(folder: Path, config: dict[str, Any]) -> None:
    """Refuse what is no decoder, or brings its own code.

    Raises
    ------
    ZooError [Z014]
    """
    kind = str(config["model_type"])
    if not config.get("auto_map") and not config.get("is_encoder_decoder") and _continues(kind, config):
        return
    own = "brings its own code, which Honed never runs" if config.get("auto_map") else "is none that continues a text"
    raise ZooError(
        "Z014", f'The model in {folder} ("{kind}") {own}.', "Choose a decoder such as GPT-2, Llama, Mistral or Qwen."
    )


def _continues(kind: str, config: dict[str, Any]) -> bool:
    """The architecture reads from left to right; of those that Honed computes itself that is known without transformers."""
    if kind in KINDS:
        return True
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

    return kind in KNOWN and (kind not in MASKED or bool(config.get("is_decoder")))
