"""Decoders from folders in hub format: into our own module where it computes the same, else through transformers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from honed.errors import ZooError
from honed.files import write_json
from honed.networks.decoders.any_decoder import AnyDecoder
from honed.networks.decoders.decoder import Decoder
from honed.networks.decoders.foreign import ForeignDecoder
from honed.networks.decoders.hub_names import from_hub, hub_names, plain
from honed.networks.decoders.shape import Shape, shape_of
from honed.networks.decoders.vocabulary import Vocabulary, vocabulary_in
from honed.networks.undrawn import undrawn
from honed.zoo.decoders import config_in, context_of
from honed.zoo.local import converted, weights_of

_DERIVED = re.compile(r"(rotary_emb\.inv_freq|attn\.(masked_)?bias)$")
"""Tensors that some files carry and that follow from the configuration."""


@dataclass(frozen=True)
class Loaded:
    """A decoder in hand.

    Parameters
    ----------
    network : Decoder or ForeignDecoder
        See :class:`~honed.networks.decoders.any_decoder.AnyDecoder`.
    vocabulary : Vocabulary
    folder : Path
        Where it is from.
    """

    network: Any
    vocabulary: Vocabulary
    folder: Path

    @property
    def shape(self) -> Shape | None:
        """That of our own decoder; None for a model of transformers."""
        found = self.network.shape
        return found if isinstance(found, Shape) else None

    @property
    def context(self) -> int:
        """How many tokens it reads at most."""
        return int(self.network.shape.context)


def load_decoder(
    folder: Path | str, *, dtype: torch.dtype = torch.float32, own: bool = True, device: str = "cpu"
) -> Loaded:
    """The decoder and the tokenizer of a folder in hub format.

    Parameters
    ----------
    dtype : torch.dtype
        Of the weights in memory.
    own : bool
        False computes by transformers even where our own module could.
    device : str
        Where the weights lie; :func:`~honed.networks.devices.best_device` for a decoder that is to write.

    Raises
    ------
    ZooError [Z011, Z012, Z013, Z014, Z015, Z016]
        Something is missing, damaged or does not fit; nothing is initialised anew in silence.
    """
    folder = Path(folder)
    config = config_in(folder)
    shape = shape_of(config) if own else None
    network = _own(folder, shape, dtype) if shape is not None else _foreign(folder, dtype, context_of(config))
    return Loaded(network.to(device).eval(), vocabulary_in(folder), folder)


def save_decoder(network: AnyDecoder, vocabulary: Vocabulary, folder: Path) -> None:
    """Write a decoder and its tokenizer as a folder in hub format, which transformers opens as well."""
    network.save(folder, begin=vocabulary.begin, ends=list(vocabulary.ends) or None)
    save_vocabulary(vocabulary, folder)


def save_vocabulary(vocabulary: Vocabulary, folder: Path) -> None:
    """The tokenizer beside a model in hub format, with its special tokens and chat template."""
    vocabulary.core.save(str(folder / "tokenizer.json"))
    told: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
    if vocabulary.begin is not None:
        told["bos_token"] = vocabulary.core.id_to_token(vocabulary.begin)
    if vocabulary.ends:
        told["eos_token"] = vocabulary.core.id_to_token(vocabulary.ends[0])
    write_json(folder / "tokenizer_config.json", told)
    if vocabulary.chat is not None:
        (folder / "chat_template.jinja").write_text(vocabulary.chat.source, encoding="utf-8")


def _own(folder: Path, shape: Shape, dtype: torch.dtype) -> Decoder:
    given = _tensors(weights_of(folder) or [converted(folder)], dtype)
    known = hub_names(shape)
    strange = sorted(name for name in given if known.isdisjoint({plain(name)}) and not _DERIVED.search(name))
    if strange:
        raise _unfit(folder, f"{strange[0]} and {len(strange) - 1} other tensors are none of a {shape.kind}")
    try:
        state = from_hub(shape, given)
    except KeyError as error:
        raise _unfit(folder, f"{error.args[0]} is missing from the weights") from error
    with undrawn():
        network = Decoder(shape)
    wanted = network.state_dict()
    for name, value in wanted.items():
        if state[name].shape != value.shape:
            seen = f"{name} is {tuple(state[name].shape)} in the weights and {tuple(value.shape)} by the configuration"
            raise _unfit(folder, seen)
    network.load_state_dict(state, assign=True)
    if shape.tied:
        network.head.weight = network.tokens.weight
    return network


def _tensors(paths: list[Path], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = {name: value for path in paths for name, value in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise ZooError("Z012", f"The weights in {paths[0].parent} are damaged.", "Fetch them again.") from error
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in found.items()}


def _foreign(folder: Path, dtype: torch.dtype, context: int) -> ForeignDecoder:
    from transformers import AutoModelForCausalLM

    from honed.networks.quiet import quiet

    if not weights_of(folder):
        converted(folder)
    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True, "trust_remote_code": False}
    try:
        with quiet():
            found: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, output_loading_info=True, **options)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise _unfit(folder, f"transformers cannot load it ({str(error)[:200]})") from error
    network, told = found
    missing = sorted(set(told["missing_keys"]))
    if missing or told.get("mismatched_keys"):
        raise _unfit(folder, f"{(missing or sorted(told['mismatched_keys']))[0]} is missing or of another shape")
    return ForeignDecoder(network, context)


def _unfit(folder: Path, why: str) -> ZooError:
    return ZooError("Z016", f"Weights and configuration in {folder} do not fit: {why}.", "Fetch the model again.")
