"""Tiny randomly initialised models in hub format, for tests of Honed and of plugins: no network, a second each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

SENTENCES = (
    "the printer in room twelve is out of paper again",
    "my password does not work since this morning please reset it",
    "the wireless network drops every ten minutes in the main building",
)
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 80,
}
_EXTRA: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 80},
    "electra": {"embedding_size": 16},
    "albert": {"embedding_size": 16},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16},
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 16, "reference_compile": False},
}
ARCHITECTURES = (
    "bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert",
    "mpnet", "deberta-v2", "modernbert", "albert",
)  # fmt: skip


def tiny_model(architecture: str, folder: Path, *, sentences: Sequence[str] = SENTENCES, seed: int = 0) -> Path:
    """Write a tiny model of an architecture with a word-level tokenizer that knows the sentences; returns the folder."""
    import torch
    from transformers import AutoConfig, AutoModel

    from honed.networks.quiet import quiet

    tokenizer = _tokenizer(sentences)
    sizes = _EXTRA["distilbert"] if architecture == "distilbert" else {**_SIZES, **_EXTRA.get(architecture, {})}
    ids = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"[{name.upper()}]") for name in ("pad", "cls", "sep")}
    ids |= {"bos_token_id": ids["cls_token_id"], "eos_token_id": ids["sep_token_id"]}
    config = AutoConfig.for_model(architecture, vocab_size=len(tokenizer), type_vocab_size=2, **ids, **sizes)
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        AutoModel.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(sentences: Sequence[str]) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for sentence in sentences for word in sentence.lower().split()})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: index for index, word in enumerate([*special, *words])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    names = {
        name: f"[{name[:-6].upper()}]" for name in ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    }
    return PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=64, **names)
