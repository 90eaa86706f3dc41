"""Pictures as the Detectron family reads them, and what it found brought back to the picture's own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from honed.networks.detectron.boxes import clip, not_empty
from honed.networks.detectron.found import Found, Target
from honed.networks.detectron.mask_head import paste_masks
from honed.networks.detectron.settings import DetectronSettings

Array = np.ndarray[Any, np.dtype[Any]]


def read_size(height: int, width: int, short: int, longest: int) -> tuple[int, int]:
    """Height and width a picture is read at: the short side ``short``, unless the long side would pass ``longest``."""
    factor = short / min(height, width)
    high, wide = (float(short), factor * width) if height < width else (factor * height, float(short))
    if max(high, wide) > longest:
        factor = longest / max(high, wide)
        high, wide = high * factor, wide * factor
    return max(1, int(high + 0.5)), max(1, int(wide + 0.5))


def to_tensor(picture: Array, settings: DetectronSettings) -> torch.Tensor:
    """A picture (h, w, 3) uint8, red first, as the network reads it: (3, h', w') float."""
    high, wide = read_size(picture.shape[0], picture.shape[1], settings.short, settings.longest)
    resized = np.asarray(Image.fromarray(picture).resize((wide, high), Image.Resampling.BILINEAR))
    ordered = np.ascontiguousarray((resized[..., ::-1] if settings.bgr else resized).transpose(2, 0, 1))
    mean, std = (torch.tensor(values)[:, None, None] for values in (settings.mean, settings.std))
    return (torch.from_numpy(ordered.astype(np.float32)) - mean) / std


def padded_size(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Height and width rounded up to multiples."""
    return -(-size[0] // multiple) * multiple, -(-size[1] // multiple) * multiple


def padded(pictures: list[torch.Tensor], multiple: int) -> torch.Tensor:
    """Pictures (3, h, w) in one batch (n, 3, H, W), noughts right and below."""
    tops = [padded_size((x.shape[1], x.shape[2]), multiple) for x in pictures]
    batch = pictures[0].new_zeros(len(pictures), 3, max(high for high, _ in tops), max(wide for _, wide in tops))
    for place, picture in zip(batch, pictures, strict=True):
        place[:, : picture.shape[1], : picture.shape[2]] = picture
    return batch


def as_read(target: Target, size: tuple[int, int], read: tuple[int, int]) -> Target:
    """Objects in a picture's own height and width, brought to those at which the network reads it, to learn from."""
    boxes = target.boxes * target.boxes.new_tensor([read[1] / size[1], read[0] / size[0]] * 2)
    masks = target.masks
    if masks is not None:
        masks = interpolate(masks[:, None].float(), size=read, mode="nearest-exact")[:, 0] > 0
    return Target(boxes, target.labels, masks)


def in_pixels_of(found: Found, read: tuple[int, int], size: tuple[int, int]) -> Found:
    """Objects in a picture as the network read it, brought to the picture's own height and width; masks become whole."""
    factors = [size[1] / read[1], size[0] / read[0]] * 2
    boxes = clip(found.boxes * found.boxes.new_tensor(factors), size)
    found = found._replace(boxes=boxes).take(not_empty(boxes))
    return found if found.masks is None else found._replace(masks=paste_masks(found.masks, found.boxes, size))
