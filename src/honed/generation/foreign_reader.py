"""A decoder of transformers behind the same interface: texts side by side where its architecture allows, else one after another."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from honed.generation.on_torch import OnTorch, rows_of
from honed.generation.reader import Ids, Logits
from honed.generation.torch_reader import TOGETHER, TOGETHER_CPU
from honed.networks.decoders.foreign import ForeignDecoder

ALIKE = {torch.float32: 1e-3, torch.float64: 1e-3}
ROUGH = 5e-2
"""By how much of the largest logit those of texts side by side may differ from those of each alone; in coarser formats by more."""


class ForeignReader(OnTorch):
    """See :class:`~honed.generation.reader.Reader`.

    Every text has a cache of its own. For steps caches are laid side by side, so that all end together: shorter ones are padded on
    the left, where nothing looks; several prompts are read in the same way. Not every architecture can be read so; each model shows
    once on two short texts whether it can.

    Parameters
    ----------
    network : ForeignDecoder
    slots, context : int
    """

    name = "transformers"
    keeps = rewinds = False

    def __init__(self, network: ForeignDecoder, slots: int, context: int) -> None:
        network.eval()
        self._model, self.slots, self.context = network.model, slots, context
        self.n_tokens = int(network.model.get_output_embeddings().weight.shape[0])
        self._device = next(network.parameters()).device
        self._texts: list[_Text | None] = [None] * slots
        self._beside: _Beside | None = None
        self.chooses = self._side_by_side = slots > 1 and _goes_side_by_side(self._model, self._device)
        self.together = (TOGETHER_CPU if self._device.type == "cpu" else TOGETHER) if self._side_by_side else 0

    @torch.inference_mode()
    def _stepped(self, tokens: Ids, places: Ids) -> Tensor:
        if not self._side_by_side or len(tokens) == 1:
            pairs = zip(tokens.tolist(), places.tolist(), strict=True)
            return torch.cat([self._read(slot, [token], place)[-1:] for slot, (token, place) in enumerate(pairs)])
        texts = [text for text in self._texts[: len(tokens)] if text is not None]
        if self._beside is None or self._beside.texts != texts:
            self._beside = _Beside(texts, self._beside)
        return self._beside.step(self._model, torch.from_numpy(tokens).to(self._device))

    @torch.inference_mode()
    def read_together(self, slot: int, texts: Sequence[Sequence[int]]) -> Logits:
        """Whole texts into the slots from one on, padded on the left."""
        found = [_Text(None) for _ in texts]
        self._texts[slot : slot + len(texts)] = found
        return rows_of(_read_together(self._model, found, texts, self._device))

    @torch.inference_mode()
    def read(self, slot: int, tokens: Sequence[int], start: int, *, every: bool = False) -> Logits:
        """Tokens of one slot from a place on; without a cache the whole text is read again."""
        found = self._read(slot, tokens, start)
        return rows_of(found[-len(tokens) if every else -1 :])

    def _read(self, slot: int, tokens: Sequence[int], start: int) -> Tensor:
        text = self._texts[slot]
        if start == 0 or text is None:
            text = self._texts[slot] = _Text(_cache() if self._side_by_side else None)
        elif self._beside is not None and text in self._beside.texts:
            _part(self._beside.cache, self._beside.texts)
            self._beside = None
        return text.read(self._model, tokens, start, self._device)

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
        found = _last_logits(model, tokens[:, None], there.long(), lengths[:, None], self.cache)
        for text, token in zip(self.texts, tokens.tolist(), strict=True):
            text.ids.append(token)
        return found


def _read_together(model: Any, texts: list[_Text], prompts: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Logits (n, tokens) after the last token of each prompt; each text has a cache of its own then."""
    longest = max(map(len, prompts))
    tokens, there = torch.zeros((2, len(prompts), longest), dtype=torch.long, device=device)
    for row, prompt in enumerate(prompts):
        tokens[row, longest - len(prompt) :] = torch.tensor(prompt)
        there[row, longest - len(prompt) :] = 1
        texts[row].ids = list(prompt)
    cache = _cache()
    found = _last_logits(model, tokens, there, (there.cumsum(dim=1) - 1).clamp(min=0), cache)
    _part(cache, texts)
    return found


def _last_logits(model: Any, tokens: Tensor, there: Tensor, places: Tensor, cache: Any) -> Tensor:
    """Logits (n, tokens) after the last of the tokens (n, t); ``there`` (n, all) is 0 for padding among all that was read."""
    given: dict[str, Any] = {"attention_mask": there, "past_key_values": cache, "use_cache": True}
    more = {"position_ids": places, "logits_to_keep": 1}
    given |= {name: value for name, value in more.items() if name in _takes(model.__class__)}
    found: Tensor = model(tokens, **given).logits[:, -1]
    return found


@cache
def _takes(kind: Any) -> frozenset[str]:
    """What a model can be given."""
    return frozenset(inspect.signature(kind.forward).parameters)


def _part(cache: Any, texts: Sequence[_Text]) -> None:
    """Give each text its own part of a cache."""
    for row, text in enumerate(texts):
        text.cache = _cache()
        for layer in range(len(cache.layers)):
            text.cache.update(*(whole[row : row + 1, :, -len(text.ids) :] for whole in _held(cache, layer)), layer)


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

    alone = []
    for prompt, tokens in zip(prompts, more, strict=True):
        text = _Text(_cache())
        text.read(model, prompt, 0, device)
        alone.append(torch.stack([text.read(model, [int(token)], len(text.ids), device)[-1] for token in tokens]))
    together = [_Text(None) for _ in prompts]
    _read_together(model, together, prompts, device)
    beside = _Beside(together, None)
    steps = [torch.from_numpy(tokens).to(device) for tokens in more.T.copy()]
    found = torch.stack([beside.step(model, tokens) for tokens in steps], dim=1)
    wanted = torch.stack(alone)
    limit = ALIKE.get(wanted.dtype, ROUGH) * float(wanted.abs().max())
    return bool((found - wanted).abs().max() <= limit)
