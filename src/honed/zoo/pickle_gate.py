"""The pickle gate: tensors out of foreign checkpoints, without ever running anything the file asks for.

A file passes twice. :mod:`honed.zoo.pickle_scan` reads its instructions against an allow-list; then an unpickler whose
every name stands for code in this file builds the tensors and checks each against the bytes that are really there.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

from honed.zoo.pickle_scan import AllowedName, refuse, scan, unreadable

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
MOST_PICKLE_BYTES = 200 * 2**20
_DTYPES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip


class _Storage:
    """The raw numbers of one or several tensors: its type, its key, and how many there are."""

    __slots__ = ("data", "dtype", "key", "n")

    def __init__(self, dtype: str, key: str, n: int) -> None:
        self.dtype, self.key, self.n = dtype, key, n
        self.data: Any = None


class _View:
    """A tensor that is described but not yet built."""

    __slots__ = ("offset", "shape", "storage", "stride")

    def __init__(self, storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> None:
        self.storage, self.offset, self.shape, self.stride = storage, offset, tuple(shape), tuple(stride)

    def check(self) -> None:
        """Raise unless every element lies within the storage."""
        numbers = (self.offset, *self.shape, *self.stride)
        whole = all(type(number) is int and number >= 0 for number in numbers)
        if not isinstance(self.storage, _Storage) or not whole or len(self.shape) != len(self.stride):
            raise pickle.UnpicklingError("a tensor is described wrongly")
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))
        n = 1
        for size in self.shape:
            n *= size
        if n and (last >= self.storage.n or n > self.storage.n):
            raise pickle.UnpicklingError("a tensor reaches beyond its data")

    def build(self) -> Any:
        """The tensor, with its own memory."""
        import torch

        if 0 in self.shape:
            return torch.empty(self.shape, dtype=getattr(torch, self.storage.dtype))
        return torch.as_strided(self.storage.data, self.shape, self.stride, self.offset).clone().contiguous()


class _NotAllowedError(Exception):
    """A name that is not on the allow-list."""


class _Unpickler(pickle.Unpickler):
    """Knows the allowed names only, and each is ours."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return AllowedName(name, None)
        known = {
            ("collections", "OrderedDict"): AllowedName(name, OrderedDict),
            ("torch._utils", "_rebuild_tensor"): AllowedName(name, _View),
            ("torch._utils", "_rebuild_tensor_v2"): AllowedName(name, _View),
            ("torch._utils", "_rebuild_parameter"): AllowedName(name, lambda data, *_: data),
            ("torch", "Size"): AllowedName(name, tuple),
        }
        if (module, name) not in known:
            raise _NotAllowedError(f"{module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, n, *_ = pid
        if kind != "storage" or not isinstance(dtype, AllowedName) or type(n) is not int or n < 0:
            raise pickle.UnpicklingError("it refers to something that is no storage")
        storage = self.storages.setdefault(str(key), _Storage(_DTYPES[dtype.name], str(key), n))
        if (storage.dtype, storage.n) != (_DTYPES[dtype.name], n):
            raise pickle.UnpicklingError("one storage is described in two ways")
        return storage


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Named tensors of a file that ``torch.save`` wrote, of today's layout (zip) or of that before 2020.

    Raises
    ------
    ZooError [Z030, Z031]
        The file would do more than build tensors; or it is damaged, or holds no named tensors.
    """
    path = Path(path)
    try:
        tensors = _named(_read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path))
    except _NotAllowedError as error:
        raise refuse(path, f'calls "{error}"') from error
    except (pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError) as error:
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
    if not tensors:
        raise unreadable(path, "it holds no named tensors")
    return {name: view.build() for name, view in tensors.items()}


def _load(data: bytes, path: Path) -> tuple[Any, dict[str, _Storage]]:
    scan(io.BytesIO(data), path)
    unpickler = _Unpickler(io.BytesIO(data))
    return unpickler.load(), unpickler.storages


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        listed = {info.filename: info for info in archive.infolist()}
        main = [name for name in listed if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(main) != 1:
            raise unreadable(path, "it is a zip archive without one data.pkl")
        if listed[main[0]].file_size > MOST_PICKLE_BYTES or listed[main[0]].compress_type != zipfile.ZIP_STORED:
            raise refuse(path, "is far larger than its tensors need")
        root = main[0].removesuffix("data.pkl")
        order = archive.read(f"{root}byteorder").decode() if f"{root}byteorder" in listed else "little"
        if order != "little":
            raise unreadable(path, "its numbers are in big-endian order")
        found, storages = _load(archive.read(main[0]), path)
        for storage in storages.values():
            info = listed[f"{root}data/{storage.key}"]
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != storage.n * _size(storage.dtype):
                raise unreadable(path, "a part has another size than stated")
            storage.data = _tensor(archive.read(info), storage)
    return found


def _read_legacy(path: Path) -> Any:
    size = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(2) == b"PK":
            raise unreadable(path, "it is a zip archive that was cut short")
        stream.seek(0)
        magic = _next(stream, path)
        if magic != LEGACY_MAGIC:
            raise unreadable(path, "it was not written by torch.save")
        for _ in range(2):
            _next(stream, path)
        start = stream.tell()
        scan(stream, path)
        end = stream.tell()
        stream.seek(start)
        unpickler = _Unpickler(io.BytesIO(stream.read(end - start)))
        found, storages = unpickler.load(), unpickler.storages
        for key in _next(stream, path):
            (n,) = struct.unpack("<q", stream.read(8))
            storage = storages[str(key)]
            length = n * _size(storage.dtype)
            if n != storage.n or stream.tell() + length > size:
                raise unreadable(path, "a part has another size than stated")
            storage.data = _tensor(stream.read(length), storage)
    return found


def _next(stream: BinaryIO, path: Path) -> Any:
    """The next small pickle of the legacy layout: numbers, a dictionary, a list of keys."""
    start = stream.tell()
    scan(stream, path)
    end = stream.tell()
    stream.seek(start)
    return _Unpickler(io.BytesIO(stream.read(end - start))).load()


def _size(dtype: str) -> int:
    import torch

    return int(getattr(torch, dtype).itemsize)


def _tensor(data: bytes, storage: _Storage) -> Any:
    import torch

    if storage.n == 0:
        return torch.empty(0, dtype=getattr(torch, storage.dtype))
    return torch.frombuffer(bytearray(data), dtype=getattr(torch, storage.dtype))


def _named(found: Any) -> dict[str, _View]:
    """The tensors of a state dictionary, also one level down under its usual names."""
    if not isinstance(found, dict):
        return {}
    inner = next(
        (found[key] for key in ("state_dict", "model", "model_state_dict") if isinstance(found.get(key), dict)), found
    )
    tensors = {name: view for name, view in inner.items() if isinstance(name, str) and isinstance(view, _View)}
    for view in tensors.values():
        view.check()
    return tensors
