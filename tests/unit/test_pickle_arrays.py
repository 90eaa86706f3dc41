"""The gate for pickles of numpy arrays: the zoo's files come through, hostile ones never run anything."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from honed.errors import ZooError
from honed.zoo.pickle_arrays import array_tensors, is_array_pickle, read_arrays
from tests.unit.test_pickle_gate import HOSTILE, MARK, touching


def honest() -> dict[str, Any]:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    return {
        "weight": base, "turned": base.T, "columns": np.asfortranarray(base), "part": base[1:3, 2:], "half": np.ones(3, np.float16),
        "double": np.array([1.5, -2.5]), "whole": np.array([1, -2], np.int64), "bytes": np.array([1, 255], np.uint8),
        "flags": np.array([True, False]), "scalar": np.array(3.5, np.float32), "all": np.arange(256, dtype=np.uint8),
    }  # fmt: skip


def written(path: Path, value: Any, protocol: int = 2) -> Path:
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_come_through(tmp_path: Path, protocol: int) -> None:
    wrapped = {"model": OrderedDict(honest()), "__author__": "A. N. Other", "iteration": 7, "matching_heuristics": True}
    path = written(tmp_path / "m.pkl", wrapped, protocol)
    found = read_arrays(path)
    assert found["__author__"] == "A. N. Other" and found["iteration"] == 7 and set(found["model"]) == set(honest())
    for name, value in honest().items():
        assert found["model"][name].dtype == value.dtype and np.array_equal(found["model"][name], value), name
    assert is_array_pickle(path)
    tensors = array_tensors(path)
    assert torch.equal(tensors["turned"], torch.from_numpy(honest()["turned"].copy()))
    assert set(array_tensors(written(tmp_path / "n.pkl", {"a": np.ones(2), "a_momentum": np.ones(2)}))) == {"a"}


def array(shape: bytes, kind: bytes, data: bytes, order: bytes = b"\x89") -> bytes:
    """An array as Python 2 pickled it (protocol 2), by hand."""
    head = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + shape + kind + order
    return head + b"U" + bytes([len(data)]) + data + b"tb"


def kind(code: bytes = b"f4", order: bytes = b"<", names: bytes = b"NNN") -> bytes:
    return (
        b"cnumpy\ndtype\nU"
        + bytes([len(code)])
        + code
        + b"K\x00K\x01\x87R(K\x03U\x01"
        + order
        + names
        + b"J\xff\xff\xff\xff" * 2
        + b"K\x00tb"
    )


def model(value: bytes) -> bytes:
    return b"\x80\x02}U\x01w" + value + b"s."


GOOD = np.array([1.5, -250.0], np.float32).tobytes()


def test_a_file_of_python_2_is_read(tmp_path: Path) -> None:
    """Bytes are texts there, any of the 256."""
    path = written(tmp_path / "old.pkl", model(array(b"K\x02\x85", kind(), GOOD)))
    assert read_arrays(path)["w"].tolist() == [1.5, -250.0]
    path = written(
        tmp_path / "old.pkl", model(array(b"K\x02K\x02\x86", kind(b"u1", b"|"), b"\x00\x80\xff\x0a", b"\x88"))
    )
    assert read_arrays(path)["w"].tolist() == [[0, 255], [128, 10]]


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_call_is_ever_made(tmp_path: Path, name: str, protocol: int) -> None:
    place = tmp_path / MARK
    path = written(tmp_path / "m.pkl", {"model": {"w": np.ones(2), "x": touching(place)[name]}}, protocol)
    with pytest.raises(ZooError, match="Z030"):
        read_arrays(path)
    assert not place.exists()


ENCODE = b"c_codecs\nencode\n"


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (model(array(b"K\x03\x85", kind(), GOOD)), "Z031", "longer than its data"),
        (model(array(b"K\x01\x85", kind(), GOOD)), "Z031", "shorter than its data"),
        (model(array(b"J\xff\xff\xff\xffK\x02\x86", kind(), GOOD)), "Z031", "negative size"),
        (model(array(b"G?\xf0\x00\x00\x00\x00\x00\x00\x85", kind(), GOOD)), "Z031", "size is no whole number"),
        (model(array(b"\x88K\x02\x86", kind(), GOOD)), "Z031", "size is true"),
        (model(array(b"K\x02", kind(), GOOD)), "Z031", "no list of sizes"),
        (model(array(b"K\x01\x85", kind(b"O8", b"|"), GOOD)), "Z031", "objects"),
        (model(array(b"K\x01\x85", kind(b"S8", b"|"), GOOD)), "Z031", "texts"),
        (model(array(b"K\x01\x85", kind(b"V8", b"|"), GOOD)), "Z031", "raw memory"),
        (model(array(b"K\x02\x85", kind(order=b">"), GOOD)), "Z031", "big-endian"),
        (model(array(b"K\x02\x85", kind(names=b"N(U\x01atN"), GOOD)), "Z031", "numbers with parts"),
        (model(array(b"K\x02\x85", b"N", GOOD)), "Z031", "no type"),
        (model(array(b"K\x02\x85", kind(), GOOD, b"K\x01")), "Z031", "order is no truth value"),
        (model(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"), "Z031", "no contents"),
        (model(b"cnumpy\nndarray\nK\x02\x85\x85R"), "Z031", "an array without contents"),
        (model(b"cnumpy\nndarray\n}U\x01aK\x01sb"), "Z031", "changes a name"),
        (model(b"cnumpy\nndarray\n(NN}U\x09_functionK\x01sdtb"), "Z031", "changes a name's slots"),
        (model(ENCODE + b"X\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R"), "Z031", "another encoding"),
        (model(ENCODE + b"K\x05X\x06\x00\x00\x00latin1\x86R"), "Z031", "encodes a number"),
        (model(b"U\x01aQ"), "Z031", "something outside itself"),
        (model(b"cnumpy.core.multiarray\nscalar\nK\x01\x85R"), "Z030", "a name that no zoo needs"),
        (model(b"cnumpy.core.multiarray\nfromfile\nU\x01a\x85R"), "Z030", "reads a file"),
        (model(b"cnumpy\nload\nU\x01a\x85R"), "Z030", "numpy's own loader"),
        (model(b"cnumpy\nmemmap\nU\x01a\x85R"), "Z030", "maps a file"),
        (
            b"\x80\x04}\x8c\x01w\x8c\x05numpy\x8c\x04load\x93\x8c\x01a\x85Rs.",
            "Z030",
            "a name put together on the stack",
        ),
        (b"\x80\x04}\x8c\x01w\x8c\x05numpy\x8c\x10ndarray.__init__\x93\x8c\x01a\x85Rs.", "Z030", "a name with dots"),
        (model(b"cnumpy\nndarray\n)\x81"), "Z030", "an instruction that no zoo needs"),
        (b"\x80\x02K\x01.", "Z031", "no dictionary"),
        (b"\x80\x02}.", "Z031", "nothing in it"),
        (model(array(b"K\x02\x85", kind(), GOOD))[:-9], "Z031", "cut short"),
        (b"", "Z031", "empty"),
        (b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".", "Z031", "too deep"),
    ],
)
def test_what_is_no_plain_array_is_refused(tmp_path: Path, data: bytes, code: str, why: str) -> None:
    with pytest.raises(ZooError, match=code):
        array_tensors(written(tmp_path / "m.pkl", data))


def test_a_small_file_cannot_grow(tmp_path: Path) -> None:
    """One text encoded again and again, and one array under many names, would fill the memory."""
    text = b"X" + (50_000).to_bytes(4, "little") + b"a" * 50_000
    again = b"".join(b"h\x00h\x01X\x06\x00\x00\x00latin1\x86R" for _ in range(50))
    data = b"\x80\x02}(U\x01w" + ENCODE + b"q\x000" + text + b"q\x010](" + again + b"eu."
    with pytest.raises(ZooError, match="Z031"):
        read_arrays(written(tmp_path / "a.pkl", data))
    big = np.zeros(20_000, np.float32)
    with pytest.raises(ZooError, match="larger than the file"):
        read_arrays(written(tmp_path / "b.pkl", {"model": {f"w{i}": big for i in range(500)}}, 3))
    twice = {"model": {"w": big, "same": big}, "filler": "a" * 90_000}
    assert set(read_arrays(written(tmp_path / "c.pkl", twice, 3))["model"]) == {"w", "same"}


def test_layouts_are_told_apart(tmp_path: Path) -> None:
    for legacy in (True, False):
        torch.save({"w": torch.ones(2)}, tmp_path / "t.pth", _use_new_zipfile_serialization=not legacy)
        assert not is_array_pickle(tmp_path / "t.pth")
    assert not is_array_pickle(written(tmp_path / "x.pkl", b"")) and not is_array_pickle(
        written(tmp_path / "x.pkl", b"GIF89a")
    )
    with pytest.raises(ZooError, match="Z031"):
        array_tensors(written(tmp_path / "y.pkl", {"model": {"note": "no arrays"}}))
