"""Image classification: a label, several labels, or a number for a picture."""

from honed.tasks.image_classification.task import ImageClassification

__all__ = ["ImageClassification"]
