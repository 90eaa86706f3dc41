"""Messages between parent and worker: a length, a JSON head, raw arrays. Nothing in them can run code."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import Any

import numpy as np

from honed.tasks.contract import Array

LENGTHS = struct.Struct("!II")
MOST_BYTES = 1 << 30
KINDS = ("float32", "float64", "int64", "bool")


def packed(head: dict[str, Any], arrays: dict[str, Array] | None = None) -> bytes:
    """One message as bytes."""
    described, parts = [], []
    for name, array in (arrays or {}).items():
        whole = np.ascontiguousarray(array)
        described.append([name, str(whole.dtype), list(whole.shape)])
        parts.append(whole.tobytes())
    text = json.dumps({**head, "arrays": described}, ensure_ascii=True).encode()
    body = b"".join(parts)
    return LENGTHS.pack(len(text), len(body)) + text + body


def unpacked(text: bytes, body: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """Head and arrays of a message. Raises ValueError for a kind of array that no message has."""
    head = json.loads(text)
    arrays, place = {}, 0
    for name, kind, shape in head.pop("arrays"):
        if kind not in KINDS:
            raise ValueError(f"array of kind {kind}")
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(body, dtype=kind, count=count, offset=place).reshape(shape)
        place += arrays[name].nbytes
    return head, arrays


async def read(stream: asyncio.StreamReader) -> tuple[dict[str, Any], dict[str, Array]]:
    """The next message. Raises IncompleteReadError or ConnectionError when the other side is gone."""
    n_text, n_body = LENGTHS.unpack(await stream.readexactly(LENGTHS.size))
    if n_text + n_body > MOST_BYTES:
        raise ConnectionError("message too long")
    return unpacked(await stream.readexactly(n_text), await stream.readexactly(n_body))


def receive(sock: socket.socket) -> tuple[dict[str, Any], dict[str, Array]]:
    """The next message, waiting for it. Raises ConnectionError when the other side is gone."""
    n_text, n_body = LENGTHS.unpack(_exactly(sock, LENGTHS.size))
    return unpacked(_exactly(sock, n_text), _exactly(sock, n_body))


def _exactly(sock: socket.socket, n: int) -> bytes:
    block = bytearray(n)
    view, got = memoryview(block), 0
    while got < n:
        more = sock.recv_into(view[got:])
        if not more:
            raise ConnectionError("the other side is gone")
        got += more
    return bytes(block)
