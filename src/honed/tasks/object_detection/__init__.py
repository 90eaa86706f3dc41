"""Object detection: the label and the box of every object on a picture."""

from honed.tasks.object_detection.task import ObjectDetection

__all__ = ["ObjectDetection"]
