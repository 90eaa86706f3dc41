"""Pictures put together of several: objects, boxes and outlines stay with what is seen of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from honed.networks.detection.mask_cells import MASK_SIDE
from honed.networks.detection.mixing import MOST_HIDDEN, mixed
from honed.networks.detection.truth import Objects
from honed.networks.detection.variation import ObjectVariation, resized

SIDE, DARK = 96, (0.0, 0.0, 0.0)


def picture(*boxes: tuple[int, int, int, int], outlined: bool = True) -> tuple[torch.Tensor, Objects]:
    """Bright rectangles on black; each has the number of its place as label."""
    pixels = torch.zeros(3, SIDE, SIDE)
    for left, top, right, bottom in boxes:
        pixels[:, top:bottom, left:right] = 1.0
    masks = torch.full((len(boxes), MASK_SIDE, MASK_SIDE), 255, dtype=torch.uint8) if outlined else None
    return pixels, Objects(torch.tensor(boxes).float().reshape(-1, 4), torch.arange(len(boxes)), masks)


def batch(*pictures: tuple[torch.Tensor, Objects]) -> tuple[torch.Tensor, list[Objects], list[tuple[int, int]]]:
    return torch.stack([one for one, _ in pictures]), [some for _, some in pictures], [(SIDE, SIDE)] * len(pictures)


def bright(pixels: torch.Tensor) -> torch.Tensor:
    return pixels[0] > 0.5


def filled(objects: Objects) -> torch.Tensor:
    """Which pixels lie in a box."""
    found = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    for left, top, right, bottom in objects.boxes.round().long().tolist():
        found[top:bottom, left:right] = True
    return found


@pytest.mark.parametrize("seed", range(6))
def test_four_in_one_shows_every_object_in_its_box(seed: int) -> None:
    given = batch(
        picture((8, 10, 40, 30)), picture((50, 50, 90, 90)), picture((30, 5, 60, 80)), picture((5, 60, 50, 90))
    )
    how = ObjectVariation(mosaic=1.0, least_seen=0.01)
    pixels, objects, extents = mixed(*given, how, DARK, np.random.default_rng(seed))
    assert extents == [(SIDE, SIDE)] * 4
    for seen, some in zip(pixels, objects, strict=True):
        boxes, light = filled(some), bright(seen)
        assert (boxes & light).sum() > 0.8 * light.sum(), "what is bright lies in a box"
        assert (boxes & light).sum() > 0.8 * boxes.sum(), "a box holds nothing else"
        assert some.masks is not None and len(some.masks) == len(some.labels) == len(some.boxes)
    again = mixed(*given, how, DARK, np.random.default_rng(seed))
    assert torch.equal(again[0], pixels)


@pytest.mark.parametrize("outlined", [True, False])
def test_pasted_objects_bring_their_box_and_label(outlined: bool) -> None:
    bare, there = picture((10, 10, 40, 40), outlined=outlined), picture((20, 30, 44, 60), outlined=outlined)
    given = batch(bare, there)
    more = 0
    for seed in range(20):
        pixels, objects, _ = mixed(*given, ObjectVariation(paste=1.0), DARK, np.random.default_rng(seed))
        for seen, some in zip(pixels, objects, strict=True):
            more += len(some.boxes) - 1
            light = bright(seen)
            assert (filled(some) & light).sum() == light.sum()
            first, others = some.boxes[0], some.boxes[1:]
            low, high = torch.maximum(first[:2], others[:, :2]), torch.minimum(first[2:], others[:, 2:])
            hidden = (high - low).clamp(min=0).prod(dim=1) / (first[2:] - first[:2]).prod()
            assert not len(hidden) or float(hidden.max()) <= MOST_HIDDEN + 1e-6
            assert (some.masks is not None) == outlined
    assert more > 20
    assert torch.equal(given[0][0], bare[0]), "what was given stays as it was"


def test_an_outline_loses_what_is_hidden() -> None:
    given = batch(picture((0, 0, 90, 90)), picture((10, 10, 50, 50)))
    for seed in range(30):
        _, objects, _ = mixed(*given, ObjectVariation(paste=1.0), DARK, np.random.default_rng(seed))
        some = objects[0]
        if (
            len(some.boxes) == 2
            and some.boxes[1, 2] <= 90
            and some.boxes[1, 3] <= 90
            and 35 < some.boxes[1, 2] - some.boxes[1, 0] < 45
        ):
            assert some.masks is not None
            left = float(some.masks[0].float().mean()) / 255
            assert left == pytest.approx(1 - 40 * 40 / 90**2, abs=0.02)
            return
    pytest.fail("no draw laid the square inside")


def test_crowds_are_not_pasted_and_stay_crowds() -> None:
    pixels, some = picture((10, 10, 40, 40))
    given = batch((pixels, some._replace(crowd=torch.tensor([True]))), picture())
    _, objects, _ = mixed(*given, ObjectVariation(paste=1.0, mosaic=0.0), DARK, np.random.default_rng(0))
    assert [len(one.boxes) for one in objects] == [1, 0]
    assert objects[0].crowd is not None and objects[0].crowd.tolist() == [True]


def test_another_canvas_takes_the_boxes_along() -> None:
    pixels, objects, _ = batch(picture((12, 24, 48, 72)))
    found, (some,) = resized(pixels, objects, (64, 128))
    assert found.shape == (1, 3, 64, 128)
    torch.testing.assert_close(some.boxes, torch.tensor([[16.0, 16, 64, 48]]))
    light = bright(found[0])
    assert light[17:47, 17:63].all() and light.sum() == pytest.approx(48 * 32, rel=0.05)
