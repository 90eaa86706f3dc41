"""From a name or a path to a base on disk: embedded, a local folder or checkpoint, or a hub."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from honed.errors import ZooError
from honed.progress import Progress, Silent
from honed.zoo.base import Base
from honed.zoo.catalogue import Entry, find
from honed.zoo.decoder_files import converted_decoder, is_decoder_file
from honed.zoo.decoders import decoder_base
from honed.zoo.embedded import NAME, embedded_folder
from honed.zoo.legacy import converted_checkpoint, is_checkpoint
from honed.zoo.local import local_base
from honed.zoo.own import OWN_BACKBONE, OWN_DETECTOR, own_folder
from honed.zoo.pictures import object_base, picture_base

DESCRIBE: dict[str, Callable[..., Base]] = {
    "text": local_base, "image": picture_base, "objects": object_base, "decoder": decoder_base,
}  # fmt: skip
"""How a folder is checked, by the kind of input."""
DEFAULTS = {"text": NAME, "image": OWN_BACKBONE, "objects": OWN_DETECTOR}


def resolve(
    base: str | Path | None = None, *, kind: str = "text", progress: Progress | None = None, fetch: bool = True
) -> Base:
    """The base for a name of the catalogue, a folder, a checkpoint, a hub name ("org/name@revision"), or, for None, the one
    that comes with Honed.

    Parameters
    ----------
    kind : str
        What it must read, "text" or "image", find, "objects", or be, "decoder": a model that continues texts. A decoder may
        also be a GGUF file or a checkpoint of llama2.c.
    fetch : bool
        False takes only what is on this machine.

    Raises
    ------
    ZooError
        Unknown, unreachable, damaged, or for another kind of input; the message names the ways out.
    """
    progress, describe = progress or Silent(), DESCRIBE[kind]
    if base is None and kind not in DEFAULTS:
        raise ZooError(
            "Z025", "No decoder comes with Honed, and none was named.", "Name one: a folder, a GGUF file or a hub name."
        )
    name = DEFAULTS[kind] if base is None else str(base)
    if name in (NAME, OWN_BACKBONE, OWN_DETECTOR):
        folder = embedded_folder() if name == NAME else own_folder(name)
        return _described(describe(folder, name=name, how="embedded"), find(name))
    folder = Path(name).expanduser()
    if kind == "decoder" and is_decoder_file(folder):
        return dataclasses.replace(describe(converted_decoder(folder)), id=folder.stem)
    if is_checkpoint(folder):
        if kind in ("text", "decoder"):
            raise ZooError(
                "Z014", f"{folder} is a single checkpoint.", "Pass the folder with its configuration and tokenizer."
            )
        return dataclasses.replace(describe(converted_checkpoint(folder)), id=folder.stem)
    if folder.is_dir() or isinstance(base, Path) or name.startswith(("/", ".", "~")) or name.count("/") > 1:
        return describe(folder)
    from honed.zoo.hub import hub_base

    entry = find(name)
    if entry is not None and entry.file:
        seen = f'"{name}" is on no hub; it comes as one file, {entry.file} (licence: {entry.licence}).'
        raise ZooError("Z024", seen, "Fetch that file from its makers' model zoo and pass its path.")
    return _described(hub_base(entry.hub if entry else name, entry, progress, describe, fetch), entry)


def _described(base: Base, entry: Entry | None) -> Base:
    return dataclasses.replace(base, languages=tuple(entry.languages), id=entry.id) if entry else base
