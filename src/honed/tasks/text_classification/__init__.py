"""Text classification: a label, several labels, or a number for a text or a pair of texts."""

from honed.tasks.text_classification.task import TextClassification

__all__ = ["TextClassification"]
