"""A decoder whose weights stay in its folder, for engines that read it by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from honed.networks.decoders.shape import Shape, shape_of
from honed.networks.decoders.vocabulary import Vocabulary, vocabulary_in
from honed.zoo.decoders import config_in, context_of


@dataclass(frozen=True)
class Unread:
    """What is known of a decoder without its weights; see :class:`~honed.networks.decoders.loading.Loaded`.

    Parameters
    ----------
    vocabulary : Vocabulary
    shape : Shape or None
        None for a model that our own module does not compute.
    context : int
        How many tokens it reads at most.
    folder : Path
        In hub format.
    """

    vocabulary: Vocabulary
    shape: Shape | None
    context: int
    folder: Path


def look_at_decoder(folder: Path | str) -> Unread:
    """Configuration and tokenizer of a folder in hub format.

    Raises
    ------
    ZooError [Z011, Z013, Z014, Z015]
        Something is missing, or the model writes nothing.
    """
    folder = Path(folder)
    config = config_in(folder)
    shape = shape_of(config)
    return Unread(vocabulary_in(folder), shape, shape.context if shape is not None else context_of(config), folder)
