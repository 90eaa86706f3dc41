"""What the header of a picture says, for auditing thousands of files: nothing is decoded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from PIL import Image, ImageFile

from honed.data.pictures.opening import MOST_PIXELS, Source, name_of, open_picture, opened, orientation_of
from honed.data.pictures.sources import content_of
from honed.errors import DataError

HEAD_BYTES = 16_384
TAIL_BYTES = 4_096
ENDINGS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
"""Marks without which a file of these kinds was cut off."""


@dataclass(frozen=True)
class PictureFacts:
    """One picture by its header.

    Parameters
    ----------
    name : str
        Its path.
    width, height : int
        In pixels, as a person sees it: the orientation of EXIF is applied, as in ``open_picture``.
    mode : str
        Kind of colour in Pillow's words: ``"RGB"``, ``"L"`` (grey), ``"P"`` (palette), ``"CMYK"``, ``"I;16"``, ...
    format : str
        ``"JPEG"``, ``"PNG"``, ...
    orientation : int
        1 to 8 by EXIF; 1 is the right way up, from 5 on width and height are stored the other way round.
    n_bytes : int
        Size of the file.
    sketch : str
        A digest of its size and its first 16 KiB: pictures that differ nearly always differ in it.
    """

    name: str
    width: int
    height: int
    mode: str
    format: str
    orientation: int
    n_bytes: int
    sketch: str = ""

    @property
    def stored_size(self) -> tuple[int, int]:
        """(width, height) of the pixels as they are stored, before they are turned."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def picture_facts(source: Source, *, most_pixels: int = MOST_PIXELS, name: str = "") -> PictureFacts:
    """Read the header of one picture.

    A file that lacks the mark at its end is decoded to be sure; a fault in the middle of a file is only seen when it
    is opened.

    Raises
    ------
    DataError [D001, D004, D060, D061, D062]
        Not there, not permitted, no picture, cut off, too large.
    """
    name = name or name_of(source)
    with opened(source, name, most_pixels) as image:
        end = _last_bytes(image)
        behind = image.format == "PNG" and b"eXIf" in end  # the note how to turn it stands behind the pixels
        whole = ENDINGS.get(image.format or "", b"") in end
        found = _from_header(image, name, source)
    if whole and behind:
        height, width = open_picture(source, most_pixels=most_pixels, name=name).shape[:2]
        return replace(found, width=width, height=height, orientation=_orientation_behind(source))
    if not whole:
        open_picture(source, most_pixels=most_pixels, name=name)
    return found


def _from_header(image: Image.Image, name: str, source: Source) -> PictureFacts:
    orientation, (width, height) = orientation_of(image), image.size
    if orientation >= 5 and image.format != "TIFF":  # of a TIFF Pillow says the size as it is seen
        width, height = height, width
    content = content_of(source)
    n_bytes = len(content) if content is not None else Path(str(source)).stat().st_size
    stream = _stream_of(image)
    stream.seek(0)
    sketch = hashlib.blake2b(stream.read(HEAD_BYTES) + n_bytes.to_bytes(8, "big"), digest_size=16).hexdigest()
    return PictureFacts(name, width, height, image.mode, image.format or "", orientation, n_bytes, sketch)


def _stream_of(image: Image.Image) -> IO[bytes]:
    assert isinstance(image, ImageFile.ImageFile)
    assert image.fp is not None
    return image.fp


def _last_bytes(image: Image.Image) -> bytes:
    stream = _stream_of(image)
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - TAIL_BYTES))
    return stream.read(TAIL_BYTES)


def _orientation_behind(source: Source) -> int:
    with opened(source, "", MOST_PIXELS) as image:
        return orientation_of(image, thorough=True)


def read_facts(
    sources: Sequence[Source], *, most_pixels: int = MOST_PIXELS, advance: Callable[[int], None] | None = None
) -> list[PictureFacts | DataError]:
    """The headers of many pictures, in order, several at a time; an unreadable one is given as its error.

    ``advance(1)`` is called after each.
    """

    def read(source: Source) -> PictureFacts | DataError:
        try:
            return picture_facts(source, most_pixels=most_pixels)
        except DataError as error:
            return error

    found = []
    with ThreadPoolExecutor(min(16, 4 * (os.cpu_count() or 1))) as pool:
        for facts in pool.map(read, sources, chunksize=1):
            found.append(facts)
            if advance:
                advance(1)
    return found
