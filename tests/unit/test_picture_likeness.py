"""Near copies of pictures: found after what happens to pictures, and nothing else found."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from honed.checks.near_hashes import MOST_ALIKE, near_pairs
from honed.checks.picture_likeness import (
    cluster_near_duplicates,
    nearly_seen,
    sketches,
    sketches_of_greys,
)
from honed.checks.pictures import content_codes
from tests.pictured import public


def scene(seed: int, size: tuple[int, int] = (200, 150)) -> Image.Image:
    """A made-up scene: a shaded background with a dozen shapes."""
    rng = np.random.default_rng(seed)
    shade = (
        np.linspace(*rng.integers(40, 215, 2), size[0])[None, :, None]
        + np.linspace(*rng.integers(-40, 40, 2), size[1])[:, None, None]
    )
    image = Image.fromarray(np.clip(shade + rng.integers(-30, 30, 3), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for number in range(12):
        x, y = rng.integers(0, size[0]), rng.integers(0, size[1])
        w, h = rng.integers(10, size[0] // 2), rng.integers(10, size[1] // 2)
        shape = draw.ellipse if number % 2 else draw.rectangle
        shape((int(x), int(y), int(x + w), int(y + h)), fill=tuple(int(c) for c in rng.integers(0, 255, 3)))
    return image


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


COPIES = {
    "other format": lambda image: encoded(image, "PNG"),
    "strong compression": lambda image: encoded(image, quality=30),
    "half the size": lambda image: encoded(image.resize((100, 75))),
    "three times the size": lambda image: encoded(image.resize((600, 450))),
    "another shape": lambda image: encoded(image.resize((170, 170))),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.12)),
    "darker": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.85)),
    "more contrast": lambda image: encoded(ImageEnhance.Contrast(image).enhance(1.15)),
    "grey": lambda image: encoded(image.convert("L")),
}


@pytest.mark.parametrize("what", COPIES)
def test_copies_are_known_again(what: str) -> None:
    scenes = [scene(seed) for seed in range(60)]
    known = sketches([encoded(image, quality=90) for image in scenes])
    assert known.shape == (60, 5) and known.dtype == np.uint64
    found = nearly_seen([COPIES[what](image) for image in scenes], known)
    assert found.mean() >= 0.95


def test_different_scenes_are_not_taken_for_copies() -> None:
    known = sketches([np.asarray(scene(seed)) for seed in range(300)])
    assert not nearly_seen([np.asarray(scene(seed)) for seed in range(1000, 1300)], known).any()
    assert (cluster_near_duplicates(known) == -1).all()


def test_clusters_hold_copies_and_nothing_else() -> None:
    pictures, truth = [], []
    for seed in range(40):
        pictures.append(encoded(scene(seed)))
        truth.append(seed if seed < 10 else -1)
        if seed < 10:
            pictures += [COPIES["darker"](scene(seed)), COPIES["half the size"](scene(seed))]
            truth += [seed, seed]
    clusters = cluster_near_duplicates(sketches(pictures))
    assert clusters.dtype == np.int64 and clusters.tolist() == truth


def test_plain_pictures_join_only_when_they_are_equal() -> None:
    white, grey = Image.new("RGB", (50, 50), "white"), Image.new("RGB", (50, 50), (90, 90, 90))
    pictures = [encoded(white), encoded(white), encoded(grey), encoded(scene(1)), encoded(scene(1), quality=50)]
    found = sketches(pictures)
    assert not found[:3].any() and found[3:].any()
    assert cluster_near_duplicates(found).tolist() == [-1, -1, -1, 0, 0]
    assert cluster_near_duplicates(found, content_codes(pictures).astype(np.uint64)).tolist() == [0, 0, -1, 1, 1]
    assert nearly_seen(pictures, found).tolist() == [False, False, False, True, True]


def test_nothing_in_nothing_out() -> None:
    empty = sketches([])
    assert empty.shape == (0, 5) and cluster_near_duplicates(empty).tolist() == []
    assert nearly_seen([], empty).tolist() == []
    assert nearly_seen([encoded(scene(1))], empty).tolist() == [False]
    assert cluster_near_duplicates(sketches([encoded(scene(1))])).tolist() == [-1]


def test_contents_are_those_of_files_or_of_pixels(tmp_path: Path) -> None:
    data = encoded(scene(3))
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    files = content_codes([data, path, encoded(scene(4)), tmp_path / "gone.jpg"])
    assert files.tolist() == [0, 0, 1, -1]


@pytest.mark.parametrize("within", [0, 1, 4, 6, 7])
def test_near_pairs_are_all_and_only_those_that_brute_force_finds(within: int) -> None:
    rng = np.random.default_rng(within)
    known = rng.integers(0, 2**63, 400, dtype=np.uint64)
    wanted = known[rng.integers(0, 400, 300)].copy()
    for row in range(300):
        for bit in rng.integers(0, 64, rng.integers(0, 10)):
            wanted[row] ^= np.uint64(1) << np.uint64(bit)
    truth = np.bitwise_count(wanted[:, None] ^ known[None]) <= within
    found = np.zeros_like(truth)
    for rows, others in near_pairs(wanted, known, within):
        found[rows, others] = True
    assert (found == truth).all() and truth.any()
    with pytest.raises(ValueError, match="missed"):
        list(near_pairs(wanted, known, 8))


def test_thousands_of_one_scene_are_one_cluster_in_bounded_work() -> None:
    """All in one bucket of every band: each is compared with so many, not with all."""
    rng = np.random.default_rng(0)
    greys = np.asarray(scene(5).convert("L").resize((32, 32)), np.float32)
    many = greys + rng.normal(0, 1.0, (3 * MOST_ALIKE, 32, 32)).astype(np.float32)
    clusters = cluster_near_duplicates(sketches_of_greys(many))
    assert np.bincount(clusters[clusters >= 0]).max() >= 0.99 * len(many)


@pytest.mark.needs_data
def test_the_one_scene_taken_twice_in_public_pictures() -> None:
    """Looked at by eye: these two are one field of view; of 66,066 pairs no other is."""
    folder = public("object_detection/bccd") / "JPEGImages"
    paths = sorted(folder.glob("*.jpg"))
    clusters = cluster_near_duplicates(sketches(paths))
    assert [paths[row].stem for row in np.flatnonzero(clusters >= 0)] == ["BloodImage_00037", "BloodImage_00038"]
