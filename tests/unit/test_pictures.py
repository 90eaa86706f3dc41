"""Pictures of every odd kind that users have, each made here."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from honed.data.pictures import open_picture, picture_facts, read_facts
from honed.errors import DataError

CORNERS = np.zeros((40, 60, 3), np.uint8)
CORNERS[:20, :30] = (250, 10, 10)
CORNERS[:20, 30:] = (10, 250, 10)
CORNERS[20:, :30] = (10, 10, 250)
CORNERS[20:, 30:] = (240, 240, 20)
"""A picture of four colours, of which every turn looks different."""


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that states this size and holds nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000"])
def test_plain_pictures_of_every_format(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind in ("JPEG", "AVIF") else {}
    found = open_picture(saved(Image.fromarray(CORNERS), kind, **options))
    assert found.shape == (40, 60, 3) and found.dtype == np.uint8 and found.flags.writeable
    assert np.abs(found[5:15:9, 5:25:9].astype(int) - CORNERS[5:15:9, 5:25:9]).max() <= 8  # lossy formats
    assert np.abs(found[25:35:9, 35:55:9].astype(int) - CORNERS[25:35:9, 35:55:9]).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_turned_upright(kind: str, orientation: int) -> None:
    """What is stored is the inverse turn of the upright picture, made with numpy, not with what is tested."""
    upright = CORNERS
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif)
    found = open_picture(data)
    assert found.shape == upright.shape
    for row, column in ((10, 15), (10, 45), (30, 15), (30, 45)):
        assert np.abs(found[row, column].astype(int) - upright[row, column]).max() < 40  # JPEG shares colours of 2 x 2
    facts = picture_facts(data)
    assert (facts.width, facts.height, facts.orientation) == (60, 40, orientation)
    assert facts.stored_size == (stored.shape[1], stored.shape[0])


def test_a_png_whose_orientation_stands_behind_the_pixels() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(CORNERS), "PNG", exif=exif)
    begin = data.index(b"eXIf") - 4
    chunk = data[begin : begin + 12 + struct.unpack(">I", data[begin : begin + 4])[0]]
    end = data.index(b"IEND") - 4
    moved = data[:begin] + data[begin + len(chunk) : end] + chunk + data[end:]
    assert open_picture(moved).shape == (60, 40, 3)
    facts = picture_facts(moved)
    assert (facts.width, facts.height, facts.orientation, facts.stored_size) == (40, 60, 6, (60, 40))


def test_sixteen_bits_keep_their_brightness() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    for kind in ("PNG", "TIFF"):
        found = open_picture(saved(Image.fromarray(ramp), kind))
        assert np.abs(found[..., 0].astype(int).reshape(-1) - np.arange(256)).max() <= 1
        assert (found[..., 0] == found[..., 2]).all()


def test_twelve_bits_in_a_file_of_sixteen_are_not_black() -> None:
    ramp = np.linspace(0, 4095, 256).astype(np.uint16).reshape(16, 16)
    found = open_picture(saved(Image.fromarray(ramp), "TIFF"))
    assert np.abs(found[..., 0].astype(int).reshape(-1) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("scale", [1.0, 255.0, 1e6])
def test_fractions_are_scaled(scale: float) -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16) * scale
    found = open_picture(saved(Image.fromarray(ramp.astype(np.float32)), "TIFF"))
    assert np.abs(found[..., 1].astype(int).reshape(-1) - np.arange(256)).max() <= 1


def test_infinite_and_missing_greys_do_not_break_a_picture() -> None:
    values = np.array([[0, 0.5], [np.nan, np.inf]], np.float32)
    assert open_picture(saved(Image.fromarray(values), "TIFF"))[0, 1, 0] == 128


def test_cmyk_is_read_in_either_polarity() -> None:
    cyan = Image.fromarray(np.full((16, 16, 4), [255, 0, 0, 0], np.uint8), "CMYK")
    adobe = saved(cyan, "JPEG", quality=95)
    assert np.abs(open_picture(adobe)[8, 8].astype(int) - [0, 255, 255]).max() <= 3
    marker = adobe.index(b"\xff\xee")
    length = struct.unpack(">H", adobe[marker + 2 : marker + 4])[0]
    plain = adobe[:marker] + adobe[marker + 2 + length :]
    # without Adobe's mark the stored numbers mean ink: 0, 255, 255, 255 is black
    assert open_picture(plain)[8, 8].max() <= 3
    assert np.abs(open_picture(saved(cyan, "TIFF"))[8, 8].astype(int) - [0, 255, 255]).max() <= 1


def test_transparent_parts_are_white() -> None:
    half = np.zeros((4, 4, 4), np.uint8)
    half[:, 2:] = (255, 0, 0, 255)
    for kind in ("PNG", "WEBP", "TIFF"):
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        found = open_picture(saved(Image.fromarray(half), kind, **options))
        assert found[0, 0].tolist() == [255, 255, 255] and found[0, 3].tolist() == [255, 0, 0]
    grey = Image.fromarray(half[..., [0, 3]], "LA")
    assert open_picture(saved(grey, "PNG"))[0, 0].tolist() == [255, 255, 255]


def test_palette_with_transparency() -> None:
    image = Image.new("P", (4, 2), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((3, 0), 1)
    data = saved(image, "PNG", transparency=0)
    assert open_picture(data)[0, 0].tolist() == [255, 255, 255]
    assert open_picture(data)[0, 3].tolist() == [200, 100, 50]
    assert open_picture(saved(image, "PNG"))[0, 0].tolist() == [10, 20, 30]


def test_rgb_and_grey_with_a_transparent_colour() -> None:
    rgb = saved(Image.fromarray(CORNERS), "PNG", transparency=(250, 10, 10))
    assert open_picture(rgb)[0, 0].tolist() == [255, 255, 255]
    assert open_picture(rgb)[0, 59].tolist() == [10, 250, 10]
    grey = saved(Image.new("L", (3, 3), 7), "PNG", transparency=7)
    assert (open_picture(grey) == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "HSV", "YCbCr", "LAB"])
def test_other_kinds_of_colour(mode: str) -> None:
    if mode == "LAB":
        from PIL import ImageCms

        rgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(Image.new("RGB", (8, 8), (200, 30, 60)), rgb, lab, outputMode="LAB")
    else:
        image = Image.new("RGB", (8, 8), (200, 30, 60)).convert(mode)
    from honed.data.pictures.colours import in_rgb

    found = np.asarray(in_rgb(image))
    expected = [84] * 3 if mode in ("L", "1") else [200, 30, 60]
    assert found.shape == (8, 8, 3)
    assert np.abs(found.reshape(-1, 3).mean(axis=0) - expected).max() <= (40 if mode == "1" else 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_moving_pictures_the_first_is_taken(kind: str) -> None:
    red, blue = Image.new("RGB", (6, 6), (255, 0, 0)), Image.new("RGB", (6, 6), (0, 0, 255))
    data = saved(red, kind, save_all=True, append_images=[blue])
    assert np.abs(open_picture(data)[3, 3].astype(int) - [255, 0, 0]).max() <= 3


def test_one_pixel() -> None:
    assert open_picture(saved(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).tolist() == [[[1, 2, 3]]]
    assert open_picture(saved(Image.new("RGB", (1, 1)), "JPEG"), at_least=(224, 224)).shape == (1, 1, 3)


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (9_000, 9_000), (2_000_000_000, 1)])
def test_bombs_are_refused_by_their_header(width: int, height: int, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(width, height))
    with pytest.raises(DataError) as told:
        open_picture(path)
    assert told.value.code == "D062" and "bomb.png" in told.value.seen
    assert [error.code for error in read_facts([path]) if isinstance(error, DataError)] == ["D062"]


def test_the_bound_on_pixels_can_be_set() -> None:
    data = saved(Image.new("L", (100, 100)), "PNG")
    assert open_picture(data, most_pixels=10_000).shape == (100, 100, 3)
    with pytest.raises(DataError, match="D062"):
        open_picture(data, most_pixels=9_999)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_cut_off_pictures_are_told(kind: str, share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), kind)
    path = tmp_path / f"half.{kind.lower()}"
    path.write_bytes(data[: max(8, int(len(data) * share))])
    with pytest.raises(DataError) as told:
        open_picture(path)
    assert told.value.code in ("D060", "D061") and path.name in told.value.seen
    if kind in ("JPEG", "PNG"):
        with pytest.raises(DataError):
            picture_facts(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM"])
def test_flipped_bytes_give_a_picture_or_a_coded_error(kind: str) -> None:
    """Whatever a decoder raises on foreign bytes, users see a DataError; 150 damaged copies of each kind."""
    rng = np.random.default_rng(1)
    whole = np.frombuffer(saved(Image.fromarray(CORNERS), kind), np.uint8)
    outcomes = set()
    for _ in range(150):
        data = whole.copy()
        places = rng.integers(0, min(len(data), 400), rng.integers(1, 8))
        data[places] = rng.integers(0, 256, len(places))
        try:
            assert open_picture(data.tobytes()).shape[2] == 3
            outcomes.add("opened")
        except DataError as error:
            assert error.code in ("D060", "D061", "D062")
            outcomes.add(error.code)
    assert len(outcomes) > 1


@pytest.mark.parametrize(
    ("head", "word"),
    [(b"", "empty"), (b"%PDF-1.7", "PDF"), (b"\0\0\0\x18ftypheic", "HEIC"), (b"<svg xmlns=", "SVG"), (b"PK\x03\x04", "zip"),
     (b"version https://git-lfs.github.com/spec/v1", "LFS"), (b"hello", "no picture"), (b"\0\0\0\x18ftypmp42", "film"),
     (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"), (b"<!DOCTYPE html><html>", "web page")],
)  # fmt: skip
def test_what_is_no_picture_is_called_by_its_name(head: bytes, word: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(head)
    with pytest.raises(DataError) as told:
        open_picture(path)
    assert told.value.code == "D060" and word in told.value.seen and "x.jpg" in told.value.seen


def test_absent_folders_and_forbidden() -> None:
    for path in ("/no/such.jpg", "/", "a\0b.jpg"):
        with pytest.raises(DataError) as told:
            open_picture(path)
        assert told.value.code == "D001"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_block_does_not_cost_the_picture() -> None:
    data = saved(Image.fromarray(CORNERS), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffgarbage")
    assert open_picture(data).shape == (40, 60, 3)
    assert picture_facts(data).orientation == 1


def test_draft_decodes_smaller_but_never_below_what_is_needed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    tall = saved(Image.fromarray(CORNERS).resize((1200, 800)), "JPEG", exif=exif)  # stored 800 high, 1200 wide
    full = open_picture(tall)
    assert full.shape == (1200, 800, 3)
    assert open_picture(tall, at_least=(300, 200)).shape == (300, 200, 3)
    assert open_picture(tall, at_least=(301, 200)).shape == (600, 400, 3)
    assert open_picture(tall, at_least=(2000, 2000)).shape == (1200, 800, 3)
    small = open_picture(tall, at_least=(600, 400))
    reduced = full.reshape(600, 2, 400, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - reduced).mean() < 2  # the decoder averages before it rounds


def test_headers_of_many_in_order(tmp_path: Path) -> None:
    paths = []
    for width in range(1, 40):
        paths.append(tmp_path / f"{width}.png")
        Image.new("L", (width, 5)).save(paths[-1])
    paths.insert(7, tmp_path / "absent.png")
    steps: list[int] = []
    found = read_facts(paths, advance=steps.append)
    assert len(found) == 40 and sum(steps) == 40
    error = found.pop(7)
    assert isinstance(error, DataError) and error.code == "D001"
    assert [facts.width for facts in found if not isinstance(facts, DataError)] == list(range(1, 40))
    assert len({facts.sketch for facts in found if not isinstance(facts, DataError)}) == 39
