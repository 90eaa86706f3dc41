"""A decoder of transformers behind the same interface: texts side by side where its architecture allows, else one after another."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from honed.generation.reader import Ids, Logits
from honed.networks.decoders.foreign import ForeignDecoder

ALIKE = {torch.float32: 1e-3, torch.float64: 1e-3}
ROUGH = 5e-2
"""By how much of the largest logit those of texts side by side may differ from those of each alone; in coarser formats by more."""


class ForeignReader:
    """See :class:`~honed.generation.reader.Reader`.

    Every text is read with a cache of its own. For steps caches are laid side by side, so that all end together: shorter ones are
    padded on the left, where nothing looks. Not every architecture can be read so; each shows once on two short texts whether it can.

    Parameters
    ----------
    network : ForeignDecoder
    slots, context : int
    """

    name = "transformers"
    keeps = rewinds = chooses = False
    together = 0

    def __init__(self, network: ForeignDecoder, slots: int, context: int) -> None:
        network.eval()
        self._model, self.slots, self.context = network.model, slots, context
        self.n_tokens = int(network.model.get_output_embeddings().weight.shape[0])
        self._device = next(network.parameters()).device
        self._texts: list[_Text | None] = [None] * slots
        self._beside: _Beside | None = None
        self._side_by_side = slots > 1 and _goes_side_by_side(self._model, self._device)

    @torch.inference_mode()
    def step(self, tokens: Ids, places: Ids) -> Logits:
        """One more token in each of the first n slots."""
        if not self._side_by_side or len(tokens) == 1:
            pairs = zip(tokens.tolist(), places.tolist(), strict=True)
            return np.concatenate([self.read(slot, [token], place) for slot, (token, place) in enumerate(pairs)])
        texts = [text for text in self._texts[: len(tokens)] if text is not None]
        if self._beside is None or self._beside.texts != texts:
            self._beside = _Beside(texts, self._beside)
        return _rows(self._beside.step(self._model, torch.from_numpy(tokens).to(self._device)))

    def likeliest(self, tokens: Ids, places: Ids) -> tuple[Ids, Logits]:
        """Left to whoever asks."""
        raise NotImplementedError

    def read_together(self, slot: int, texts: Sequence[Sequence[int]]) -> Logits:
        """Prompts are read one after another."""
        raise NotImplementedError

    @torch.inference_mode()
    def read(self, slot: int, tokens: Sequence[int], start: int, *, every: bool = False) -> Logits:
        """Tokens of one slot from a place on; without a cache the whole text is read again."""
        text = self._texts[slot]
        if start == 0 or text is None:
            text = self._texts[slot] = _Text(_cache() if self._side_by_side else None)
        elif self._beside is not None and text in self._beside.texts:
            self._beside.part()
            self._beside = None
        found = text.read(self._model, tokens, start, self._device)
        return _rows(found[-len(tokens) if every else -1 :])

    def copy(self, source: int, target: int, length: int) -> None:
        """Hand a slot's text over; the source is empty afterwards."""
        self._texts[target], self._texts[source] = self._texts[source], None

    def kept(self, slot: int, length: int) -> Any:
        """Nothing is kept: caches of other architectures cannot be cut."""
        raise NotImplementedError

    def restore(self, slot: int, kept: Any, length: int) -> None:
        """Nothing is kept, so nothing is put back."""
        raise NotImplementedError


class _Text:
    """What was read of one text: its tokens, and its cache while it stands alone."""

    def __init__(self, cache: Any) -> None:
        self.cache, self.ids = cache, list[int]()

    def read(self, model: Any, tokens: Sequence[int], start: int, device: torch.device) -> Tensor:
        """Logits after each of the tokens that were given to the model."""
        self.ids = [*self.ids[:start], *tokens]
        known = self.cache is not None and (start == 0 or self.cache.get_seq_length() == start)
        given = list(tokens) if known or start == 0 else self.ids
        found = model(torch.tensor([given], device=device), past_key_values=self.cache, use_cache=True)
        self.cache = getattr(found, "past_key_values", None)
        logits: Tensor = found.logits[0]
        return logits


class _Beside:
    """Caches of some texts side by side, all of which end together.

    Parameters
    ----------
    texts : list of _Text
    before : _Beside, optional
        Where some of them have stood so far; the others are taken from their own caches.
    """

    def __init__(self, texts: list[_Text], before: _Beside | None) -> None:
        self.texts = texts
        old = before.texts if before is not None else []
        places = {id(text): place for place, text in enumerate(old)}
        stay = [text for text in texts if id(text) in places]
        new = [text for text in texts if id(text) not in places]
        order = {id(text): place for place, text in enumerate([*stay, *new])}
        longest = max(len(text.ids) for text in texts)
        self.cache = _cache()
        for layer in range(len((before.cache if before is not None and stay else new[0].cache).layers)):
            found = []
            if before is not None and stay:
                rows = torch.tensor([places[id(text)] for text in stay])
                found.append([_ending(one[rows.to(one.device)], longest) for one in _held(before.cache, layer)])
            found += [[_ending(one, longest) for one in _held(text.cache, layer)] for text in new]
            whole = [torch.cat(parts) if len(parts) > 1 else parts[0] for parts in zip(*found, strict=True)]
            if [order[id(text)] for text in texts] != list(range(len(texts))):
                turned = torch.tensor([order[id(text)] for text in texts], device=whole[0].device)
                whole = [one[turned] for one in whole]
            self.cache.update(*whole, layer)
        for text in new:
            text.cache = None

    def step(self, model: Any, tokens: Tensor) -> Tensor:
        """Logits (n, tokens) after one more token of each text."""
        lengths = torch.tensor([len(text.ids) for text in self.texts], device=tokens.device)
        length = self.cache.get_seq_length()
        there = torch.arange(length + 1, device=tokens.device) >= (length - lengths)[:, None]
        given = {"attention_mask": there.long(), "past_key_values": self.cache, "use_cache": True}
        if "position_ids" in inspect.signature(model.forward).parameters:
            given["position_ids"] = lengths[:, None]
        found: Tensor = model(tokens[:, None], **given).logits[:, -1]
        for text, token in zip(self.texts, tokens.tolist(), strict=True):
            text.ids.append(token)
        return found

    def part(self) -> None:
        """Give each text its own cache again."""
        for row, one in enumerate(self.texts):
            one.cache = _cache()
            for layer in range(len(self.cache.layers)):
                held = [whole[row : row + 1, :, -len(one.ids) :] for whole in _held(self.cache, layer)]
                one.cache.update(*held, layer)


def _cache() -> Any:
    """An empty cache that forgets nothing, whatever the architecture could do without."""
    from transformers import DynamicCache

    return DynamicCache()


def _held(cache: Any, layer: int) -> tuple[Tensor, Tensor]:
    """Keys and values (n, heads, tokens, width)."""
    return cache.layers[layer].keys, cache.layers[layer].values


def _ending(held: Tensor, length: int) -> Tensor:
    """The last ``length`` places, with padding before them where there are fewer."""
    more = length - held.shape[2]
    return functional.pad(held, (0, 0, more, 0)) if more > 0 else held[:, :, -more:]


def _rows(logits: Tensor) -> Logits:
    found: Logits = logits.float().cpu().numpy()
    return found


_TRIED: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def _goes_side_by_side(model: Any, device: torch.device) -> bool:
    """Whether two texts of different lengths read side by side give the logits of each alone; found out once for each model."""
    if model not in _TRIED:
        try:
            _TRIED[model] = _alike(model, device)
        except Exception:  # architectures with caches of other kinds fail in ways of their own
            _TRIED[model] = False
    return _TRIED[model]


@torch.inference_mode()
def _alike(model: Any, device: torch.device) -> bool:
    n_tokens = int(model.get_output_embeddings().weight.shape[0])
    rng = np.random.default_rng(0)
    prompts = [rng.integers(n_tokens, size=size).tolist() for size in (9, 2)]
    more = rng.integers(n_tokens, size=(2, 2))

    def fresh() -> list[_Text]:
        found = [_Text(_cache()) for _ in prompts]
        for text, prompt in zip(found, prompts, strict=True):
            text.read(model, prompt, 0, device)
        return found

    alone = [
        torch.stack([text.read(model, [int(token)], len(text.ids), device)[-1] for token in tokens])
        for text, tokens in zip(fresh(), more.T, strict=True)
    ]
    beside = _Beside(fresh(), None)
    found = torch.stack([beside.step(model, torch.from_numpy(tokens).to(device)) for tokens in more], dim=1)
    wanted = torch.stack(alone)
    limit = ALIKE.get(wanted.dtype, ROUGH) * float(wanted.abs().max())
    return bool((found - wanted).abs().max() <= limit)
