"""Our decoder on ONNX Runtime: the fastest way on a processor, above all for small models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from honed.generation.onnx_graph import build
from honed.generation.reader import Ids, Logits
from honed.networks.decoders.decoder import Decoder
from honed.resources import cpu_count

ROOM_STEP = 32
"""Slots have room for a multiple of so many tokens; little more than is needed, for all of it is computed with."""
HIDDEN = np.float32(-1e30)
"""Added to what a query and a key it may not look at say of each other."""
BITS = {"float32": 32, "int8": 8, "int4": 4}


class OnnxReader:
    """See :class:`~honed.generation.reader.Reader`.

    Parameters
    ----------
    network : Decoder
        On the CPU; its weights are copied.
    slots : int
    context : int, optional
        Fewer tokens than the network could read, to bound memory.
    weights : str
        "float32", "int8" or "int4"; sums are made in float32 all the same.
    threads : int, optional
        All that this process may use by default.
    """

    name = "onnx"
    keeps = rewinds = True
    chooses, together = True, 0

    def __init__(
        self,
        network: Decoder,
        slots: int,
        context: int | None = None,
        *,
        weights: str = "float32",
        threads: int | None = None,
    ) -> None:
        shape = network.shape
        self.shape, self.slots = shape, slots
        self.n_tokens, self.context = shape.n_tokens, min(context or shape.context, shape.context)
        self._sessions, self._weights = _sessions(network, self.context, BITS[weights], threads or cpu_count())
        self._room = 0
        self._keys: Any = None
        self._values: Any = None
        self._bound: tuple[int, Any, dict[str, NDArray[Any]]] | None = None
        self._fit(ROOM_STEP)

    def step(self, tokens: Ids, places: Ids) -> Logits:
        """One more token in each of the first n slots."""
        n, longest = len(tokens), int(places.max()) + 1
        self._fit(longest, shrink=True)
        if self._bound is None or self._bound[0] != n:
            self._bound = (n, *self._binding(0, n, 1, np.arange(n)))
        _, binding, given = self._bound
        given["tokens"][:, 0] = tokens
        given["places"][:, 0] = places
        given["key_slots"][..., 3] = places[:, None, None, None]
        given["value_slots"][..., 2] = places[:, None, None]
        given["mask"][:, 0, 0] = self._hidden(places[:, None])
        self._sessions[0].run_with_iobinding(binding)
        return given["logits"]

    def likeliest(self, tokens: Ids, places: Ids) -> tuple[Ids, Logits]:
        """The same; only the likeliest token after each and the logarithm of its probability, found for all texts at once."""
        logits = self.step(tokens, places)
        ids = logits.argmax(axis=1)
        rest = logits - np.take_along_axis(logits, ids[:, None], axis=1)
        return ids, -np.log(np.exp(rest, out=rest).sum(axis=1))

    def read_together(self, slot: int, texts: Sequence[Sequence[int]]) -> Logits:
        """Prompts are read one after another, so that a beginning that several share is read once."""
        raise NotImplementedError

    def read(self, slot: int, tokens: Sequence[int], start: int, *, every: bool = False) -> Logits:
        """Tokens of one slot from a place on."""
        t = len(tokens)
        self._fit(start + t)
        binding, given = self._binding(slot, 1, t, np.arange(t) if every else np.array([t - 1]))
        places = np.arange(start, start + t)
        given["tokens"][0] = tokens
        given["places"][0] = places
        given["key_slots"][..., 3] = given["value_slots"][..., 2] = places
        given["mask"][0, 0] = np.tile(self._hidden(places[:, None]), (given["mask"].shape[2] // t, 1))
        self._sessions[t > 1].run_with_iobinding(binding)
        return given["logits"]

    def _hidden(self, places: NDArray[Any]) -> NDArray[np.float32]:
        """What hides keys from queries at these places, (queries, room)."""
        keys = np.arange(self._room)
        hidden = keys > places
        if self.shape.window:
            hidden |= keys <= places - self.shape.window
        return hidden * HIDDEN

    def copy(self, source: int, target: int, length: int) -> None:
        """What a slot holds also into another."""
        self._keys[:, target, :, :, :length] = self._keys[:, source, :, :, :length]
        self._values[:, target, :, :length] = self._values[:, source, :, :length]

    def kept(self, slot: int, length: int) -> Any:
        """A copy of what a slot holds."""
        keys = self._keys[:, slot, :, :, :length].swapaxes(2, 3)
        return np.stack([keys, self._values[:, slot, :, :length]])

    def restore(self, slot: int, kept: Any, length: int) -> None:
        """Put what was kept into a slot."""
        self._fit(length)
        self._keys[:, slot, :, :, :length] = kept[0, :, :, :length].swapaxes(2, 3)
        self._values[:, slot, :, :length] = kept[1, :, :, :length]

    def _binding(self, slot: int, n: int, t: int, picked: NDArray[Any]) -> tuple[Any, dict[str, NDArray[Any]]]:
        """Places in memory for everything the session reads and writes, for ``n`` slots from one on."""
        heads, width = self.shape.n_key_heads, self.shape.head_width
        queries = 1 if t == 1 else t * (self.shape.n_heads // heads)
        given: dict[str, NDArray[Any]] = {
            "tokens": np.zeros((n, t), np.int64), "places": np.zeros((n, t), np.int64), "picked": picked.astype(np.int64),
            "mask": np.zeros((n, 1, queries, self._room), np.float32),
            "key_slots": _positions(n, heads, width, t), "value_slots": _positions(n, heads, t),
        }  # fmt: skip
        session = self._sessions[t > 1]
        binding, used = session.io_binding(), {one.name for one in session.get_inputs()}
        for name, value in given.items():
            if name in used:
                binding.bind_input(name, "cpu", 0, value.dtype, value.shape, _address(value))
        given["logits"] = logits = np.zeros((len(picked), self.n_tokens), np.float32)
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, _address(logits))
        for layer in range(self.shape.n_layers):
            for name, whole in (("keys", self._keys), ("values", self._values)):
                part = whole[layer, slot : slot + n]
                for bind, end in ((binding.bind_input, ""), (binding.bind_output, "_out")):
                    bind(f"{name}{end}{layer}", "cpu", 0, np.float32, part.shape, _address(part))
        return binding, given

    def _fit(self, length: int, *, shrink: bool = False) -> None:
        """Make room for texts of this length, and no more than is useful; memory is laid out anew where that changes."""
        if length <= self._room and not (shrink and self._room > 1.5 * length + 2 * ROOM_STEP):
            return
        room = min(-(-(length + length // 8) // ROOM_STEP) * ROOM_STEP, self.context)
        sizes = (self.shape.n_layers, self.slots, self.shape.n_key_heads)
        keys = np.zeros((*sizes, self.shape.head_width, room), np.float32)
        values = np.zeros((*sizes, room, self.shape.head_width), np.float32)
        if self._room:
            n = min(room, self._room)
            keys[..., :n], values[..., :n, :] = self._keys[..., :n], self._values[..., :n, :]
        self._keys, self._values, self._room, self._bound = keys, values, room, None


def _positions(*sizes: int) -> NDArray[np.int64]:
    """For each place of an array its indices along all axes."""
    return np.ascontiguousarray(np.moveaxis(np.indices(sizes), 0, -1))


def _address(values: NDArray[Any]) -> int:
    """Where an array begins in memory."""
    return int(values.__array_interface__["data"][0])


def _sessions(network: Decoder, context: int, bits: int, threads: int) -> tuple[tuple[Any, Any], Any]:
    """Sessions for one token a text and for pieces of texts, and what must live as long as they do; they share their weights."""
    import onnxruntime

    found, alive = [], []
    values: dict[str, Any] = {}
    for one in (True, False):
        graph, weights = build(network, context, bits=bits, one=one)
        values = values or {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in weights.items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4
        if not one and bits == 32:  # rearranged weights are held once, for the steps; packed ones are small
            options.add_session_config_entry("session.disable_prepacking", "1")
        options.add_external_initializers(list(values), list(values.values()))
        found.append(onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"]))
        alive.append((options, weights if one else None))
    return (found[0], found[1]), (values, alive)
