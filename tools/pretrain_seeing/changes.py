"""Scenes are changed anew each time they are seen: mirrored, turned, four in one, another size, other colours."""

from __future__ import annotations

import numpy as np
import torch
from feed import Chunk
from torch.nn.functional import interpolate

ZOOMED, LEAST_SIDE = (128, 192, 192, 256, 256, 320), 4.0


def changed(chunk: Chunk, rng: np.random.Generator) -> Chunk:
    """A chunk as it is seen this time; ``pixels`` become float, 0 to 255, with sides that are multiples of 64."""
    chunk = dict(chunk)
    if rng.random() < 0.5:
        _mirror(chunk)
    if rng.random() < 0.5:
        _transpose(chunk)
        _mirror(chunk)
    if rng.random() < 0.25:
        _four_in_one(chunk)
    _resize(chunk, rng)
    chunk["pixels"] = _colours(chunk["pixels"], rng)
    return chunk


def _mirror(chunk: Chunk) -> None:
    width, boxes = chunk["pixels"].shape[3], chunk["boxes"]
    chunk["pixels"], chunk["masks"] = chunk["pixels"].flip(3), chunk["masks"].flip(2)
    chunk["boxes"] = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)


def _transpose(chunk: Chunk) -> None:
    chunk["pixels"], chunk["masks"] = chunk["pixels"].transpose(2, 3), chunk["masks"].transpose(1, 2)
    chunk["boxes"] = chunk["boxes"][:, [1, 0, 3, 2]]


def _four_in_one(chunk: Chunk) -> None:
    pixels, rows = chunk["pixels"], chunk["picture"]
    n, _, height, width = pixels.shape
    quarter = n // 4
    a, b, c, d = pixels[: 4 * quarter].split(quarter)
    chunk["pixels"] = torch.cat([torch.cat([a, b], dim=3), torch.cat([c, d], dim=3)], dim=2)
    part = rows // quarter
    shift = torch.stack([(part % 2) * width, (part // 2) * height], dim=1).to(chunk["boxes"].dtype)
    chunk["boxes"], chunk["picture"] = chunk["boxes"] + shift.repeat(1, 2), rows % quarter
    order = chunk["picture"].argsort(stable=True)
    for name in ("boxes", "labels", "masks", "picture"):
        chunk[name] = chunk[name][order]


def _resize(chunk: Chunk, rng: np.random.Generator) -> None:
    pixels = chunk["pixels"].float()
    height, width = pixels.shape[2:]
    wide = int(rng.choice(ZOOMED)) * (2 if len(pixels) <= 16 and rng.random() < 0.6 else 1)
    high = max(1, round(wide * height / width * float(np.exp(rng.normal(0, 0.12))) / 64)) * 64
    if (high, wide) != (height, width):
        smaller = high < height or wide < width
        pixels = interpolate(pixels, size=(high, wide), mode="bilinear", align_corners=False, antialias=smaller)
    chunk["pixels"] = pixels
    boxes = chunk["boxes"] * chunk["boxes"].new_tensor([wide / width, high / height]).repeat(2)
    stay = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1) >= LEAST_SIDE
    chunk["boxes"] = boxes
    for name in ("boxes", "labels", "masks", "picture"):
        chunk[name] = chunk[name][stay]


def _colours(pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    n, device = len(pixels), pixels.device
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.15, (n, 1)) + rng.normal(0, 0.08, (n, 3)))).float().to(device)
    shift = torch.from_numpy(rng.normal(0, 12, (n, 1)) + rng.normal(0, 6, (n, 3))).float().to(device)
    order = np.stack([rng.permutation(3) if rng.random() < 0.3 else np.arange(3) for _ in range(n)])
    where = torch.from_numpy(order).to(device)[:, :, None, None].expand_as(pixels)
    negative = torch.from_numpy(rng.random(n) < 0.05).to(device)[:, None, None, None]
    found = (pixels.gather(1, where) * gain[..., None, None] + shift[..., None, None]).clamp(0, 255)
    return torch.where(negative, 255 - found, found)
