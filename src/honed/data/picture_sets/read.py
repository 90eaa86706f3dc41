"""``read_picture_set``: what lies at a path, told from what is there, as one table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from honed.data.picture_sets.assemble import assemble
from honed.data.picture_sets.coco import read_coco_file, read_coco_folder
from honed.data.picture_sets.folder import read_folder
from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.locate import unwrapped
from honed.data.picture_sets.raw import RawSet
from honed.data.picture_sets.voc import read_voc_folder
from honed.data.picture_sets.yolo import read_yolo_file, read_yolo_folder
from honed.data.table import Table
from honed.errors import DataError

Reader = Callable[[Path, Ledger], RawSet | None]
FOLDERS: tuple[Reader, ...] = (read_yolo_folder, read_voc_folder, read_coco_folder, read_folder)
"""Readers of folders in the order in which they are asked; each gives None where it does not know its layout."""
FILES: tuple[Reader, ...] = (read_coco_file, read_yolo_file)


def read_picture_set(path: str | Path, *, advance: Callable[[int], None] | None = None) -> Table | None:
    """A set of pictures as a table, or None where the path holds none (a CSV file, a text, ...).

    Read are: a folder with a folder of pictures for each class, perhaps below train, val and test; COCO (the JSON file, or
    a folder with it); Pascal VOC (XML files); YOLO (data.yaml with labels/*.txt); and a folder of pictures alone, whose
    rows then have no label. ``advance(1)`` is called for each picture whose header was read.

    Returns
    -------
    Table or None
        ``image`` (absolute path), ``label`` or ``objects``, ``width``, ``height`` and, where the set has parts, ``part``;
        see :mod:`honed.data.picture_sets.raw`. ``findings`` tells all that was left out, changed or in doubt.

    Raises
    ------
    DataError [D001, D004, D063, D064]
        Nothing is there, it may not be read, the annotations are damaged, or no picture can be used.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError("D001", f"There is no file or folder {path}.", "Check the path.")
    ledger = Ledger()
    try:
        path = unwrapped(path) if path.is_dir() else path
        for reader in FOLDERS if path.is_dir() else FILES:
            found = reader(path, ledger)
            if found is not None:
                return assemble(found, ledger, advance)
    except PermissionError as error:
        raise DataError(
            "D004", f"Reading {error.filename or path} is not permitted.", "Ask for the right to read it."
        ) from None
    return None
