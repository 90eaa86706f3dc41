"""Text generation: a text written for each row, by a decoder that learnt from rows with their texts."""

from honed.tasks.text_generation.task import TextGeneration

__all__ = ["TextGeneration"]
