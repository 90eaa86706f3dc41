"""The tokenizer of a GGUF file as a tokenizer.json with the same ids."""

from __future__ import annotations

from typing import Any

from honed.errors import ZooError
from honed.zoo.gguf.header import Gguf, broken
from honed.zoo.sentencepiece_tokens import scored_tokenizer

CONTROL, PLAIN, UNKNOWN = 3, 4, 2
"""Kinds of tokens in ``tokenizer.ggml.token_type``."""
_LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CUTS = {
    "default": "", "gpt-2": "", "llama-bpe": _LLAMA3, "llama3": _LLAMA3, "llama-v3": _LLAMA3,
    "qwen2": _LLAMA3.replace("{1,3}", ""),
}  # fmt: skip
"""How a text is cut before pairs are joined, by ``tokenizer.ggml.pre``; "" for the rule of GPT-2."""


def tokenizer_of(file: Gguf) -> tuple[Any, dict[str, Any]]:
    """A ``tokenizers.Tokenizer`` and the content of tokenizer_config.json.

    Raises
    ------
    ZooError [Z040, Z043]
        The vocabulary is damaged; it is of a kind that Honed does not know.
    """
    pieces = file.facts.get("tokenizer.ggml.tokens")
    if not isinstance(pieces, list) or not pieces or not all(isinstance(one, str) for one in pieces):
        raise broken(file.path, "it has no vocabulary")
    if len(set(pieces)) != len(pieces):
        raise broken(file.path, "its vocabulary names a token twice")
    kinds = file.facts.get("tokenizer.ggml.token_type") or [1] * len(pieces)
    model = file.facts.get("tokenizer.ggml.model")
    if model == "llama":
        core = _scored(file, pieces, kinds)
    elif model == "gpt2":
        core = _joined(file, pieces, kinds)
    else:
        raise _unknown(file, f'of the kind "{str(model)[:40]}"')
    return core, _config(file, pieces)


def _unknown(file: Gguf, what: str) -> ZooError:
    seen = f"The vocabulary of {file.path.name} is {what}, which Honed does not know."
    return ZooError("Z043", seen, "Get the model in hub format, with its tokenizer.json.")


def _of_kind(kinds: list[int], kind: int) -> list[int]:
    return [place for place, found in enumerate(kinds) if found == kind]


def _begin(file: Gguf, default: bool) -> int | None:
    begin = file.facts.get("tokenizer.ggml.bos_token_id")
    wanted = file.facts.get("tokenizer.ggml.add_bos_token", default)
    return begin if wanted and isinstance(begin, int) and begin < len(file.facts["tokenizer.ggml.tokens"]) else None


def _scored(file: Gguf, pieces: list[str], kinds: list[int]) -> Any:
    scores = file.facts.get("tokenizer.ggml.scores")
    if not isinstance(scores, list) or not len(scores) == len(pieces) == len(kinds):
        raise broken(file.path, "its vocabulary has no score for each token")
    unknown = _of_kind(kinds, UNKNOWN) or [0]
    return scored_tokenizer(
        pieces, scores, special=sorted({*unknown, *_of_kind(kinds, CONTROL)}), unknown=unknown[0], begin=_begin(file, True),
        prefix=bool(file.facts.get("tokenizer.ggml.add_space_prefix", True)), plain=_of_kind(kinds, PLAIN),
    )  # fmt: skip


def _joined(file: Gguf, pieces: list[str], kinds: list[int]) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    pairs = file.facts.get("tokenizer.ggml.merges")
    cut = CUTS.get(str(file.facts.get("tokenizer.ggml.pre", "default")))
    if cut is None:
        raise _unknown(file, f'cut by the rule "{str(file.facts["tokenizer.ggml.pre"])[:40]}"')
    if not isinstance(pairs, list) or not all(isinstance(one, str) and one.count(" ") == 1 for one in pairs):
        raise broken(file.path, "its list of pairs is missing or damaged")
    ids = {piece: place for place, piece in enumerate(pieces)}
    try:
        core = Tokenizer(models.BPE(ids, [(one.split(" ")[0], one.split(" ")[1]) for one in pairs]))
    except Exception as error:
        raise broken(file.path, "its list of pairs does not fit its vocabulary") from error
    own = pre_tokenizers.Split(Regex(cut), "isolated") if cut else None
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=own is None)
    core.pre_tokenizer = pre_tokenizers.Sequence([own, level]) if own else level
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(
        [AddedToken(pieces[one], normalized=False, special=True) for one in _of_kind(kinds, CONTROL)]
    )
    core.add_tokens([AddedToken(pieces[one], normalized=False) for one in _of_kind(kinds, PLAIN)])
    begin = _begin(file, False)
    if begin is not None:
        name = pieces[begin]
        core.post_processor = processors.TemplateProcessing(
            single=f"{name} $A", pair=f"{name} $A $B", special_tokens=[(name, begin)]
        )
    return core


def _config(file: Gguf, pieces: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
    for name, part in (("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding"), ("unk_token", "unknown")):
        place = file.facts.get(f"tokenizer.ggml.{part}_token_id")
        if isinstance(place, int) and 0 <= place < len(pieces):
            found[name] = pieces[place]
    template = file.facts.get("tokenizer.chat_template")
    return {**found, "chat_template": template} if isinstance(template, str) else found
