"""Segmentation of instances, as the contract of a task asks for it."""

from __future__ import annotations

from typing import ClassVar

from honed.tasks.contract import Facts, Sample
from honed.tasks.detection.base import Detection, facts_of
from honed.tasks.detection.sample import sample


class ImageSegmentation(Detection):
    """The label, the box and the outline of every object on a picture."""

    name: ClassVar[str] = "image-segmentation"
    version: ClassVar[int] = 1
    outlines: ClassVar[bool] = True
    facts: ClassVar[Facts] = facts_of("masks")

    def sample(self) -> Sample:
        return sample(masks=True)
