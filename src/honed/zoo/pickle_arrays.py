"""The pickle gate for files of numpy arrays, as the Detectron zoos have them: nothing a file asks for is ever run.

Beside plain dictionaries, lists, texts and numbers a file may hold arrays of numbers; every name that numpy's own pickles
call stands for code in this file, which checks an array against the bytes that are really there. Python 2 wrote bytes as
text, one character a byte, so texts are read as latin-1.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from honed.zoo.pickle_scan import AllowedName, refuse, scan, unreadable

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
NAMES = frozenset(
    [
        ("collections", "OrderedDict"),
        ("_codecs", "encode"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        *((module, "_reconstruct") for module in _MULTIARRAY),
    ]
)
"""All names a file of arrays may call."""
TYPES = frozenset(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"])
Array = np.ndarray[Any, np.dtype[Any]]


class _Type:
    """The type of an array's numbers, with its byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in TYPES:
            raise pickle.UnpicklingError(f"it holds an array of {str(code)[:20]}, not of numbers")
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        order, plain = state[1], state[2:5]
        if order not in ("<", "|", "=") or any(part is not None for part in plain):
            raise pickle.UnpicklingError("its numbers are in big-endian order or have parts")
        self.order = order


class _Numbers:
    """An array that is described but not yet built."""

    __slots__ = ("column_first", "data", "kind", "shape")

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.kind: Any = None
        self.data = b""
        self.column_first = False

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, column_first, data = state
        whole = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
        if not whole or not isinstance(kind, _Type) or type(column_first) is not bool:
            raise pickle.UnpicklingError("an array is described wrongly")
        self.shape, self.kind, self.column_first = shape, kind, column_first
        self.data = data.encode("latin1") if isinstance(data, str) else data
        n = 1
        for size in shape:
            n *= size
        if not isinstance(self.data, bytes) or n * np.dtype(kind.code).itemsize != len(self.data):
            raise pickle.UnpicklingError("an array has another size than stated")

    def build(self) -> Array:
        """The array, with its own memory, rows first."""
        if self.kind is None:
            raise pickle.UnpicklingError("an array has no contents")
        flat = np.frombuffer(self.data, dtype=np.dtype(self.kind.code))
        return np.array(flat.reshape(self.shape, order="F" if self.column_first else "C"), order="C")


class _Unpickler(pickle.Unpickler):
    """Knows the allowed names only, and each is ours."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.left = len(data)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise _NotAllowedError(f"{module}.{name}")
        return {
            "OrderedDict": AllowedName(name, OrderedDict), "encode": AllowedName(name, self._bytes), "ndarray": AllowedName(name, _never),
            "dtype": AllowedName(name, _Type), "_reconstruct": AllowedName(name, lambda *_: _Numbers()),
        }[name]  # fmt: skip

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside itself")

    def _bytes(self, text: Any, encoding: Any) -> bytes:
        """Bytes that Python 3 wrote as text; all of them together are not longer than the file."""
        if not isinstance(text, str) or encoding != "latin1" or len(text) > self.left:
            raise pickle.UnpicklingError("it encodes what is no array")
        self.left -= len(text)
        return text.encode("latin1")


class _NotAllowedError(Exception):
    """A name that is not on the allow-list."""


def _never(*_: Any) -> Any:
    raise pickle.UnpicklingError("it makes an array without its contents")


def read_arrays(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle of numpy arrays, of Python 2 or 3; nested dictionaries, texts and numbers stay as they are.

    Raises
    ------
    ZooError [Z030, Z031]
        The file would do more than build arrays; or it is damaged, or holds no dictionary.
    """
    try:
        data = Path(path).read_bytes()
        scan(io.BytesIO(data), path, NAMES)
        found = _Unpickler(data).load()
        return _built(found if isinstance(found, dict) else {}, path)
    except _NotAllowedError as error:
        raise refuse(path, f'calls "{error}"') from error
    except (pickle.UnpicklingError, EOFError, UnicodeError) as error:
        raise unreadable(path, str(error) or "it is cut short") from error
    except (
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
        OSError,
    ) as error:
        raise unreadable(path, f"its parts do not fit together ({type(error).__name__})") from error


def _built(found: dict[Any, Any], path: Path) -> dict[str, Any]:
    """The same dictionary with its arrays built, two levels deep; the bytes of all arrays lie in the file once."""
    if not found:
        raise unreadable(path, "it holds no named arrays")
    left = Path(path).stat().st_size

    def made(value: Any, depth: int) -> Any:
        nonlocal left
        if isinstance(value, _Numbers):
            left -= len(value.data)
            if left < 0:
                raise unreadable(path, "its arrays are larger than the file")
            return value.build()
        if isinstance(value, dict) and depth:
            return {name: made(inner, depth - 1) for name, inner in value.items() if isinstance(name, str)}
        return value

    return {name: made(value, 1) for name, value in found.items() if isinstance(name, str)}


def array_tensors(path: Path) -> dict[str, Any]:
    """Named tensors of a zoo's file of arrays, also one level down under its usual names; steps of training left out.

    Raises
    ------
    ZooError [Z030, Z031]
    """
    import torch

    found = read_arrays(path)
    inner = next((found[key] for key in ("model", "blobs") if isinstance(found.get(key), dict)), found)
    arrays = {name: value for name, value in inner.items() if isinstance(value, np.ndarray)}
    kept = {name: torch.from_numpy(value) for name, value in arrays.items() if not name.endswith("_momentum")}
    if not kept:
        raise unreadable(path, "it holds no named arrays")
    return kept


def is_array_pickle(path: Path) -> bool:
    """A pickle that is neither of today's torch layout (a zip) nor of the one before (which begins with a number)."""
    with Path(path).open("rb") as stream:
        start = stream.read(12)
    return start[:1] in (b"\x80", b"(", b"}") and not start.startswith((b"PK", b"\x80\x02\x8a\x0a"))
