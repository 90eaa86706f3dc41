"""Segmentation of instances, as the contract of a task asks for it."""

from __future__ import annotations

from typing import ClassVar

from honed.tasks.contract import Facts, Sample
from honed.tasks.detection.base import Detection
from honed.tasks.detection.sample import sample
from honed.tasks.detection.validate import MIN_PICTURES


class ImageSegmentation(Detection):
    """The label, the box and the outline of every object on a picture."""

    name: ClassVar[str] = "image-segmentation"
    version: ClassVar[int] = 1
    outlines: ClassVar[bool] = True
    facts: ClassVar[Facts] = Facts(
        ("image",), "masks", False, MIN_PICTURES, zero_shot=True, automatic=True, frozen_head=True, few_rows=40,
        bases="objects", race=False, one_label=True,
    )  # fmt: skip

    def sample(self) -> Sample:
        return sample(masks=True)
