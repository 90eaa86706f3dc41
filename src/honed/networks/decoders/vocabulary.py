"""Texts into tokens and back: a tokenizer, its special tokens, and how a chat is written for the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from honed.errors import ZooError
from honed.networks.decoders.chat import ChatTemplate, template_in
from honed.zoo.local import json_of

_NAMES = ("bos_token", "eos_token", "pad_token", "unk_token")


class Vocabulary:
    """A tokenizer for writing text.

    Parameters
    ----------
    core : tokenizers.Tokenizer
    begin : int, optional
        Token with which an empty text begins.
    ends : tuple of int
        Tokens that end a text.
    chat : ChatTemplate, optional
    """

    def __init__(
        self, core: Any, *, begin: int | None = None, ends: Iterable[int] = (), chat: ChatTemplate | None = None
    ) -> None:
        self.core, self.begin, self.ends, self.chat = core, begin, tuple(ends), chat

    @property
    def n_tokens(self) -> int:
        """Size of the vocabulary, added tokens included."""
        return int(self.core.get_vocab_size(with_added_tokens=True))

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Ids of a text; with ``special`` those that the model expects around it are added. Never empty with it."""
        found: list[int] = self.core.encode(text, add_special_tokens=special).ids
        if not found and special and (self.begin is not None or self.ends):
            return [self.begin if self.begin is not None else self.ends[0]]
        return found

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of ids; special tokens are left out unless asked for."""
        return str(self.core.decode(list(ids), skip_special_tokens=not special))

    def chat_prompt(self, messages: Sequence[Mapping[str, Any]], **more: Any) -> list[int]:
        """Ids of a chat up to where the model is to answer.

        Raises
        ------
        ZooError [Z044]
            The model has no chat template, or it refuses these messages.
        """
        if self.chat is None:
            raise ZooError("Z044", "The model has no chat template.", "Use plain prompts, or a model made for chats.")
        text = self.chat.render(messages, **more)
        given = self.encode(text, special=False)
        around = self.encode("", special=True)
        begin = around[:1] if self.begin is not None and around[:1] == [self.begin] and self._adds_begin else []
        return given if given[:1] == begin else [*begin, *given]

    @cached_property
    def _adds_begin(self) -> bool:
        found = self.core.encode("a", add_special_tokens=True).ids
        return bool(found) and found[0] == self.begin

    @cached_property
    def hidden(self) -> frozenset[int]:
        """Ids of special tokens, which no text shows."""
        return frozenset(place for place, token in self.core.get_added_tokens_decoder().items() if token.special)

    @cached_property
    def pieces(self) -> list[bytes] | None:
        """What each token adds to a text, in bytes, or None where that depends on its neighbours."""
        import json

        decoder = json.loads(self.core.to_str()).get("decoder") or {}
        parts = decoder.get("decoders", [decoder]) if decoder.get("type") == "Sequence" else [decoder]
        kinds = {part.get("type") for part in parts}
        if kinds == {"ByteLevel"}:
            return self._table(_of_byte_level)
        if "ByteFallback" in kinds and kinds <= {"Replace", "ByteFallback", "Fuse", "Strip"}:
            return self._table(_of_fallback)
        return None

    @cached_property
    def strips_first(self) -> bool:
        """True where the blank before the first word of a text is not shown."""
        return '"Strip"' in self.core.to_str().partition('"decoder"')[2].partition('"model"')[0]

    def _table(self, one: Any) -> list[bytes]:
        added = self.core.get_added_tokens_decoder()
        found = []
        for place in range(max([*self.core.get_vocab(with_added_tokens=True).values(), -1]) + 1):
            name = self.core.id_to_token(place)
            plain = place in added
            found.append(b"" if name is None or place in self.hidden else name.encode() if plain else one(name))
        return found


def _of_byte_level(name: str) -> bytes:
    known = _byte_letters()
    return bytes(known[letter] for letter in name) if all(letter in known for letter in name) else name.encode()


def _byte_letters() -> dict[str, int]:
    """The letter that stands for each byte in vocabularies of GPT-2's kind: itself where it can be seen, else one from 256 on."""
    if not _LETTERS:
        seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
        rest = [byte for byte in range(256) if byte not in seen]
        _LETTERS.update({chr(byte): byte for byte in seen} | {chr(256 + n): byte for n, byte in enumerate(rest)})
    return _LETTERS


_LETTERS: dict[str, int] = {}


def _of_fallback(name: str) -> bytes:
    byte = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", name)
    return bytes([int(byte.group(1), 16)]) if byte else name.replace("▁", " ").encode()


def vocabulary_in(folder: Path) -> Vocabulary:
    """The tokenizer of a folder in hub format, with its special tokens and chat template.

    Raises
    ------
    ZooError [Z013, Z044]
        No tokenizer that can be read; a chat template with a mistake.
    """
    core = _core(folder)
    told = json_of(folder / "tokenizer_config.json")
    names = {name: _name(told.get(name)) for name in _NAMES}
    known = {name: value for name, value in names.items() if value}
    facts = {**json_of(folder / "config.json"), **json_of(folder / "generation_config.json")}
    begin, ends = facts.get("bos_token_id"), facts.get("eos_token_id")
    if not isinstance(begin, int):
        begin = core.token_to_id(known["bos_token"]) if "bos_token" in known else None
    listed = [one for one in (ends if isinstance(ends, list) else [ends]) if isinstance(one, int)]
    own = core.token_to_id(known["eos_token"]) if "eos_token" in known else None
    every = dict.fromkeys([*listed, *([own] if own is not None else [])])
    return Vocabulary(core, begin=begin, ends=every, chat=template_in(folder, told, known))


def _name(value: Any) -> str:
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")


def _core(folder: Path) -> Any:
    path = folder / "tokenizer.json"
    try:
        if path.is_file():
            from tokenizers import Tokenizer

            core = Tokenizer.from_file(str(path))
            core.no_truncation()
            core.no_padding()
            return core
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False).backend_tokenizer
    except Exception as error:
        seen = f"The tokenizer in {folder} cannot be read ({type(error).__name__})."
        raise ZooError("Z013", seen, "Save it as tokenizer.json, and get the model again.") from error
