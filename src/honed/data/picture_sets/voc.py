"""Pascal VOC: one XML file for each picture, lists of the parts in ImageSets/Main; also XML files beside the pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element

from honed.data.picture_sets.documents import damaged, read_xml
from honed.data.picture_sets.ledger import Ledger
from honed.data.picture_sets.locate import Finder, part_of, unmentioned, walk
from honed.data.picture_sets.raw import RawObject, RawPicture, RawSet
from honed.errors import DataError

KIND = "Pascal VOC"
TRIED = 5
"""XML files that are opened to see whether they are annotations."""
LISTS = {"train": "train", "val": "validation", "test": "test"}
PLACES = ("JPEGImages", "images", "Images", "img")


def read_voc_folder(folder: Path, ledger: Ledger) -> RawSet | None:
    """A folder with XML files of annotations in it or below; None where there are none.

    Boxes are taken to count pixels from 1, as the original does, when a box of the set starts at 1 and none at 0 (told).
    "Difficult" objects are marked as ``crowd``: neither learnt nor counted as missed.
    """
    paths = [Path(here) / name for here, names in walk(folder) for name in names if name.lower().endswith(".xml")]
    if not any(_is_annotation(path) for path in paths[:TRIED]):
        return None
    finders: dict[Path, Finder] = {}
    pictures: dict[Path, RawPicture] = {}
    for path in paths:
        finder = finders.setdefault(path.parent, _finder(path.parent, folder))
        picture = _picture(path, finder, ledger)
        if picture is not None:
            pictures[path] = picture
    if not pictures:
        raise damaged(folder, ledger.first("unreadable line"))
    _from_one(pictures.values(), ledger)
    _give_parts(folder, pictures, ledger)
    for name in unmentioned(picture.path for picture in pictures.values()):
        ledger.note("unmentioned", name)
    return RawSet(str(folder), KIND, list(pictures.values()))


def _is_annotation(path: Path) -> bool:
    try:
        return read_xml(path).tag == "annotation"
    except DataError:
        return b"<annotation" in path.read_bytes()[:4096]


def _finder(folder: Path, root: Path) -> Finder:
    near = [base / name for base in (folder, folder.parent) for name in PLACES]
    return Finder([*(place for place in near if place.is_dir()), folder, folder.parent], root)


def _picture(path: Path, finder: Finder, ledger: Ledger) -> RawPicture | None:
    try:
        root = read_xml(path)
    except DataError as error:
        ledger.note("unreadable line", error.seen)
        return None
    if root.tag != "annotation":
        ledger.note("other file", path.name)
        return None
    stated = _text(root, "filename").replace("\\", "/").rpartition("/")[2]
    names = [stated] if Path(stated).stem == path.stem else [path.stem, stated]
    found = next((one for one in (finder.find(name) for name in names if name) if one), None)
    picture = RawPicture(found or finder.expected(stated or path.stem), objects=[], claimed=_size(root))
    for element in root.findall("object"):
        one = _object(element)
        if one is None:
            ledger.note("unreadable line", f"an object in {path.name}")
            picture.empty = "emptied"
        elif picture.objects is not None:
            picture.objects.append(one)
    return picture


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _size(root: Element) -> tuple[int, int] | None:
    try:
        width, height = float(_text(root, "size/width")), float(_text(root, "size/height"))
    except ValueError:
        return None
    return (int(width), int(height)) if width > 0 and height > 0 else None


def _object(element: Element) -> RawObject | None:
    label, box = _text(element, "name"), element.find("bndbox")
    if not label or box is None:
        return None
    try:
        x1, y1, x2, y2 = (float(_text(box, name)) for name in ("xmin", "ymin", "xmax", "ymax"))
    except ValueError:
        return None
    return RawObject(label, (x1, y1, x2, y2), crowd=_text(element, "difficult") == "1")


def _from_one(pictures: Iterable[RawPicture], ledger: Ledger) -> None:
    """Where pixels are counted from 1, the first pixel of a box is moved to 0; its last, which is included, stays."""
    objects = [(one, picture) for picture in pictures for one in picture.objects or ()]
    if not objects or min(min(one.box[:2]) for one, _ in objects) != 1:
        return
    for one, _ in objects:
        one.box = (one.box[0] - 1, one.box[1] - 1, one.box[2], one.box[3])
    first = next(picture for one, picture in objects if 0 in one.box[:2])
    ledger.note("pixels from one", f"a box in {Path(first.path).name} starts at 1, none at 0", times=len(objects))


def _give_parts(folder: Path, pictures: dict[Path, RawPicture], ledger: Ledger) -> None:
    lists = next((here for here in (folder / "ImageSets" / "Main", folder / "ImageSets") if here.is_dir()), None)
    if lists is not None:
        _parts_of_lists(lists, pictures, ledger)
        return
    parts = {path: part_of(path.relative_to(folder).parts[0]) for path in pictures}
    if "train" in parts.values() and None not in parts.values():
        for path, picture in pictures.items():
            picture.part = parts[path]


def _parts_of_lists(folder: Path, pictures: dict[Path, RawPicture], ledger: Ledger) -> None:
    """train.txt, val.txt and test.txt; trainval.txt where there is no train.txt."""
    by_name = {path.stem: picture for path, picture in pictures.items()}
    listed = {part: _names(folder / f"{name}.txt") for name, part in LISTS.items()}
    if not listed["train"]:
        listed["train"] = _names(folder / "trainval.txt")
    if not any(listed.values()):
        return
    for part, names in listed.items():
        for name in names:
            picture = by_name.get(name)
            if picture is None:
                ledger.note("absent", f"{name}, of the {part} list")
                continue
            if picture.part is not None:
                ledger.note("several parts", f"{name}: {picture.part} and {part}", picture.path)
            picture.part = part
    for name, picture in by_name.items():
        if picture.part is None:
            ledger.note("no part", name, picture.path)


def _names(path: Path) -> list[str]:
    """The first word of each line, once; none where there is no such file."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return list(dict.fromkeys(line.split()[0] for line in lines if line.strip()))
