"""The media there are."""

from __future__ import annotations

from functools import cache

from honed.media.medium import Medium


@cache
def medium_of(kind: str) -> Medium:
    """The medium of a kind of input; one about which nothing is known where there is no such."""
    if kind == "text":
        from honed.media.text import Text

        return Text()
    if kind == "image":
        from honed.media.picture import Picture

        return Picture()
    return Medium()
