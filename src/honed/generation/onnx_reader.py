"""Our decoder on ONNX Runtime: the fastest way on a processor, above all for small models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from honed.errors import GenerationError
from honed.generation.onnx_graph import build, can_build, head_width
from honed.generation.reader import Ids, Logits
from honed.networks.decoders.decoder import Decoder
from honed.resources import cpu_count

FIRST_ROOM = 256
"""Tokens each slot has room for at first; doubled when a text grows longer."""
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

    Raises
    ------
    GenerationError [G006]
        The decoder has a part that the graph cannot compute.
    """

    name = "onnx"
    keeps = rewinds = True

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
        if not can_build(shape):
            seen = f"ONNX Runtime cannot compute a {shape.kind} with heads of {shape.head_width} numbers."
            raise GenerationError("G006", seen, 'Use engine="torch".')
        self.shape, self.slots = shape, slots
        self.n_tokens, self.context = shape.n_tokens, min(context or shape.context, shape.context)
        self._session, self._weights = _session(network, self.context, BITS[weights], threads or cpu_count())
        self._room = min(FIRST_ROOM, self.context)
        self._memory = self._empty(self._room)
        self._bound: tuple[int, Any, dict[str, NDArray[Any]]] | None = None

    def step(self, tokens: Ids, places: Ids) -> Logits:
        """One more token in each of the first n slots."""
        n = len(tokens)
        longest = int(places.max()) + 1
        self._grow(longest)
        if self._bound is None or self._bound[0] != n:
            self._bound = (n, *self._binding(0, n, 1, np.arange(n)))
        _, binding, given = self._bound
        given["tokens"][:, 0] = tokens
        given["lengths"][:] = places
        given["longest"][0] = longest
        if "places" in given:
            given["places"][:, 0] = places
        self._session.run_with_iobinding(binding)
        return given["logits"]

    def read(self, slot: int, tokens: Sequence[int], start: int, *, every: bool = False) -> Logits:
        """Tokens of one slot from a place on."""
        t = len(tokens)
        self._grow(start + t)
        binding, given = self._binding(slot, 1, t, np.arange(t) if every else np.array([t - 1]))
        given["tokens"][0] = tokens
        given["lengths"][0] = start + t - 1
        given["longest"][0] = start + t
        if "places" in given:
            given["places"][0] = np.arange(start, start + t)
        self._session.run_with_iobinding(binding)
        return given["logits"]

    def copy(self, source: int, target: int, length: int) -> None:
        """What a slot holds also into another."""
        self._memory[:, :, target, :, :length] = self._memory[:, :, source, :, :length]

    def kept(self, slot: int, length: int) -> Any:
        """A copy of what a slot holds."""
        return self._memory[:, :, slot, :, :length].copy()

    def restore(self, slot: int, kept: Any, length: int) -> None:
        """Put what was kept into a slot."""
        self._grow(length)
        self._memory[:, :, slot, :, :length] = kept[:, :, :, :length]

    def _binding(self, slot: int, n: int, t: int, picked: NDArray[Any]) -> tuple[Any, dict[str, NDArray[Any]]]:
        """Places in memory for everything the session reads and writes, for ``n`` slots from one on."""
        given: dict[str, NDArray[Any]] = {
            "tokens": np.zeros((n, t), np.int64), "lengths": np.zeros(n, np.int32), "longest": np.zeros(1, np.int32),
            "picked": picked.astype(np.int64),
        }  # fmt: skip
        if self.shape.places == "learned":
            given["places"] = np.zeros((n, t), np.int64)
        binding = self._session.io_binding()
        for name, value in given.items():
            binding.bind_input(name, "cpu", 0, value.dtype, value.shape, value.ctypes.data)
        given["logits"] = np.zeros((len(picked), self.n_tokens), np.float32)
        logits = given["logits"]
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        for layer in range(self.shape.n_layers):
            for kind, name in enumerate(("keys", "values")):
                part = self._memory[layer, kind, slot : slot + n]
                for bind, end in ((binding.bind_input, ""), (binding.bind_output, "_out")):
                    bind(f"{name}{end}{layer}", "cpu", 0, np.float32, part.shape, part.ctypes.data)
        return binding, given

    def _empty(self, room: int) -> NDArray[np.float32]:
        shape = self.shape
        return np.zeros((shape.n_layers, 2, self.slots, shape.n_key_heads, room, head_width(shape)), np.float32)

    def _grow(self, length: int) -> None:
        if length <= self._room:
            return
        room = min(max(2 * self._room, length), self.context)
        larger = self._empty(room)
        larger[:, :, :, :, : self._room] = self._memory
        self._memory, self._room, self._bound = larger, room, None


def _session(network: Decoder, context: int, bits: int, threads: int) -> tuple[Any, Any]:
    """A session, and what must live as long as it."""
    import onnxruntime

    graph, weights = build(network, context, bits)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in weights.items()}
    options.add_external_initializers(list(values), list(values.values()))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"]), (options, values, weights)
