"""Tokenizers made from a text: characters, bytes or byte pairs. Every one gives any text back exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from honed.files import write_json

END = "<|endoftext|>"
"""Token 0: stands between documents, and before the first."""
MOST_CHARACTERS = 4096
"""Rarer characters are written as their bytes."""
FEWEST_PAIRS, MOST_PAIRS = 512, 32768
SEEN = 100
"""A byte-pair vocabulary is as large as lets each token be seen about this often."""


def pairs_for(n_characters: int) -> int:
    """Size of a byte-pair vocabulary for a text: a power of two."""
    wanted = n_characters / 4 / SEEN
    size = FEWEST_PAIRS
    while size * 2 <= min(wanted, MOST_PAIRS):
        size *= 2
    return size


def make_tokenizer(kind: str, characters: Counter[str], texts: Iterable[str], size: int) -> Any:
    """A tokenizer of the ``tokenizers`` library.

    Parameters
    ----------
    kind : str
        "characters", "bytes" or "bpe".
    characters : Counter
        How often each character occurs in the text that is learnt from.
    texts : iterable of str
        Read once, for "bpe" alone.
    size : int
        Vocabulary of "bpe".
    """
    if kind == "characters":
        return _characters(characters)
    return _pairs(texts, size) if kind == "bpe" else _bytes()


def _characters(counted: Counter[str]) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders
    from tokenizers.models import BPE

    known = sorted(character for character, _ in counted.most_common(MOST_CHARACTERS))
    names = [END, *known, *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = Tokenizer(BPE(vocab={name: number for number, name in enumerate(names)}, merges=[], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    return tokenizer


def _bytes() -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    names = [END, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(BPE(vocab={name: number for number, name in enumerate(names)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    return tokenizer


def _pairs(texts: Iterable[str], size: int) -> Any:
    from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE

    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(iter(texts), trainer)
    return tokenizer


def encode_all(tokenizer: Any, texts: Iterable[str], at_once: int = 64) -> Iterator[list[int]]:
    """Tokens of each text, in order. The end mark written in a text is text like any other."""
    tokenizer.encode_special_tokens = True
    held: list[str] = []
    for text in texts:
        held.append(text)
        if len(held) == at_once:
            yield from _encoded(tokenizer, held)
            held = []
    yield from _encoded(tokenizer, held)


def _encoded(tokenizer: Any, texts: list[str]) -> Iterator[list[int]]:
    for found in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
        yield found.ids


def save_tokenizer(tokenizer: Any, folder: Path, context: int) -> None:
    """``tokenizer.json`` and ``tokenizer_config.json``, as ``AutoTokenizer`` opens them."""
    tokenizer.save(str(folder / "tokenizer.json"))
    fields = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END, "eos_token": END, "pad_token": END,
        "clean_up_tokenization_spaces": False, "model_max_length": context,
    }  # fmt: skip
    write_json(folder / "tokenizer_config.json", fields)


def open_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))
