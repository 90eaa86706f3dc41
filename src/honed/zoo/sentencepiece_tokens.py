"""A vocabulary with scores, as sentencepiece has it, written as a tokenizer.json that gives the same ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SPACE = "▁"


def scored_tokenizer(
    pieces: Sequence[str],
    scores: Sequence[float],
    *,
    special: Sequence[int],
    unknown: int,
    begin: int | None,
    prefix: bool = True,
    plain: Sequence[int] = (),
) -> Any:
    """A ``tokenizers.Tokenizer``: pairs of pieces are joined, the best score first; what no piece holds becomes bytes.

    Parameters
    ----------
    pieces : sequence of str
        With "▁" for a blank and "<0x0A>" for a byte.
    scores : sequence of float
        The higher, the earlier two pieces are joined to this one.
    special, plain : sequences of int
        Ids of control tokens, never shown; of tokens that are read whole and shown.
    unknown : int
    begin : int, optional
        Id that is put before every text.
    prefix : bool
        A blank is put before every text.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

    ids = {piece: place for place, piece in enumerate(pieces)}
    joined = _joins(ids, scores, {*special, *plain})
    core = Tokenizer(models.BPE(ids, joined, unk_token=pieces[unknown], fuse_unk=True, byte_fallback=True))
    before = [normalizers.Prepend(SPACE)] if prefix else []
    core.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", SPACE)])
    after = [decoders.Strip(" ", 1, 0)] if prefix else []
    core.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *after])
    core.add_special_tokens([AddedToken(pieces[place], normalized=False, special=True) for place in special])
    core.add_tokens([AddedToken(pieces[place], normalized=False) for place in plain])
    if begin is not None:
        name = pieces[begin]
        core.post_processor = processors.TemplateProcessing(
            single=f"{name} $A", pair=f"{name} $A $B", special_tokens=[(name, begin)]
        )
    return core


def _joins(ids: dict[str, int], scores: Sequence[float], apart: set[int]) -> list[tuple[str, str]]:
    """Every pair of pieces that makes a piece, the best score first, then by the ids of the two."""
    found = []
    for piece, place in ids.items():
        if place in apart or len(piece) < 2:
            continue
        for cut in range(1, len(piece)):
            first, second = ids.get(piece[:cut]), ids.get(piece[cut:])
            if first is not None and second is not None:
                found.append((-scores[place], first, second, piece[:cut], piece[cut:]))
    return [(first, second) for *_, first, second in sorted(found)]
