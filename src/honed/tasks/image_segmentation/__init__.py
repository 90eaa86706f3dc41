"""Image segmentation: the label, the box and the outline of every object on a picture."""

from honed.tasks.image_segmentation.task import ImageSegmentation

__all__ = ["ImageSegmentation"]
