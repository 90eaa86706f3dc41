"""The pickle gate: honest checkpoints come through, hostile ones never run anything."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from honed.errors import ZooError
from honed.zoo.convert import to_safetensors
from honed.zoo.pickle_gate import read_checkpoint


def honest() -> dict[str, torch.Tensor]:
    base = torch.arange(24, dtype=torch.float32)
    return {
        "weight": base.reshape(4, 6), "transposed": base.reshape(4, 6).t(), "shared": base[3:7], "half": torch.ones(3).half(),
        "brain": torch.ones(2, 2).bfloat16(), "whole": torch.tensor([1, -2]), "flags": torch.tensor([True, False]),
        "scalar": torch.tensor(3.5), "none": torch.empty(0, 5), "bytes": torch.tensor([1, 255], dtype=torch.uint8),
    }  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrap", ["plain", "ordered", "nested", "parameters"])
def test_honest_checkpoints_come_through(tmp_path: Path, legacy: bool, wrap: str) -> None:
    state: Any = honest()
    if wrap == "ordered":
        state = OrderedDict(state)
    if wrap == "nested":
        state = {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}
    if wrap == "parameters":
        state = {
            name: torch.nn.Parameter(value, requires_grad=value.is_floating_point()) for name, value in state.items()
        }
    path = tmp_path / "pytorch_model.bin"
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    found = read_checkpoint(path)
    assert set(found) == set(honest())
    for name, value in honest().items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name


def test_a_module_state_with_metadata(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    torch.save(module.state_dict(), tmp_path / "m.bin")
    found = read_checkpoint(tmp_path / "m.bin")
    assert all(torch.equal(found[name], value) for name, value in module.state_dict().items())


def test_converted_once(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    torch.save(honest(), tmp_path / "pytorch_model.bin")
    target = to_safetensors(tmp_path / "pytorch_model.bin", tmp_path / "model.safetensors")
    found = load_file(target)
    assert all(torch.equal(found[name], value) for name, value in honest().items())


def test_a_folder_with_a_pickle_only_becomes_a_base(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from honed.testing.tiny_models import tiny_model
    from honed.zoo.local import local_base

    folder = tiny_model("bert", tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    base = local_base(folder)
    again = load_file(folder / "model.safetensors")
    assert base.n_parameters > 0 and all(torch.equal(again[name], value) for name, value in weights.items())
    (folder / "pytorch_model.bin").write_bytes(b"never read again")
    assert local_base(folder).digest == base.digest


MARK = "honed-was-run"


class Call:
    """Pickles to a call of anything."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


def touching(place: Path) -> dict[str, Any]:
    """Objects whose unpickling would make the file ``place`` or do other harm."""
    name = str(place)
    return {
        "os.system": Call(os.system, f"touch {name}"),
        "posix.popen": Call(os.popen, f"touch {name}"),
        "subprocess.run": Call(subprocess.run, ["touch", name]),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", name]),
        "subprocess.check_output": Call(subprocess.check_output, ["touch", name]),
        "eval": Call(eval, f"open({name!r}, 'w')"),
        "exec": Call(exec, f"open({name!r}, 'w')"),
        "open": Call(open, name, "w"),
        "io.open": Call(io.open, name, "w"),
        "compile": Call(compile, "1", "x", "eval"),
        "import": Call(__import__, "os"),
        "getattr": Call(getattr, "x", "upper"),
        "setattr": Call(setattr, Call, "x", 1),
        "os.mkdir": Call(os.mkdir, name),
        "os.remove": Call(os.remove, name),
        "os.rename": Call(os.rename, name, name + "x"),
        "os.putenv": Call(os.putenv, "A", "b"),
        "os.kill": Call(os.kill, 1, 0),
        "os._exit": Call(os._exit, 3),
        "exit": Call(__import__("sys").exit, 3),
        "pathlib": Call(Path, name),
        "pickle.loads": Call(pickle.loads, b"N."),
        "torch.load": Call(torch.load, name),
        "torch.hub": Call(torch.hub.load, "a/b", "c"),
        "zipfile": Call(zipfile.ZipFile, name, "w"),
        "map": Call(map, print, [1]),
        "functools.partial": Call(__import__("functools").partial, print, 1),
        "operator.attrgetter": Call(__import__("operator").attrgetter, "system"),
        "importlib": Call(__import__("importlib").import_module, "antigravity"),
        "runpy": Call(__import__("runpy").run_path, name),
        "socket": Call(__import__("socket").create_connection, ("127.0.0.1", 9)),
        "webbrowser": Call(__import__("webbrowser").open, "x"),
        "shutil.rmtree": Call(__import__("shutil").rmtree, name),
        "types.CodeType": Call(type, "X", (), {}),
        "ctypes": Call(__import__("ctypes").CDLL, "libc.so.6"),
        "code.interact": Call(__import__("code").interact),
        "timeit": Call(__import__("timeit").timeit, "1"),
        "bytearray": Call(bytearray, 10**6),
        "pdb": Call(__import__("pdb").run, "1"),
        "asyncio": Call(__import__("asyncio").run, None),
    }


HOSTILE = sorted(touching(Path(MARK)))


def zipped(path: Path, data: bytes, parts: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        for name, part in (parts or {}).items():
            archive.writestr(f"archive/{name}", part)
    return path


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_call_is_ever_made(tmp_path: Path, name: str, protocol: int) -> None:
    place = tmp_path / MARK
    data = pickle.dumps({"weight": touching(place)[name]}, protocol)
    for path in (zipped(tmp_path / "a.bin", data), tmp_path / "b.bin", tmp_path / "c.bin"):
        if path.name == "b.bin":
            path.write_bytes(data)
        if path.name == "c.bin":
            magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
            path.write_bytes(magic + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + data)
        with pytest.raises(ZooError) as caught:
            read_checkpoint(path)
        assert caught.value.code == ("Z031" if path.name == "b.bin" and "Z031" in str(caught.value) else "Z030")
    assert not place.exists()


def rebuild(*arguments: bytes) -> bytes:
    """A pickle of {"w": _rebuild_tensor_v2(persistent storage, ...)} written by hand (protocol 2)."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    body = b"".join(arguments)
    return b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n(" + storage + body + b"tRs."


DATA = {"data/0": struct.pack("<4f", 1, 2, 3, 4)}
TAIL = b"\x89}"


def test_a_pickle_by_hand_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "w.bin", rebuild(b"K\x00", b"K\x02K\x02\x86", b"K\x02K\x01\x86", TAIL), DATA)
    assert read_checkpoint(path)["w"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((b"K\x00", b"K\x05\x85", b"K\x01\x85", TAIL), "too long"),
        ((b"K\x03", b"K\x02\x85", b"K\x01\x85", TAIL), "offset"),
        ((b"K\x00", b"K\x02\x85", b"K\x09\x85", TAIL), "stride"),
        ((b"K\x00", b"J\xff\xff\xff\xff\x85", b"K\x01\x85", TAIL), "negative size"),
        ((b"K\x00", b"K\x02\x85", b"J\xff\xff\xff\xff\x85", TAIL), "negative stride"),
        ((b"J\xff\xff\xff\xff", b"K\x02\x85", b"K\x01\x85", TAIL), "negative offset"),
        ((b"K\x00", b"J\xff\xff\xff\x7f\x85", b"K\x00\x85", TAIL), "a stride of nought blows it up"),
        ((b"K\x00", b"K\x02K\x02\x86", b"K\x01\x85", TAIL), "ranks differ"),
        ((b"G?\xf0\x00\x00\x00\x00\x00\x00", b"K\x02\x85", b"K\x01\x85", TAIL), "offset is no whole number"),
        ((b"K\x00", b"X\x01\x00\x00\x00a\x85", b"K\x01\x85", TAIL), "size is text"),
    ],
)
def test_tensors_that_reach_beyond_their_data(tmp_path: Path, arguments: tuple[bytes, ...], why: str) -> None:
    with pytest.raises(ZooError, match="Z031"):
        read_checkpoint(zipped(tmp_path / "w.bin", rebuild(*arguments), DATA))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.", "Z030"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", "Z030"),
        (b"\x80\x02(X\x04\x00\x00\x00trueios\nsystem\n.", "Z030"),
        (b"(S'true'\nios\nsystem\n.", "Z030"),
        (b"\x80\x02\x82\x01.", "Z030"),
        (b"\x80\x02r\xff\xff\xff\x7f.", "Z030"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "Z030"),
        (b"\x80\x02ccollections\nOrderedDict.__init__.__globals__\n.", "Z030"),
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", "Z031"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x01\x00\x00\x00aK\x01s\x86b.", "Z031"),
        (b"\x80\x02ctorch\nSize\n}X\x04\x00\x00\x00nameK\x01sb.", "Z031"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "Z031"),
        (b"\x80\x02", "Z031"),
        (b"", "Z031"),
        (b"\x80\x02K\x01.", "Z031"),
        (b"\x80\x02]q\x00h\x00a.", "Z031"),
        (b"\x80\x02}.", "Z031"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "Z031"),
        (b"\x80\x02K\x01Q.", "Z031"),
        (b"\x80\x02(X\x07\x00\x00\x00storageK\x01X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ.", "Z031"),
        (b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".", "Z031"),
    ],
)
def test_hand_made_pickles(tmp_path: Path, data: bytes, code: str) -> None:
    with pytest.raises(ZooError, match=code):
        read_checkpoint(zipped(tmp_path / "x.bin", data, DATA))


def test_damaged_archives(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    torch.save(honest(), path)
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        with pytest.raises(ZooError, match="Z031"):
            read_checkpoint(path)
    torch.save(honest(), path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(ZooError, match="Z031"):
            read_checkpoint(path)


def test_parts_that_lie_about_their_size(tmp_path: Path) -> None:
    good = rebuild(b"K\x00", b"K\x02\x85", b"K\x01\x85", TAIL)
    for parts in ({"data/0": b"123"}, {}, {"data/0": b"\x00" * 16, "byteorder": b"big"}):
        with pytest.raises(ZooError, match="Z031"):
            read_checkpoint(zipped(tmp_path / "w.bin", good, parts))
    with zipfile.ZipFile(tmp_path / "bomb.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", good + b"\x00" * 10_000_000)
    with pytest.raises(ZooError, match="Z030"):
        read_checkpoint(tmp_path / "bomb.bin")
