"""Which formats are read, and what a file that is none of them seems to be."""

from __future__ import annotations

from typing import BinaryIO

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "ICO", "AVIF", "JPEG2000")
"""Formats that are decoded; MPO, of telephones, comes with JPEG. Others that Pillow knows are
left out: some start programs (EPS), few are ever pictures
to learn from, and each is one more decoder that meets foreign bytes."""
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".jp2", ".j2k",
     ".pgm", ".ppm", ".pbm", ".pnm", ".mpo", ".ico", ".dib")
)  # fmt: skip
"""How the names of pictures end, in lower case."""
FOREIGN_SUFFIXES = frozenset((".heic", ".heif", ".svg", ".psd", ".eps", ".pdf", ".dcm", ".cr2", ".nef", ".arw", ".dng"))
"""Pictures of kinds that are not read: they are told, not passed over."""
_SAVE = "Save it as JPEG or PNG."
_SIGNS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF document, not a picture", "Save its pages as PNG."),
    (b"%!PS", "a PostScript file, not a picture of pixels", _SAVE),
    (b"8BPS", "a Photoshop file", _SAVE),
    (b"PK\x03\x04", "an archive (zip), not a picture", "Unpack it."),
    (b"\x1f\x8b", "a packed file (gzip), not a picture", "Unpack it."),
    (b"version https://git-lfs", "a pointer of Git LFS, not the picture itself", "Run: git lfs pull."),
    (b"<?xml", "an XML or SVG file, not a picture of pixels", "Save it as PNG."),
    (b"<svg", "an SVG drawing, not a picture of pixels", "Save it as PNG."),
    (b"<!DOCTYPE", "a web page, not a picture", "Download the picture itself."),
    (b"<!doctype", "a web page, not a picture", "Download the picture itself."),
    (b"<html", "a web page, not a picture", "Download the picture itself."),
)


def is_picture_name(name: str) -> bool:
    """Whether a name ends like that of a picture that is read; hidden files (".x", "._x.jpg") are none."""
    dot = name.rfind(".")
    return dot > 0 and not name.startswith(".") and name[dot:].lower() in SUFFIXES


def what_it_is(stream: BinaryIO | None) -> tuple[str, str]:
    """What a file seems to be that is no picture, and what to do, as parts of sentences."""
    head = b""
    if stream is not None:
        stream.seek(0)
        head = stream.read(132)
    if not head:
        return "empty", "Get a copy with something in it, or remove it."
    for sign, seen, remedy in _SIGNS:
        if head.lstrip().startswith(sign):
            return seen, remedy
    if head[4:8] == b"ftyp":
        return _boxed(head[8:12])
    if head[128:132] == b"DICM":
        return "a DICOM file, which is not read", "Save it as PNG of 16 bits."
    return "no picture, or of a kind that is not read", "Pass JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF files."


def _boxed(brand: bytes) -> tuple[str, str]:
    if brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"):
        return "a HEIC picture, as telephones make them, which is not read", "Save it as JPEG."
    return "a film, not a picture", "Save single frames of it as JPEG."
