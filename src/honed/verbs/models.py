"""``models``: the pre-trained models Honed knows."""

from __future__ import annotations

from typing import Any

from honed.zoo.at_hand import list_models


def models(task: str | None = None) -> list[Any]:
    """Entries of the zoo: id, licence, size, languages, what each is good for, and whether it is on this machine."""
    return list(list_models(task))
