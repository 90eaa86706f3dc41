"""Opening pictures as users really have them: turned, grey, 16-bit, CMYK, transparent, animated, cut short, or too large."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from honed.errors import DataError
from honed.resources import cpu_count

Array = np.ndarray[Any, np.dtype[Any]]
Source = str | Path | bytes
MOST_PIXELS = 200_000_000
"""Larger pictures are refused before they are decoded: a small file can claim a size that fills the memory."""
EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
T = TypeVar("T")


@dataclass(frozen=True)
class PictureFacts:
    """What the header of a picture says; ``height`` and ``width`` are those after it is turned upright."""

    width: int
    height: int
    mode: str
    format: str
    turned: bool


def is_picture(path: Path) -> bool:
    """Whether the name is one of a picture."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def named(source: Source) -> str:
    """What a picture is called in a message."""
    if isinstance(source, bytes):
        return "the picture"
    return "the picture" if str(source).startswith("data:") else Path(source).name


def content_of(source: Source) -> bytes | None:
    """The bytes of a picture that is no file: given as such, or as a data URI; None for a path.

    Raises
    ------
    DataError [D061]
        The data URI holds no base64.
    """
    if isinstance(source, bytes):
        return source
    text = str(source)
    if not text.startswith("data:"):
        return None
    try:
        return base64.b64decode(text.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        raise DataError(
            "D061", "The data URI holds no base64.", "Pass a path, bytes, or data:image/png;base64,..."
        ) from None


def as_uri(content: bytes, kind: str = "image/png") -> str:
    """The bytes of a file as a data URI, which :func:`open_picture` takes."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def open_picture(source: Source, *, at_least: tuple[int, int] | None = None, most_pixels: int = MOST_PIXELS) -> Array:
    """A picture as upright RGB, (height, width, 3) uint8.

    Parameters
    ----------
    source : path, bytes, or data URI
    at_least : (height, width), optional
        A large JPEG may be decoded at a half, a quarter or an eighth of its size as long as it stays so large: much faster.

    Raises
    ------
    DataError [D060, D061, D062]
        No such file; no picture, or damaged; more pixels than are decoded.
    """
    with _opened(source, most_pixels) as picture:
        if at_least is not None and picture.format == "JPEG":
            picture.draft(None, (at_least[1], at_least[0]))
        try:
            return np.asarray(upright_rgb(picture))
        except (OSError, SyntaxError, ValueError, IndexError, EOFError) as error:
            raise _damaged(source, error) from error


def trouble_of(source: Source | None) -> str:
    """Why a picture cannot be opened, in one sentence; "" for one that can."""
    if not source:
        return "There is no picture."
    try:
        open_picture(source, at_least=(8, 8))
    except DataError as error:
        return error.seen
    return ""


def picture_facts(source: Source, *, most_pixels: int = MOST_PIXELS) -> PictureFacts:
    """What the header says, without decoding. Raises DataError [D060, D061, D062]."""
    with _opened(source, most_pixels) as picture:
        try:
            turned = picture.getexif().get(0x0112, 1) not in (0, 1)
            sideways = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        except Exception:  # damaged EXIF data turn nothing
            turned = sideways = False
        width, height = picture.size[::-1] if sideways else picture.size
        return PictureFacts(width, height, picture.mode, picture.format or "", turned)


def _opened(source: Source, most_pixels: int) -> Image.Image:
    content = content_of(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is judged here
            picture: Image.Image = Image.open(io.BytesIO(content) if content is not None else Path(str(source)))
    except FileNotFoundError:
        raise DataError("D060", f"There is no picture {source!s}.", "Check the path.") from None
    except PermissionError:
        raise DataError("D004", f"Reading {source!s} is not permitted.", "Ask for the right to read it.") from None
    except Image.DecompressionBombError:
        raise _too_large(source, "a huge number of") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, IndexError, EOFError, TypeError) as error:
        raise _damaged(source, error) from error
    if picture.width * picture.height > most_pixels:
        raise _too_large(source, f"{picture.width * picture.height:,}")
    return picture


def _subject(source: Source) -> str:
    name = named(source)
    return "The picture" if name == "the picture" else name


def _damaged(source: Source, error: Exception) -> DataError:
    why = "cut short" if "truncated" in str(error) else "no picture, or damaged"
    seen = f"{_subject(source)} is {why}."
    return DataError("D061", seen, "Pass a whole JPEG, PNG, WebP, GIF, BMP or TIFF.")


def _too_large(source: Source, pixels: str) -> DataError:
    seen = f"{_subject(source)} has {pixels} pixels, more than are decoded."
    return DataError("D062", seen, "Make it smaller first.")


def upright_rgb(picture: Image.Image) -> Image.Image:
    """Turned as its EXIF says, transparent parts white, 16 bits brought to 8, in RGB; the first frame of several."""
    try:
        picture = ImageOps.exif_transpose(picture)
    except Exception:  # damaged EXIF data turn nothing
        picture.load()
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _eight_bits(picture).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        over = picture.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, over).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture).astype(np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    high = float(values.max(initial=0.0))
    if picture.mode == "F" and high <= 1.0:
        values = values * 255
    elif high > 255 and picture.mode != "F":
        values = values / 257 if high > 4095 else values / 16  # 16 bits, or the 12 of many cameras
    elif high > 255:
        values = values * (255 / high)
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), "L")


def in_threads(work: Callable[[Any], T], items: Sequence[Any] | Iterable[Any]) -> list[T]:
    """``work`` on every item, several at a time (decoding lets other threads run); results in order."""
    with ThreadPoolExecutor(max_workers=max(2, cpu_count())) as pool:
        return list(pool.map(work, items))
