"""The first half of the pickle gate: read the instructions of a pickle without carrying out a single one."""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from honed.errors import ZooError

_NAMES = """
PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG1 LONG FLOAT BINFLOAT
UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES
EMPTY_LIST APPEND APPENDS LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS
PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID
"""
OPCODES = frozenset(_NAMES.split())
"""Instructions that a saved model needs. Those that make objects in other ways (INST, OBJ, NEWOBJ, EXT) are refused."""
GLOBALS = frozenset(
    [
        ("collections", "OrderedDict"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_parameter"),
        ("torch", "Size"),
        *(
            ("torch", f"{kind}Storage")
            for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
        ),
    ]
)
"""All names a pickle may call. Each stands for code of ours, never for what the name means elsewhere."""
MOST_INSTRUCTIONS = 5_000_000
MOST_NUMBER = 1 << 80


def refuse(path: Any, why: str) -> ZooError:
    """The error for a pickle that does more than build tensors."""
    seen = f"{path} was not loaded: it is a pickle that {why}."
    return ZooError("Z030", seen, "Get the weights as safetensors, or from a source you trust.")


def unreadable(path: Any, why: str) -> ZooError:
    """The error for a checkpoint that is damaged or of an unknown layout."""
    return ZooError("Z031", f"{path} cannot be read: {why}.", "Get the weights as safetensors.")


def scan(stream: BinaryIO, path: Any, names: Collection[tuple[str, ...]] = GLOBALS) -> None:
    """Check one pickle from the stream's position to its end mark, against ``names``; the stream is left behind it.

    Names that are put together on the stack are checked by the unpickler, which knows no others.

    Raises
    ------
    ZooError [Z030, Z031]
        A name or an instruction is not on the allow-list; or the pickle is damaged.
    """
    for count, (name, argument) in enumerate(_instructions(stream, path), start=1):
        if count > MOST_INSTRUCTIONS:
            raise refuse(path, "has more instructions than any model needs")
        if name not in OPCODES:
            raise refuse(path, f"uses the instruction {name}, which no saved model needs")
        if name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument) > count:
            raise refuse(path, "asks for more memory than its size can need")
        if name in ("INT", "LONG", "LONG1") and abs(int(argument)) > MOST_NUMBER:
            raise refuse(path, "holds a number larger than any size")
        if name == "GLOBAL" and tuple(str(argument).split(" ", 1)) not in names:
            raise refuse(path, f'calls "{str(argument).replace(" ", ".")}"')


def _instructions(stream: BinaryIO, path: Any) -> Iterator[tuple[str, Any]]:
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            yield opcode.name, argument
    except (ValueError, EOFError, IndexError, UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise unreadable(path, f"its pickle is damaged ({str(error)[:80]})") from error


class AllowedName:
    """Stands for an allowed name; it can be called, and nothing else. ``call`` is what is done in place of it."""

    __slots__ = ("call", "name")
    name: str
    call: Any

    def __init__(self, name: str, call: Any) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "call", call)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("names cannot be changed")

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("names cannot be changed")

    def __call__(self, *arguments: Any) -> Any:
        return self.call(*arguments)
