"""Object detection, as the contract of a task asks for it."""

from __future__ import annotations

from typing import ClassVar

from honed.tasks.contract import Facts, Sample
from honed.tasks.detection.base import Detection, facts_of
from honed.tasks.detection.sample import sample


class ObjectDetection(Detection):
    """The label and the box of every object on a picture."""

    name: ClassVar[str] = "object-detection"
    version: ClassVar[int] = 1
    outlines: ClassVar[bool] = False
    facts: ClassVar[Facts] = facts_of("boxes")

    def sample(self) -> Sample:
        return sample(masks=False)
