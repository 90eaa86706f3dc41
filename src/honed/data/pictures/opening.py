"""``open_picture``: whatever users have, as RGB pixels the right way up; bombs are refused before they are decoded."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from honed.data.pictures.colours import in_rgb
from honed.data.pictures.kinds import FORMATS, what_it_is
from honed.data.pictures.sources import content_of
from honed.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
Source = str | Path | bytes
MOST_PIXELS = 80_000_000
"""Pixels (height x width) that are decoded unless another bound is given: 240 MB of memory as RGB."""
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings the stored pixels the right way up, for each orientation that EXIF knows."""

# Pillow's warnings say less than the errors raised here, and would be printed once for each of thousands of files.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def open_picture(
    source: Source, *, most_pixels: int = MOST_PIXELS, at_least: tuple[int, int] | None = None, name: str = ""
) -> Array:
    """The pixels of one picture, as a person sees it: an array of its own memory, so it may be written to.

    See :func:`open_image`, which gives the same as Pillow has it.
    """
    return np.array(open_image(source, most_pixels=most_pixels, at_least=at_least, name=name))


def open_image(
    source: Source, *, most_pixels: int = MOST_PIXELS, at_least: tuple[int, int] | None = None, name: str = ""
) -> Image.Image:
    """One picture as a person sees it, decoded, in mode RGB.

    The orientation of EXIF is applied; transparent parts are laid on white; of moving pictures the first is taken;
    greys of 16 bits are scaled by the depth they were taken with (8, 12 or 16 bits, told from the brightest value);
    CMYK is read in the polarity that the file states. Colour profiles are not applied.

    Parameters
    ----------
    source : path or bytes
        A file, the bytes of one, or a data URI.
    most_pixels : int
        Larger pictures (height x width by the header) are refused before anything is decoded. Never above 170 million.
    at_least : (int, int), optional
        Height and width, in pixels, that suffice: a JPEG is then decoded at 1/2, 1/4 or 1/8 of its size where the
        result is no smaller than this, several times as fast. The result must still be resized.
    name : str
        What messages call bytes.

    Returns
    -------
    Image
        Of Pillow; for one that is only to be resized, two copies of its pixels are saved.

    Raises
    ------
    DataError [D001, D004, D060, D061, D062]
        Not there, not permitted, no picture, damaged, too large.
    """
    name = name or name_of(source)
    with opened(source, name, most_pixels) as image, decoding(name):
        orientation = orientation_of(image)
        if at_least is not None:
            _draft(image, at_least, orientation)
        image.load()
        if image.format == "TIFF":  # turned by Pillow already
            orientation = 1
        elif image.format == "PNG":  # may stand behind the pixels
            orientation = orientation_of(image, thorough=True)
        image = in_rgb(image)
        return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def name_of(source: Source) -> str:
    """What messages call a picture: its path, or "The picture" for bytes and data URIs."""
    return "The picture" if isinstance(source, bytes) or str(source).startswith("data:") else str(source)


@contextlib.contextmanager
def opened(source: Source, name: str, most_pixels: int) -> Iterator[Image.Image]:
    """The picture with its header read and nothing decoded.

    Raises
    ------
    DataError [D001, D004, D060, D061, D062]
    """
    with _stream(source, name) as stream:
        with decoding(name, stream):
            image = Image.open(stream, formats=FORMATS)
        with image:
            width, height = image.size
            if width * height > most_pixels:
                raise too_large(name, f"{width:,} x {height:,} pixels", most_pixels)
            yield image


def too_large(name: str, seen: str, most_pixels: int) -> DataError:
    """D062 as one sentence."""
    return DataError(
        "D062",
        f"{name} has {seen}; at most {most_pixels / 1e6:,.0f} million are read.",
        "Make it smaller or cut it into tiles.",
        details={"picture": name},
    )


@contextlib.contextmanager
def _stream(source: Source, name: str) -> Iterator[BinaryIO]:
    content = content_of(source)
    if content is not None:
        yield io.BytesIO(content)
        return
    assert not isinstance(source, bytes)
    path = Path(source)
    try:
        stream = path.open("rb")
    except PermissionError:
        raise DataError("D004", f"Reading {name} is not permitted.", "Ask for the right to read it.") from None
    except IsADirectoryError:
        raise DataError("D001", f"{name} is a folder, not a picture.", "Name a picture in it.") from None
    except (OSError, ValueError):
        raise DataError("D001", f"There is no picture {name}.", "Check the path.") from None
    with stream:
        yield stream


@contextlib.contextmanager
def decoding(name: str, stream: BinaryIO | None = None) -> Iterator[None]:
    """Turn what a decoder says of foreign bytes into D060 to D062; decoders raise nearly anything.

    Raises
    ------
    DataError [D060, D061, D062]
    """
    details = {"picture": name}
    try:
        yield
    except (DataError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_large(name, "an enormous number of pixels", MOST_PIXELS) from None
    except Image.UnidentifiedImageError:
        seen, remedy = what_it_is(stream)
        raise DataError("D060", f"{name} is {seen}.", remedy, details=details) from None
    except Exception as error:
        why = (str(error).splitlines() or [""])[0][:100] or type(error).__name__
        seen = f"{name} is damaged or cut off ({why})."
        raise DataError("D061", seen, "Get an undamaged copy, or remove it.", details=details) from None


def orientation_of(image: Image.Image, *, thorough: bool = False) -> int:
    """The EXIF orientation, 1 to 8; 1 (the right way up) where there is none or it is damaged.

    ``thorough`` also finds what stands behind the pixels of a PNG, for which Pillow decodes it.
    """
    if image.format == "PNG" and not thorough and "exif" not in image.info:
        return 1
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _draft(image: Image.Image, at_least: tuple[int, int], orientation: int) -> None:
    """Ask the JPEG decoder for the smallest size that is no smaller than (height, width) once turned."""
    height, width = at_least if orientation <= 4 else at_least[::-1]
    image.draft(None, (max(1, width), max(1, height)))
