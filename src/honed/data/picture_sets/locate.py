"""Finding the pictures of a set on the disk, and the names by which people call its parts."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from honed.data.pictures.kinds import is_picture_name

PARTS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "eval": "validation", "test": "test", "testing": "test",
}  # fmt: skip
_YEAR = re.compile(r"[-_]?\d{4}$")
_LEFT_ALONE = frozenset(("thumbs.db", "desktop.ini", "__macosx"))


def part_of(name: str) -> str | None:
    """ "train", "validation" or "test" for a name such as "train", "Val", "valid" or "train2017"; else None."""
    return PARTS.get(_YEAR.sub("", name.lower()))


def walk(folder: Path, depth: int = 100) -> Iterator[tuple[str, list[str]]]:
    """(folder, names of its files) of all folders from here on, sorted; hidden ones are left out, links are followed
    once. ``depth`` says how many levels below the folder are looked at."""
    seen: set[str] = set()
    level = len(folder.parts)
    for here, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen or len(Path(here).parts) - level > depth:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if _shown(name))
        yield here, sorted(name for name in names if _shown(name))


def _shown(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _LEFT_ALONE


def files_under(folder: Path, depth: int = 100) -> tuple[list[str], list[str]]:
    """The paths of all pictures from a folder on, and of all other files."""
    pictures: list[str] = []
    others: list[str] = []
    for here, names in walk(folder, depth):
        for name in names:
            (pictures if is_picture_name(name) else others).append(f"{here}{os.sep}{name}")
    return pictures, others


def unwrapped(folder: Path) -> Path:
    """The folder within, as long as a folder holds nothing but one folder."""
    while True:
        inside = [entry for entry in folder.iterdir() if _shown(entry.name)]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]


def unmentioned(paths: Iterable[str]) -> list[str]:
    """Pictures that lie in the same folders as these (absolute paths), but are not among them."""
    known = set(paths)
    folders = sorted({Path(path).parent for path in known})
    there = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return [str(path) for path in there if is_picture_name(path.name) and str(path) not in known]


class Finder:
    """Finds the files that annotations name, in the places where people put them.

    Parameters
    ----------
    places : iterable of Path
        Folders in the order in which they are tried.
    root : Path
        Where all pictures are looked through by name when no place has one.
    depth : int
        How many levels below ``root`` are looked through.
    """

    def __init__(self, places: Iterable[Path], root: Path, depth: int = 100) -> None:
        self._places = list(dict.fromkeys(place.absolute() for place in places))
        self._root, self._depth = root, depth
        self._index: dict[str, list[str]] | None = None

    def find(self, name: str) -> str | None:
        """The absolute path of a picture by its name or path in the annotations, or None.

        Names may lack the ending; a path that does not hold here (of another computer) is tried by its last parts.
        """
        name = name.replace("\\", "/")
        for place in self._places:
            path = place / name
            if path.is_file():
                return os.path.normpath(path)
        return self._by_name(name)

    def expected(self, name: str) -> str:
        """Where an absent picture was looked for first."""
        return os.path.normpath(self._places[0] / name.replace("\\", "/"))

    def _by_name(self, name: str) -> str | None:
        if self._index is None:
            self._index = _index_of(self._root, self._depth)
        steps = [step for step in name.lower().split("/") if step not in ("", ".", "..")]
        found = self._index.get(steps[-1], []) if steps else []
        for count in range(2, len(steps) + 1):
            if len(found) <= 1:
                break
            ending = "/" + "/".join(steps[-count:])
            found = [path for path in found if _without_ending(path, ending)] or found
        for place in self._places if len(found) > 1 else ():
            found = [path for path in found if Path(path).parent == place] or found
        return found[0] if len(found) == 1 else None


def _without_ending(path: str, ending: str) -> bool:
    low = path.replace(os.sep, "/").lower()
    return low.endswith(ending) or low.rpartition(".")[0].endswith(ending)


def _index_of(root: Path, depth: int) -> dict[str, list[str]]:
    """Paths of all pictures from a folder on, by name and by name without its ending, in lower case."""
    index: dict[str, list[str]] = defaultdict(list)
    for path in files_under(root, depth)[0]:
        name = Path(path).name.lower()
        for key in (name, name.rpartition(".")[0]):
            index[key].append(str(Path(path).absolute()))
    return index
