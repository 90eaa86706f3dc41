"""Tiny random decoders in hub format with a byte-level tokenizer, for tests of Honed and of plugins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from honed.testing.tiny_models import SENTENCES

_LLAMA: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}  # fmt: skip
_GPT2: dict[str, Any] = {"n_positions": 128, "n_embd": 32, "n_layer": 2, "n_head": 4}
SIZES: dict[str, dict[str, Any]] = {
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "mistral": {**_LLAMA, "sliding_window": 12},
    "qwen2": _LLAMA,
    "qwen3": {**_LLAMA, "head_dim": 16},
    "gpt_neox": {**_LLAMA, "num_key_value_heads": 4},
    "opt": {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128,
            "word_embed_proj_dim": 32},
    "gpt_neo": {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]],
                "max_position_embeddings": 128, "window_size": 16},
    "phi": {**_LLAMA, "num_key_value_heads": 4},
    "gptj": {"n_positions": 128, "n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4},
    "gemma": {**_LLAMA, "head_dim": 8},
}  # fmt: skip
"""Sizes by ``model_type``."""


def tiny_decoder(
    kind: str,
    folder: Path,
    *,
    sentences: Sequence[str] = SENTENCES,
    n_tokens: int = 320,
    seed: int = 0,
    shard: str = "1GB",
) -> Path:
    """Write a tiny decoder of an architecture, its weights large enough that no two tokens are nearly alike; returns the folder."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    from honed.networks.quiet import quiet

    core = tiny_tokenizer(sentences, n_tokens)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>")
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **ends, **SIZES[kind])
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        model.save_pretrained(folder, max_shard_size=shard)
        tokenizer.save_pretrained(folder)
    return folder


def tiny_tokenizer(sentences: Sequence[str] = SENTENCES, n_tokens: int = 320) -> Any:
    """A byte-level tokenizer with joined pairs of the sentences; 0 begins and 1 ends a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=n_tokens, special_tokens=["<s>", "</s>"], initial_alphabet=letters, show_progress=False
    )
    core.train_from_iterator(sentences, trainer)
    return core


def tiny_word_decoder(folder: Path, *, words: Sequence[str] = (), seed: int = 0) -> Path:
    """Write a tiny decoder of the Llama architecture with a tokenizer that knows the words; returns the folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    from honed.networks.decoders.decoder import Decoder
    from honed.networks.decoders.loading import save_decoder
    from honed.networks.decoders.shape import Shape
    from honed.networks.decoders.vocabulary import Vocabulary

    known = words or [word for sentence in SENTENCES for word in sentence.split()]
    tokens = ["[UNK]", "<s>", "</s>", "\n", *dict.fromkeys(f" {word}" for word in known), *dict.fromkeys(known)]
    core = Tokenizer(models.WordLevel({token: place for place, token in enumerate(tokens)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Split(_words_apart(), "isolated")
    core.decoder = decoders.Fuse()
    core.add_special_tokens(["<s>", "</s>"])
    shape = Shape("llama", len(tokens), 96, 48, 2, 4, 4, 12, 96, tied=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        save_decoder(Decoder(shape), Vocabulary(core, begin=1, ends=[2]), folder)
    return folder


def _words_apart() -> Any:
    from tokenizers import Regex

    return Regex(r"\n| ?[^\s]+|\s")
